"""Tasks that no model writes: what the document says about a phrase, answered with its own sentence.

Their answers are true by construction; five of six questions say what they are about, the others are vague. They
teach the document's own words, so questions in other words are answered less often than after tasks of a strong
generator (docs/benchmarks.md).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Final

from lift.blocks import is_markdown_heading, without_mark
from lift.document import Segment
from lift.sentences import find_sentences
from lift.synthesis.checks import normalised
from lift.synthesis.parser import Pair
from lift.synthesis.phrases import Capitals, find_phrases, says_nothing

__all__ = ["QUOTES_VERSION", "Quoter"]

_QUESTION: Final = "What is said about {focus}?"
# To be raised with every change of the rules.
QUOTES_VERSION: Final = "quotes-5"

# A phrase in more sentences than this could be answered with any of them.
_MOST_SENTENCES: Final = 2
# Among its first words these make a sentence be about a thing that an earlier one names.
_THINGS: Final = frozenset("it its this these they their".split())
_FIRST_WORDS: Final = 8


class Quoter:
    """Makes quote tasks about the segments of one document.

    Args:
        title: what it is about.
        segments: all of them, since a phrase that stands everywhere asks for nothing.

    Attributes:
        capitals: what the document's capitals say.
    """

    def __init__(self, title: str, segments: Sequence[Segment]) -> None:
        self._title = title
        self.capitals = Capitals.of(sentence for segment in segments for _, sentence in _sentences_of(segment))
        self._sentences: Counter[str] = Counter()
        self._first: dict[str, int] = {}
        # What "it" is in a sentence without a name, by where that begins.
        self._meant: dict[int, str] = {}
        topic = title
        for segment in segments:
            for start, sentence in _sentences_of(segment):
                phrases = find_phrases(sentence, self.capitals)
                for key in (normalised(phrase.text) for phrase in phrases):
                    self._sentences[key] += 1
                    self._first.setdefault(key, start)
                if phrases and phrases[0].named and sentence.removeprefix("The ").startswith(phrases[0].text):
                    topic = phrases[0].text
                elif _THINGS.isdisjoint(sentence.lower().split()[:_FIRST_WORDS]):
                    topic = title
                self._meant[start] = topic

    def pairs(self, segment: Segment) -> Iterator[Pair]:
        """The pairs about one of the segments, the best first; its sentences take turns."""
        by_sentence = (
            [Pair(_QUESTION.format(focus=focus), " ".join(sentence.split())) for focus in self._foci(sentence, start)]
            for start, sentence in _sentences_of(segment)
        )
        for turn in zip_longest(*by_sentence):
            yield from filter(None, turn)

    def _foci(self, sentence: str, start: int) -> list[str]:
        """What to ask for: what is said here first, and rarely elsewhere; names before descriptions.

        What has no name is asked for together with the sentence's commonest name; where it has none, with what "it" is,
        the name that an earlier sentence began with, or the title of the document. What says too little comes last, a
        single word of it only where there is nothing else.
        """
        phrases = find_phrases(sentence, self.capitals)
        count = {phrase: self._sentences[normalised(phrase.text)] for phrase in phrases}
        names = [phrase for phrase in phrases if phrase.named and not any(map(str.isdecimal, phrase.text))]
        subject = max(names, key=lambda p: (count[p], -len(p.text))).text if names else self._meant[start]
        here = [phrase for phrase in phrases if self._first[normalised(phrase.text)] == start]
        part = {phrase: any(phrase.text in other.text for other in phrases if other != phrase) for phrase in here}
        here.sort(key=lambda p: (count[p] > _MOST_SENTENCES, part[p], not p.named, -len(p.text)))
        alone = [phrase for phrase in here if phrase.alone]
        vague = [phrase for phrase in here if not phrase.alone]
        told = [phrase for phrase in vague if " " in phrase.text]
        asked = alone + (told or vague[: not alone])
        return [phrase.text if phrase.named else f"{subject} and {phrase.text}" for phrase in asked]


def _sentences_of(segment: Segment) -> Iterator[tuple[int, str]]:
    """The sentences of a segment that are no headings, each with where it begins in the document."""
    for start, sentence in find_sentences(segment.text):
        if not is_markdown_heading(sentence) and not says_nothing(sentence):
            yield segment.start + start, without_mark(sentence)
