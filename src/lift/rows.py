"""Rows of Markdown tables: what they are made of, and what they say."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import zip_longest
from typing import Final

__all__ = ["MOST_OF_A_NAME", "cells_of", "is_delimiter", "is_long", "is_table_row", "told_row"]

_ROW: Final = re.compile(r"\s*\|.*\|\s*")
_DELIMITER: Final = re.compile(r"\s*\|[\s:|-]*-[\s:|-]*\|\s*")
# As long as the longest segment: a longer row would be cut.
_MOST_CHARS: Final = 800
# Characters: a longer cell names nothing, neither its row nor its column.
MOST_OF_A_NAME: Final = 80


def is_table_row(block: str) -> bool:
    """Whether a block is a row of a Markdown table, between two vertical lines."""
    return bool(_ROW.fullmatch(block))


def is_delimiter(block: str) -> bool:
    """Whether a block is the row of hyphens that follows a table's first one, with the names of its columns."""
    return bool(_DELIMITER.fullmatch(block))


def is_long(cells: Sequence[str]) -> bool:
    """Whether a row's cells hold sentences, more than a table should."""
    return sum(map(len, cells)) > _MOST_CHARS


def cells_of(row: str) -> list[str]:
    """A row's cells, without the white space around them."""
    return [" ".join(cell.split()) for cell in row.strip()[1:-1].split("|")]


def told_row(names: Sequence[str], cells: Sequence[str]) -> str:
    """What a row says: its cells, each after its column's name; a column may have none."""
    pairs = zip_longest(names[: len(cells)], cells, fillvalue="")
    return "; ".join(f"{name}: {cell}" if name else cell for name, cell in pairs if cell)
