"""CSV and TSV files as Markdown: a table, or, where a row is long, a section for every row."""

from __future__ import annotations

import csv
import io
from typing import Final

from lift.rows import MOST_OF_A_NAME, is_long, told_row

__all__ = ["markdown_of_rows"]

_DELIMITERS: Final = ",;\t|"
_SAMPLE_CHARS: Final = 20_000


def markdown_of_rows(text: str) -> str:
    """The rows of a file, each with its columns' names, which are the first row.

    Args:
        text: the file's, whatever stands between its cells.
    """
    try:
        dialect: type[csv.Dialect] = csv.Sniffer().sniff(text[:_SAMPLE_CHARS], _DELIMITERS)
    except csv.Error:  # a single column
        dialect = csv.excel
    rows = [[" ".join(cell.split()) for cell in row] for row in csv.reader(io.StringIO(text), dialect)]
    rows = list(filter(any, rows))
    if not rows:
        return ""
    names, *others = rows
    if any(map(is_long, others)):
        return "\n\n".join(_section(names, row) for row in others)
    return "\n".join([_line(names), f"|{' --- |' * len(names)}", *map(_line, others)])


def _line(row: list[str]) -> str:
    return "".join(["|", *(f" {cell.replace('|', '/')} |" for cell in row)])


def _section(names: list[str], row: list[str]) -> str:
    """The first cell as a heading, and below it the others."""
    if not 0 < len(row[0]) <= MOST_OF_A_NAME:
        return told_row(names, row)
    return f"# {row[0]}\n\n{told_row(names[1:], row[1:])}".strip()
