"""CSV and TSV files as a Markdown table."""

from __future__ import annotations

import csv
import io
from typing import Final

__all__ = ["markdown_table"]

_DELIMITERS: Final = ",;\t|"
_SAMPLE_CHARS: Final = 20_000


def markdown_table(text: str) -> str:
    """The table of a file; its first row has the columns' names.

    Args:
        text: the file's, whatever stands between its cells.
    """
    try:
        dialect: type[csv.Dialect] = csv.Sniffer().sniff(text[:_SAMPLE_CHARS], _DELIMITERS)
    except csv.Error:  # a single column
        dialect = csv.excel
    rows = [row for row in csv.reader(io.StringIO(text), dialect) if any(map(str.strip, row))]
    names, *others = map(_line, rows)
    return "\n".join([names, f"|{' --- |' * len(rows[0])}", *others])


def _line(row: list[str]) -> str:
    return "".join(["|", *(f" {' '.join(cell.split()).replace('|', '/')} |" for cell in row)])
