"""PDF files as a text: paragraphs and headings again out of lines on pages, without running heads and page numbers."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain, pairwise
from typing import Final

from lift.sentences import CLOSERS

__all__ = ["pdf_text"]

# Lines at a page's top or bottom that may be a running head or a page number.
_EDGE: Final = 2
# One of so many may be, on a page of few.
_LEAST_LINES: Final = 4
# A running head stands on so many pages or more, but for its numbers.
_LEAST_PAGES: Final = 3
_PAGE_NUMBER: Final = re.compile(r"\W*(?:page )?(?:\d{1,4}|[ivxlc]{1,7})(?: ?(?:/|of) ?\d{1,4})?\W*", re.IGNORECASE)
_DIGITS: Final = re.compile(r"\d+")
# A page's number before or after what runs; not "2. Structures".
_NUMBER_BEFORE: Final = re.compile(r"(\d{1,4})(?![\d.)])")
_NUMBER_AFTER: Final = re.compile(r"(?<![\d.])(\d{1,4})$")
# Characters.
_LONGEST_HEAD: Final = 90
# "2.3 Simple parsing . . . . . . . 4"
_CONTENTS: Final = re.compile(r".*(?:\. ?){5,}[\divxlc]*")
_BULLET: Final = re.compile(r"^[•‣▪●◦∙·] ?")
# "# make it so" would be taken for a heading.
_COMMENT: Final = re.compile(r"^(#{1,6}) ")
_LIST_ITEM: Final = re.compile(r"(?:- |\d{1,3}[.)] )")
# "2 Structures", "2.1. Syntax", "A.1 Syntax"
_NUMBERED: Final = re.compile(r"(?:\d{1,2}|[A-Z]\.\d{1,2})(?:\.\d{1,2})*\.? +[^\W\d_].*[^.,;:]")
# A line that ends a sentence and a paragraph is shorter than this share of a full one; one that ends no sentence, such
# as a heading, is shorter still.
_SHORT: Final = 0.8
_SHORTER: Final = 0.6
# No paragraph ends with these, and none begins with a small letter.
_GOES_ON: Final = re.compile(
    r".*(?:[,;(–—-]|\b(?:a|an|and|are|as|at|by|for|from|in|is|of|on|or|that|the|to|was|which|with))", re.IGNORECASE
)
_ENDED: Final = re.compile(rf".*[.!?:]{CLOSERS}")
_LIGATURES: Final = re.compile(r"[\ufb00-\ufb06]")
# Names of files, which programs put into the place of the title.
_NO_TITLE: Final = re.compile(
    r"microsoft word - .*|untitled.*|.*\.(?:docx?|dvi|indd|odt|pdf|pptx?|qxp|rtf|tex|txt)", re.I
)


def pdf_text(data: bytes) -> tuple[str, str | None]:
    """Text and title of a PDF file.

    Raises:
        ImportError: pypdfium2 is not installed.
        ValueError: the file is damaged or wants a password.
    """
    import pypdfium2

    try:
        pdf = pypdfium2.PdfDocument(data)
        with pdf:
            pages = [_lines(page.get_textpage().get_text_bounded()) for page in pdf]
            title = pdf.get_metadata_dict().get("Title", "").strip()
    except pypdfium2.PdfiumError as error:
        raise ValueError(str(error)) from error
    return _text(_without_running_heads(pages)), None if _NO_TITLE.fullmatch(title) else title or None


def _lines(page: str) -> list[str]:
    page = _LIGATURES.sub(lambda found: unicodedata.normalize("NFKC", found[0]), page)
    lines = (_BULLET.sub("- ", " ".join(line.split())) for line in page.splitlines())
    lines = (_COMMENT.sub(r"\1", line) for line in lines)
    return [line for line in lines if line and not _CONTENTS.fullmatch(line)]


def _without_running_heads(pages: Sequence[list[str]]) -> list[list[str]]:
    """The pages without them; what the first one has may be the title."""
    edges = list(map(_edges, pages))
    outer = [[page[place] for place in places] for page, places in zip(pages, edges, strict=True)]
    shapes = Counter(shape for lines in outer for shape in set(map(_shape, lines)))
    numbered = _numbered_from(outer)

    def runs(line: str, number: int) -> bool:
        if _PAGE_NUMBER.fullmatch(line) or any((side, found - number) in numbered for side, found in _numbers(line)):
            return True
        return number > 0 and shapes[_shape(line)] >= _LEAST_PAGES

    return [
        [line for place, line in enumerate(page) if place not in places or not runs(line, number)]
        for number, (page, places) in enumerate(zip(pages, edges, strict=True))
    ]


def _edges(page: Sequence[str]) -> set[int]:
    """Where the first and last lines stand."""
    places, most = range(len(page)), min(_EDGE, -(-len(page) // _LEAST_LINES))
    return {*places[:most], *places[len(page) - most :]}


def _shape(line: str) -> str:
    """The line without its numbers: "Chapter 2: Structures 4" and "Chapter 2: Structures 5" are the same head."""
    return _DIGITS.sub("#", line)


def _numbers(line: str) -> list[tuple[str, int]]:
    """The numbers before and after what runs, in a line that is no longer than a running head."""
    if len(line) > _LONGEST_HEAD:
        return []
    ends = {"before": _NUMBER_BEFORE.match(line), "after": _NUMBER_AFTER.search(line)}
    return [(side, int(found[1])) for side, found in ends.items() if found]


def _numbered_from(outer: Sequence[list[str]]) -> set[tuple[str, int]]:
    """Which number the first page has, or would have, by the pages that have theirs before what runs, and after it.

    Args:
        outer: the first and last lines of every page.
    """
    firsts = Counter(
        first
        for number, lines in enumerate(outer)
        for first in {(side, found - number) for line in lines for side, found in _numbers(line)}
    )
    return {first for first, count in firsts.items() if count >= _LEAST_PAGES}


def _text(pages: Sequence[list[str]]) -> str:
    lines = list(chain.from_iterable(pages))
    return "".join(_joined(lines, _full_length(lines)))


def _full_length(lines: Sequence[str]) -> int:
    """That of the lines that hold most of the text. Some are twice as long: PDFium joins them over a hyphen."""
    counts = Counter(map(len, lines))
    held = {full: sum(n * counts[n] for n in counts if _SHORT * full < n <= full) for full in counts}
    return max(held, key=lambda full: held[full], default=0)


def _joined(lines: Sequence[str], full: int) -> Iterator[str]:
    """The lines, full ones as one with what follows them, and a blank line where a paragraph or heading ends.

    Args:
        full: a full line's length.
    """
    for line, after in pairwise([*lines, ""]):
        yield line
        if not after:
            continue
        if _ends(line, after, full):
            yield "\n\n"
        else:
            yield " " if len(line) >= _SHORT * full and not _LIST_ITEM.match(after) else "\n"


def _ends(line: str, after: str, full: int) -> bool:
    if _LIST_ITEM.match(after):
        return False  # begins a block anyway
    if any(_NUMBERED.fullmatch(other) and len(other) < _SHORT * full for other in (line, after)):
        return True
    if not _ENDED.fullmatch(line):
        return len(line) < _SHORTER * full and not (after[0].islower() or _GOES_ON.fullmatch(line))
    heading = len(after) < _SHORTER * full and after[0].isupper() and not _ENDED.fullmatch(after)
    return heading or (len(line) < _SHORT * full and not after[0].islower())
