"""Tasks that no model writes: what the document says about a phrase, answered with its own sentence.

Their answers are true by construction; three of four questions say what they are about, the others are vague. They
teach the document's own words, so questions in other words are answered less often than after tasks of a strong
generator (docs/benchmarks.md).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import takewhile, zip_longest
from typing import Final

from lift.document import Segment
from lift.sentences import sentence_ends
from lift.synthesis.checks import normalised
from lift.synthesis.foci import find_foci
from lift.synthesis.parser import Pair

__all__ = ["QUOTES_VERSION", "Quoter"]

_QUESTION: Final = "What is said about {focus}?"
# To be raised with every change of the rules.
QUOTES_VERSION: Final = "quotes-1"

# A phrase in more sentences than this could be answered with any of them.
_MOST_SENTENCES: Final = 2
# What is shorter is a heading.
_LEAST_WORDS: Final = 5
# Most words that end like this are verbs or adverbs, which name nothing; those in -ing often do.
_NAMELESS: Final = re.compile(r"[a-z]{2,}(?:ed|ly)")


class Quoter:
    """Makes quote tasks about the segments of one document.

    Args:
        segments: all of them, since a phrase that stands everywhere asks for nothing.
    """

    def __init__(self, segments: Iterable[Segment]) -> None:
        self._sentences: Counter[str] = Counter()
        self._first: dict[str, int] = {}
        for segment in segments:
            for start, sentence in _sentences_of(segment):
                for focus in map(normalised, _phrases(sentence)):
                    self._sentences[focus] += 1
                    self._first.setdefault(focus, start)

    def pairs(self, segment: Segment) -> Iterator[Pair]:
        """The pairs about one of the segments, the best first; its sentences take turns."""
        by_sentence = (
            [Pair(_QUESTION.format(focus=focus), sentence) for focus in self._foci(sentence, start)]
            for start, sentence in _sentences_of(segment)
        )
        for turn in zip_longest(*by_sentence):
            yield from filter(None, turn)

    def _foci(self, sentence: str, start: int) -> list[str]:
        """What to ask for: what is said here first, and rarely elsewhere; the more telling phrases before the others.

        A single word of no name is asked for together with the sentence's commonest name, or not at all.
        """
        count = {focus: self._sentences[normalised(focus)] for focus in _phrases(sentence)}
        # The first word has a capital anyway; it is a name if it comes again.
        names = [
            focus
            for focus, times in count.items()
            if not focus[0].islower() and (" " in focus or times > 1 or not sentence.startswith(focus))
        ]
        subject = max(
            (name for name in names if not name.split()[-1][0].islower()), key=lambda name: count[name], default=None
        )
        foci = [focus for focus in count if self._first[normalised(focus)] == start]
        foci.sort(key=lambda focus: (count[focus] > _MOST_SENTENCES, focus not in names, -len(focus)))
        telling = [focus for focus in foci if focus in names or " " in focus]
        return telling + [
            f"{subject} and {focus}" for focus in foci if subject and focus[0].islower() and " " not in focus
        ]


def _phrases(sentence: str) -> list[str]:
    """The phrases of a sentence, without verbs and adverbs at their ends; of one that begins it, what has a capital."""
    phrases: dict[str, None] = {}
    for focus in find_foci(sentence):
        words = focus.split()
        if sentence.startswith(focus):
            words = list(takewhile(lambda word: not word[0].islower(), words))
        while words and _NAMELESS.fullmatch(words[-1]):
            words.pop()
        while words and _NAMELESS.fullmatch(words[0]):
            words.pop(0)
        if words:
            phrases[" ".join(words).removesuffix("'s").removesuffix("’s")] = None
    return list(phrases)


def _sentences_of(segment: Segment) -> Iterator[tuple[int, str]]:
    """The sentences of a segment, each with where it begins in the document."""
    start = 0
    for end in sentence_ends(segment.text):
        sentence = segment.text[start:end].strip()
        if len(sentence.split()) >= _LEAST_WORDS:
            yield segment.start + start, sentence
        start = end
