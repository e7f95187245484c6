"""Markdown as a text to learn from: what its marks only show, or link to, is left out."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, MutableMapping
from typing import Any, Final

from markdown_it import MarkdownIt
from markdown_it.token import Token

from lift.blocks import BLANK_LINE, Span, find_code
from lift.rows import MOST_OF_A_NAME, cells_of, is_delimiter, is_long, told_row

__all__ = ["front_matter", "without_marks"]

_COMMENT: Final = re.compile(r"<!--(?:(?!<!--).)*?-->", re.DOTALL)
# "[name]: https://...", not "[Anna]: Yes."
_DEFINITION: Final = re.compile(r"^ {0,3}\[[^\]\n]+\]:[ \t]*\S*[/#@]\S*(?:[ \t]+[\"'(].*)?[ \t]*$\n?", re.MULTILINE)
_FRONT_MATTER: Final = re.compile(r"---\n(?:(?:#[^\n]*|[ \t]*)\n)*[\w-]+:.*?\n---\n", re.DOTALL)
# A line with a line of signs below it is a heading as well; by itself such a line only divides.
_UNDERLINED: Final = re.compile(r"^(?![ \t]*(?:[-#>|*+]|\d+[.)]) *)(.*\S.*)\n(=|-)\2+[ \t]*$", re.MULTILINE)
_RULE: Final = re.compile(r"^[ \t]*([-*_])(?:[ \t]*\1){2,}[ \t]*$", re.MULTILINE)
# Formulas, whose backslashes are no marks; and paragraphs that are code by their indentation.
_VERBATIM: Final = re.compile(
    r"\$\$.+?\$\$|\$[^$`\n]*\\[^$`\n]*\$|(?:(?<=\n\n)|\A)(?:(?: {4}|\t)[^\n]*\n?)+", re.DOTALL
)
_TABLE: Final = re.compile(r"^(?:[ \t]*\|.*\|[ \t]*(?:\n|\Z)){2,}", re.MULTILINE)
_BREAK: Final = re.compile(r"<br\s*/?>", re.IGNORECASE)
# What is quoted, and what is said about a term, stays without the marks of its lines; ">>>" begins code.
_QUOTED: Final = re.compile(r"^ {0,3}(?:>(?!>) ?)+(?:\[!\w+\][ \t]*(?:\n|\Z))?", re.MULTILINE)
_TOLD: Final = re.compile(r"^:[ \t]{3}", re.MULTILINE)
# What refers to a footnote, and where that is told: "[^1]: Not in winter."
_NOTE_MARK: Final = re.compile(r"\[\^([^\]\s]+)\]")
_FOOTNOTE: Final = re.compile(rf"^ {{0,3}}{_NOTE_MARK.pattern}:[ \t]*", re.MULTILINE)
_SPECIAL: Final = re.compile(r"[*_`\[\]<&\\~]")
_BREAKS: Final = frozenset(("softbreak", "hardbreak"))
_TEXTS: Final = frozenset(("text", "code_inline"))

_PARSER: Final = MarkdownIt("commonmark").enable("strikethrough")


def without_marks(markdown: str) -> str:
    """Markdown without emphasis, the targets of links, images, comments, HTML tags, and the ticks around code.

    Headings (those that are underlined get number signs), lists, tables, code blocks and what is quoted stay.
    """
    links: dict[str, Any] = {}
    if front := front_matter(markdown):
        return front + without_marks(markdown.removeprefix(front))
    markdown = _COMMENT.sub("", markdown)
    notes = frozenset(_FOOTNOTE.findall(markdown))
    if definitions := _DEFINITION.findall(markdown):
        _PARSER.parse("\n".join(definitions), links)
        markdown = _DEFINITION.sub("", markdown)
    markdown = "".join(_around(markdown, find_code(markdown), lambda text: [_without_marks_of_lines(text, notes)]))
    return "".join(_around(markdown, find_code(markdown), lambda text: _prose(text, links)))


def _without_marks_of_lines(markdown: str, notes: Collection[str]) -> str:
    """What is quoted or told about a term or in a footnote as plain paragraphs.

    Args:
        notes: the footnotes that the text has; "[^a-z]" is none.
    """
    markdown = _TOLD.sub("\n", _QUOTED.sub("", markdown))
    if notes:
        markdown = _NOTE_MARK.sub(lambda mark: "" if mark[1] in notes else mark[0], _FOOTNOTE.sub("", markdown))
    return markdown


def front_matter(markdown: str) -> str:
    """What stands about the text before it, between two rows of hyphens: keys and values; empty if there is none."""
    found = _FRONT_MATTER.match(markdown)
    return found[0] if found else ""


def _around(text: str, kept: Iterable[Span], read: Callable[[str], Iterable[str]]) -> Iterator[str]:
    """What is kept as it is, and what `read` makes of the text around it."""
    end = 0
    for start, stop in kept:
        yield from read(text[end:start])
        yield text[start:stop]
        end = stop
    yield from read(text[end:])


def _prose(markdown: str, links: MutableMapping[str, Any]) -> Iterator[str]:
    verbatim = (found.span() for found in _VERBATIM.finditer(markdown))
    return _around(markdown, verbatim, lambda text: _paragraphs(text, links))


def _paragraphs(markdown: str, links: MutableMapping[str, Any]) -> Iterator[str]:
    markdown = _UNDERLINED.sub(lambda found: f"{'#' if found[2] == '=' else '##'} {found[1].strip()}", markdown)
    markdown = _TABLE.sub(_on_lines, _RULE.sub("", markdown))
    gaps = (gap.span() for gap in BLANK_LINE.finditer(markdown))
    return _around(markdown, gaps, lambda text: [_TABLE.sub(_rows, _shown(text, links))])


def _on_lines(table: re.Match[str]) -> str:
    """Rows without the line ends and vertical lines that a cell may have."""
    return _BREAK.sub(" ", table[0]).replace("\\|", "/")


def _rows(table: re.Match[str]) -> str:
    """A table as it is, or, where a row is long, what its rows say, or its cells where its columns have no names."""
    lines = table[0].splitlines()
    rows = [cells_of(line) for line in lines if not is_delimiter(line)]
    if not any(map(is_long, rows)):
        return table[0]
    names, *others = rows
    ends = "\n\n" if table[0].endswith("\n") else ""
    if is_delimiter(lines[1]) and any(names) and all(len(name) <= MOST_OF_A_NAME for name in names):
        return "\n\n".join(told_row(names, row) for row in others) + ends
    return "\n\n".join(cell for row in rows for cell in row if cell) + ends


def _shown(paragraph: str, links: MutableMapping[str, Any]) -> str:
    if not _SPECIAL.search(paragraph):
        return paragraph
    (inline,) = _PARSER.parseInline(paragraph, links)
    return "".join(map(_text_of, inline.children or ()))


def _text_of(token: Token) -> str:
    if token.type in _TEXTS:
        return token.content
    return "\n" if token.type in _BREAKS or token.content.startswith("<br") else ""
