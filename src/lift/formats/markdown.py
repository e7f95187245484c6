"""Markdown as a text to learn from: what its marks only show, or link to, is left out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from typing import Any, Final

from markdown_it import MarkdownIt
from markdown_it.token import Token

from lift.blocks import BLANK_LINE, Span, find_code

__all__ = ["without_marks"]

_COMMENT: Final = re.compile(r"<!--(?:(?!<!--).)*?-->", re.DOTALL)
# "[name]: https://...", not "[Anna]: Yes."
_DEFINITION: Final = re.compile(r"^ {0,3}\[[^\]\n]+\]:[ \t]*\S*[/#@]\S*(?:[ \t]+[\"'(].*)?[ \t]*$\n?", re.MULTILINE)
_FRONT_MATTER: Final = re.compile(r"---\n[\w-]+:.*?\n---\n", re.DOTALL)
# A line with a line of signs below it is a heading as well; by itself such a line only divides.
_UNDERLINED: Final = re.compile(r"^(?![ \t]*(?:[-#>|*+]|\d+[.)]) *)(.*\S.*)\n(=|-)\2+[ \t]*$", re.MULTILINE)
_RULE: Final = re.compile(r"^[ \t]*([-*_])(?:[ \t]*\1){2,}[ \t]*$", re.MULTILINE)
# Formulas, whose backslashes are no marks; and paragraphs that are code by their indentation.
_VERBATIM: Final = re.compile(
    r"\$\$.+?\$\$|\$[^$`\n]*\\[^$`\n]*\$|(?:(?<=\n\n)|\A)(?:(?: {4}|\t)[^\n]*\n?)+", re.DOTALL
)
_SPECIAL: Final = re.compile(r"[*_`\[\]<&\\~]")
_BREAKS: Final = frozenset(("softbreak", "hardbreak"))
_TEXTS: Final = frozenset(("text", "code_inline"))

_PARSER: Final = MarkdownIt("commonmark").enable("strikethrough")


def without_marks(markdown: str) -> str:
    """Markdown without emphasis, the targets of links, images, comments, HTML tags, and the ticks around code.

    Headings (those that are underlined get number signs), lists, tables, quotations and code blocks stay.
    """
    links: dict[str, Any] = {}
    if front := _FRONT_MATTER.match(markdown):
        return front[0] + without_marks(markdown[front.end() :])
    markdown = _COMMENT.sub("", markdown)
    if definitions := _DEFINITION.findall(markdown):
        _PARSER.parse("\n".join(definitions), links)
        markdown = _DEFINITION.sub("", markdown)
    return "".join(_around(markdown, find_code(markdown), lambda text: _prose(text, links)))


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
    markdown = _RULE.sub("", markdown)
    gaps = (gap.span() for gap in BLANK_LINE.finditer(markdown))
    return _around(markdown, gaps, lambda text: [_shown(text, links) if _SPECIAL.search(text) else text])


def _shown(paragraph: str, links: MutableMapping[str, Any]) -> str:
    (inline,) = _PARSER.parseInline(paragraph, links)
    return "".join(map(_text_of, inline.children or ()))


def _text_of(token: Token) -> str:
    if token.type in _TEXTS:
        return token.content
    return "\n" if token.type in _BREAKS or token.content.startswith("<br") else ""
