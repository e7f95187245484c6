"""Blocks of a text: paragraphs, headings and list items, each with its place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

__all__ = ["Span", "find_blocks", "is_heading", "is_markdown_heading", "trimmed", "without_mark"]

# First and last offset, the last one excluded.
Span = tuple[int, int]

_BLANK_LINE: Final = re.compile(r"\n[ \t]*\n\s*")
_LIST_MARK: Final = r"(?:[-*+]|\d{1,3}[.)]) "
# A Markdown heading or list item begins a block of its own, without a blank line before it.
_BLOCK_START: Final = re.compile(rf"\n(?=[ \t]*(?:#{{1,6}} |{_LIST_MARK}))")
_MARKED: Final = re.compile(rf"\A{_LIST_MARK} *")
_MARKDOWN_HEADING: Final = re.compile(r"\s*#{1,6} ")
_SENTENCE_END: Final = (".", "!", "?", ":", ";", ",", "。", "！", "？", "।", "…", '"', "”", "»", ")", "`")
_HEADING_CHARS: Final = 80


def find_blocks(text: str) -> Iterator[Span]:
    """The blocks of `text` in their order, without the white space around them."""
    edges = sorted({match.span() for pattern in (_BLANK_LINE, _BLOCK_START) for match in pattern.finditer(text)})
    start = 0
    for gap_start, gap_end in [*edges, (len(text), len(text))]:
        span = trimmed(text, start, gap_start)
        if span[0] < span[1]:
            lines = text[slice(*span)]
            # The heading's own line ends it.
            if is_markdown_heading(lines) and "\n" in lines:
                line_end = span[0] + lines.index("\n")
                yield trimmed(text, span[0], line_end)
                span = trimmed(text, line_end, span[1])
            yield span
        start = max(start, gap_end)


def is_heading(block: str) -> bool:
    """Whether a block is one in Markdown, or a short line that ends like none of a paragraph's."""
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
