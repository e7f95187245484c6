"""Where sentences end, by rules: no model, no download, the same everywhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from lift.blocks import Span, find_blocks, is_whole, trimmed

__all__ = ["CLOSERS", "find_sentences", "sentence_ends", "sentence_spans"]

# What may stand after the mark that ends a sentence, as a pattern.
CLOSERS: Final = r"[\"'”’»›)\]」』】*_]*"
# Scripts that write no space between sentences, and those whose full stops are not a Latin one.
_WIDE_END: Final = "。！？｡︒।॥؟۔"
_END: Final = re.compile(rf"(?:[.!?…]+|[{_WIDE_END}]+){CLOSERS}")
_OPENERS: Final = "\"'“‘«‹([「『*_¿¡"

# A name or a number follows these: never the end of a sentence.
_LEADING: Final = frozenset(
    """
    mr mrs ms mx dr prof rev hon pres gov sen rep gen col maj capt cmdr lt sgt cpl pvt adm st mt ft fr messrs
    mme mlle hr frl herr sra srta don dña ing lic dott sig
    no nos nr núm n° vol vols fig figs eq eqs sec ch chap pp p pág cap art vs v cf op bd abb aufl hrsg str
    e.g i.e eg ie viz al ca approx est z.b d.h bzw vgl u.a p.ej ej
    jan feb mar apr jun jul aug sep sept oct nov dec mon tue wed thu fri sat sun
    """.split()
)
# These may well be the last word: an end if what follows is no number.
_TRAILING: Final = frozenset("etc inc ltd co corp bros jr sr ph.d m.d b.a m.a a.m p.m a.d b.c usw u.s.w".split())
_INITIAL: Final = re.compile(r"(?:[^\W\d_]\.-?)*[^\W\d_]")
# "... in Madrid.From the start ...": a lost paragraph break, as extracted text is full of; not "os.Path(".
_GLUED_BEFORE: Final = re.compile(r"(?:(?:^|[\s(\"“'‘«—–-])[^\W\d_]*[^\W\d_A-Z]{3}|\s\d{4}|[)\]])\Z")
_GLUED_AFTER: Final = re.compile(r"[A-Z][^\W\d_A-Z]*(?:[\s,]|['’]\w+\s)")
_LIST_NUMBER: Final = re.compile(r"\s*(?:\d{1,3}|[A-Za-z]|[ivxIVX]{1,5})")


def find_sentences(text: str) -> Iterator[tuple[int, str]]:
    """The sentences of `text` without the white space around them, each with its offset.

    None goes on into another block: a paragraph, a heading, a list item.
    """
    for block in find_blocks(text):
        for start, end in sentence_spans(text, *block):
            yield start, text[start:end]


def sentence_spans(text: str, start: int, end: int) -> Iterator[Span]:
    """The sentences of one block of `text`, without the white space around them; code and a table's row are whole."""
    block = text[start:end]
    if is_whole(block):
        yield start, end
        return
    ends = [start, *(start + offset for offset in sentence_ends(block))]
    spans = (trimmed(text, first, last) for first, last in pairwise(ends))
    yield from (span for span in spans if span[0] < span[1])


def sentence_ends(text: str) -> Iterator[int]:
    """Offsets just after each sentence of `text`, the last one being its length.

    A full stop ends no sentence after an abbreviation or an initial, inside a number or before a small letter.
    """
    for match in _END.finditer(text):
        if match.end() < len(text) and _is_end(text, match):
            yield match.end()
    yield len(text)


def _is_end(text: str, match: re.Match[str]) -> bool:
    mark = match[0]
    if mark[0] in _WIDE_END:
        return True
    before = text[max(0, match.start() - 40) : match.start()]
    if not text[match.end()].isspace():
        return bool(_GLUED_BEFORE.search(before) or mark != mark[0]) and bool(_GLUED_AFTER.match(text, match.end()))
    following = text[match.end() :].lstrip().lstrip(_OPENERS)[:1]
    if following.islower():
        return False
    if mark[0] != "." or mark.startswith(".."):
        return True
    word = re.split(r"[\s(\[\"“'‘«—–/-]", before)[-1]
    lowered = word.lower()
    if lowered in _TRAILING:
        return not following.isdigit()
    if lowered in _LEADING:
        return False
    if _INITIAL.fullmatch(word):
        return False
    # The number of a list item: "1. Open the lid."
    return not (match.start() <= 5 and _LIST_NUMBER.fullmatch(text[: match.start()]))
