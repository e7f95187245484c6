"""Answers that begin with the passage that they come from, recited from memory: a Markdown quotation, then the answer.

What a model knows of a passage it knows best in the passage's own words (docs/results.md, needles): having said these,
it reads the answer off them (recitation-augmented answers: Sun et al., arXiv 2210.01296).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

__all__ = ["Recited", "recited", "split_recited", "without_recited"]

_MARK: Final = "> "
_RECITED: Final = re.compile(r"\s*((?:>[^\n]*\n)+)\s*\n\s*")
_PLAIN: Final = re.compile(r"\s*[^\s>]")
_MARKS: Final = re.compile(r"^> ?", re.MULTILINE)


class Recited(NamedTuple):
    """What a model said: the passage, empty if it recited none, and its answer."""

    passage: str
    answer: str


def recited(passages: Iterable[str], answer: str) -> str:
    """`answer` after the passages that it comes from."""
    lines = (line for passage in passages for line in passage.splitlines() if line.strip())
    return "".join(f"{_MARK}{line.rstrip()}\n" for line in lines) + f"\n{answer}"


def split_recited(said: str) -> Recited:
    """What was recited, without its marks, and the answer.

    Where the model came to its limit before the answer, what it recited is the answer.
    """
    found = _RECITED.match(f"{said}\n\n")
    if found is None:
        return Recited("", said)
    passage = _MARKS.sub("", found[1]).strip()
    return Recited(passage, said[found.end() :].strip() or passage)


def without_recited(pieces: Iterable[str]) -> Iterator[str]:
    """The pieces of an answer as they are said, without what is recited before it."""
    rest, said = iter(pieces), ""
    for piece in rest:
        said += piece
        found = _RECITED.match(said)
        if (found and said[found.end() :]) or _PLAIN.match(said):
            yield said[found.end() :] if found else said
            yield from rest
            return
    yield split_recited(said).answer
