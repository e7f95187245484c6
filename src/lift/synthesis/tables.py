"""Rows of Markdown tables: what each says, with the names of its columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lift.rows import cells_of, is_delimiter, is_table_row, told_row

__all__ = ["Row", "find_rows"]


@dataclass(frozen=True, slots=True)
class Row:
    """What a row says.

    Attributes:
        head: its first cell, which is what the row is about.
        text: its cells, each after its column's name.
    """

    head: str
    text: str


def find_rows(blocks: Sequence[str]) -> list[Row | None]:
    """For each of a text's blocks the row that it is; None for other blocks, columns' names and rows without a head."""
    rows: list[Row | None] = []
    names: list[str] = []
    for block, after in zip(blocks, [*blocks[1:], ""], strict=False):
        cells = cells_of(block) if is_table_row(block) else []
        named = cells and is_delimiter(after)
        if named or not cells:
            names = cells
        is_row = cells and not named and not is_delimiter(block) and cells[0] and any(cells[1:])
        rows.append(Row(cells[0], told_row(names, cells)) if is_row else None)
    return rows
