"""What a trained task writer is asked and how it answers: one form for its training and its use.

It has two tasks: to ask for a given phrase of a segment, the question's focus; and to answer a question with the
segment before its eyes. A small model that may choose what to ask repeats itself and drifts away from the text; bound
to a focus it does neither, and an answer that brings the focus back confirms the question.

Both show the same view of the document, which is short, since every token costs time on a small machine: a little of
the preceding text, and the names that occur before it. Without the names a pair could not say what it is about: in a
chapter on a castle, the castle's name often stands pages before.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from lift.document import Document, Segment
from lift.synthesis.english import is_doing, is_measure
from lift.synthesis.foci import find_foci
from lift.synthesis.phrases import Phrase
from lift.synthesis.prompts import window_start

__all__ = ["WRITER_PREFIX", "WRITER_VERSION", "answer_prompt", "ask_prompt", "foci_of", "title_in", "view"]

_WINDOW_CHARS: Final = 300
# The names in so many characters before the segment, those that occur often and lately first.
_NAMES_SPAN: Final = 6000
_NAMES: Final = 16
# A count or a date has no more words than this.
_COUNT_WORDS: Final = 4
# Capitalised words within a sentence, joined by such words as "de la".
_CAPITALISED: Final = r"[A-ZÀ-ÖØ-Þ][\w’'-]+"
_NAME: Final = re.compile(
    rf"(?<=[\w,;:)”\"’'\]] ){_CAPITALISED}(?: (?:(?:de|la|del|of|the|and|y|von|van|for) ){{0,2}}{_CAPITALISED})*"
)

_VIEW: Final = """\
Title: {title}
Names: {names}

Text before the segment:
{preceding}

Segment:
{segment}"""
_ASK: Final = "{view}\n\nAsk for: {focus}"
_ANSWER: Final = "{view}\n\nQuestion: {question}"

WRITER_PREFIX: Final = "writer-"
WRITER_VERSION: Final = WRITER_PREFIX + hashlib.sha256(f"{_VIEW}{_ASK}{_ANSWER}".encode()).hexdigest()[:12]


def view(document: Document, segment: Segment, window_chars: int = _WINDOW_CHARS) -> str:
    """The segment and what is needed to understand it.

    Args:
        window_chars: at most this much preceding text; never more than 300 characters.
    """
    start = window_start(document.text, segment.start, min(window_chars, _WINDOW_CHARS))
    return _VIEW.format(
        title=document.title,
        names="; ".join(_names_before(document.text, segment.start)) or "(none)",
        preceding=document.text[start : segment.start].strip() or "(none)",
        segment=segment.text,
    )


def foci_of(phrases: Mapping[str, Sequence[Phrase]]) -> list[str]:
    """What the writer is asked for, the best first: names and counts, then what is described at some length.

    Verbs and adjectives by themselves, which stand between stop words as well, are hardly ever what a question asks
    for, and single plain words say too little.

    Args:
        phrases: those of a segment's sentences, by sentence.
    """
    found: list[str] = []
    for sentence, inside in phrases.items():
        found += [phrase.text for phrase in inside if phrase.alone or " " in phrase.text]
        found += filter(_counts, find_foci(sentence))
    once = {focus.lower(): focus for focus in found}.values()
    return sorted(once, key=lambda focus: (focus[0].islower(), -len(focus)))


def _counts(focus: str) -> bool:
    """Whether it is a number, with what it counts or measures."""
    words = focus.split()
    told = any(is_doing(word) or word.endswith("ed") for word in words)
    return len(words) <= _COUNT_WORDS and any(map(is_measure, words)) and not told


def title_in(shown: str) -> str:
    """The document's title in a `view`."""
    return shown.partition("\n")[0].removeprefix("Title: ")


def ask_prompt(shown: str, focus: str) -> str:
    """The user's turn that asks for a question about the segment of a `view` whose answer is or contains `focus`."""
    return _ASK.format(view=shown, focus=focus)


def answer_prompt(shown: str, question: str) -> str:
    """The user's turn that asks for the answer to a question about the segment of a `view`."""
    return _ANSWER.format(view=shown, question=question)


def _names_before(text: str, end: int) -> list[str]:
    start = max(0, end - _NAMES_SPAN)
    count: Counter[str] = Counter()
    latest: dict[str, int] = {}
    for match in _NAME.finditer(text, start, end):
        name = match[0].removesuffix("’s").removesuffix("'s")
        count[name] += 1
        latest[name] = match.start()
    weight = {name: count[name] * (1 + (latest[name] - start) / _NAMES_SPAN) for name in count}
    return sorted(weight, key=lambda name: -weight[name])[:_NAMES]
