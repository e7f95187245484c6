"""Blocks of a text: paragraphs, headings, list items, code and the rows of tables, each with its place."""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Final

from lift.rows import is_table_row

__all__ = [
    "BLANK_LINE",
    "Span",
    "find_blocks",
    "find_code",
    "find_paragraphs",
    "is_heading",
    "is_markdown_heading",
    "is_whole",
    "is_within",
    "trimmed",
    "without_mark",
]

# First and last offset, the last one excluded.
Span = tuple[int, int]

BLANK_LINE: Final = re.compile(r"\n[ \t]*\n\s*")
_LIST_MARK: Final = r"(?:[-*+]|\d{1,3}[.)]) "
# A Markdown heading, list item or row of a table begins a block of its own, without a blank line before it.
_BLOCK_START: Final = re.compile(rf"\n(?=[ \t]*(?:#{{1,6}} |\||{_LIST_MARK}))")
_ROW_END: Final = re.compile(r"(?<=\|)[ \t]*\n")
# Three ticks or tildes, or more, before code, with its language, and after it.
_FENCE: Final = re.compile(r"^[ \t]*(`{3,}|~{3,})([^`\n]*)$", re.MULTILINE)
_MARKED: Final = re.compile(rf"\A{_LIST_MARK} *")
_MARKDOWN_HEADING: Final = re.compile(r"\s*#{1,6} ")
_SENTENCE_END: Final = (".", "!", "?", ":", ";", ",", "。", "！", "？", "।", "…", '"', "”", "»", ")", "`", "|")
_HEADING_CHARS: Final = 80


def find_blocks(text: str) -> Iterator[Span]:
    """The blocks of `text` in their order, without the white space around them."""
    for start, end in _between(text, _edges(text)):
        lines = text[start:end]
        # A heading's own line ends it.
        if is_markdown_heading(lines) and "\n" in lines:
            line_end = start + lines.index("\n")
            yield trimmed(text, start, line_end)
            start, end = trimmed(text, line_end, end)
        yield start, end


def find_paragraphs(text: str) -> Iterator[Span]:
    """What stands between blank lines, in its order, without the white space around it."""
    return _between(text, [gap.span() for gap in BLANK_LINE.finditer(text)])


def _between(text: str, gaps: Sequence[Span]) -> Iterator[Span]:
    """What stands between gaps, which may overlap, without the white space around it."""
    start = 0
    for gap_start, gap_end in [*gaps, (len(text), len(text))]:
        span = trimmed(text, start, gap_start)
        if span[0] < span[1]:
            yield span
        start = max(start, gap_end)


def _edges(text: str) -> list[Span]:
    """Where blocks end and the next ones begin."""
    code = find_code(text)
    edges = [match.span() for pattern in (BLANK_LINE, _BLOCK_START, _ROW_END) for match in pattern.finditer(text)]
    outside = [edge for edge in edges if not is_within(edge[0], code)]
    return sorted({*outside, *((place, place) for span in code for place in span)})


def find_code(text: str) -> list[Span]:
    """The fenced code blocks of `text`, fences included."""
    found: list[Span] = []
    opened: re.Match[str] | None = None
    for fence in _FENCE.finditer(text):
        if opened is None:
            opened = fence
        elif fence[1].startswith(opened[1]) and not fence[2].strip():
            found.append((opened.start(), fence.end()))
            opened = None
    return found


def is_within(place: int, spans: Sequence[Span]) -> bool:
    """Whether an offset lies in one of `spans`, which stand in their order."""
    last = bisect(spans, place, key=itemgetter(0)) - 1
    return last >= 0 and place < spans[last][1]


def is_whole(block: str) -> bool:
    """Whether a block is never cut into sentences: fenced code, or a row of a table."""
    return bool(_FENCE.match(block)) or is_table_row(block)


def is_heading(block: str) -> bool:
    """Whether a block is one in Markdown, or a short line that ends like none of a paragraph's, nor like a table's."""
    return is_markdown_heading(block) or (
        len(block) <= _HEADING_CHARS and "\n" not in block and not block.endswith(_SENTENCE_END)
    )


def is_markdown_heading(block: str) -> bool:
    """Whether a block begins with number signs and a space."""
    return bool(_MARKDOWN_HEADING.match(block))


def without_mark(block: str) -> str:
    """A list item's text; any other block as it is."""
    return _MARKED.sub("", block)


def trimmed(text: str, start: int, end: int) -> Span:
    """The span without white space at either end."""
    piece = text[start:end]
    start += len(piece) - len(piece.lstrip())
    return start, max(start, start + len(piece.strip()))
