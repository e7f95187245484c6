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

from lift.blocks import without_mark
from lift.document import Segment
from lift.sentences import find_sentences
from lift.synthesis.checks import normalised
from lift.synthesis.foci import words_of
from lift.synthesis.parser import Pair
from lift.synthesis.phrases import Capitals, find_phrases
from lift.synthesis.topics import Topics, is_heading, names_among

__all__ = ["QUOTES_VERSION", "Quoter"]

_QUESTION: Final = "What is said about {focus}?"
# To be raised with every change of the rules.
QUOTES_VERSION: Final = "quotes-6"

# A phrase in more sentences than this could be answered with any of them.
_MOST_SENTENCES: Final = 2
# Characters: a blank line, or the mark of a list.
_PARAGRAPH_GAP: Final = 2
# A sentence of fewer words says nothing.
_LEAST_WORDS: Final = 5


class Quoter:
    """Makes quote tasks about the segments of one document.

    Args:
        title: what it is about.
        segments: all of them, since a phrase that stands everywhere asks for nothing.

    Attributes:
        capitals: what the document's capitals say.
    """

    def __init__(self, title: str, segments: Sequence[Segment]) -> None:
        self.capitals = Capitals.of(sentence for segment in segments for _, sentence in _quotable(segment))
        self._sentences: Counter[str] = Counter()
        self._first: dict[str, int] = {}
        # What a sentence without a name is about, by where it begins.
        self._meant: dict[int, str] = {}
        topics = Topics(title, self.capitals)
        end = 0
        for segment in segments:
            for start, sentence in _sentences_of(segment):
                if start - end >= _PARAGRAPH_GAP:
                    topics.begin_paragraph()
                end = start + len(sentence)
                if is_heading(sentence):
                    topics.enter(sentence)
                    continue
                phrases = find_phrases(sentence, self.capitals)
                meant = topics.read(sentence, phrases)
                if _is_short(sentence):
                    continue
                self._meant[start] = meant
                for key in (normalised(phrase.text) for phrase in phrases):
                    self._sentences[key] += 1
                    self._first.setdefault(key, start)

    def topics(self, segment: Segment) -> list[str]:
        """What the sentences of one of the segments are about where they have no name, each once."""
        return list(dict.fromkeys(self._meant[start] for start, _ in _quotable(segment)))

    def pairs(self, segment: Segment) -> Iterator[Pair]:
        """The pairs about one of the segments, the best first; its sentences take turns."""
        by_sentence = (
            [Pair(_QUESTION.format(focus=focus), " ".join(sentence.split())) for focus in self._foci(sentence, start)]
            for start, sentence in _quotable(segment)
        )
        for turn in zip_longest(*by_sentence):
            yield from filter(None, turn)

    def _foci(self, sentence: str, start: int) -> list[str]:
        """What to ask for: what is said here first, and rarely elsewhere; names before descriptions.

        What has no name is asked for together with the sentence's commonest name, or with what the sentence is about
        where it has none. What says too little comes last, a single word of it only where there is nothing else.
        """
        phrases = find_phrases(sentence, self.capitals)
        count = {phrase: self._sentences[normalised(phrase.text)] for phrase in phrases}
        subject = max(names_among(phrases), key=self._commonness, default=self._meant[start])
        here = [phrase for phrase in phrases if self._first[normalised(phrase.text)] == start]
        part = {phrase: any(phrase.text in other.text for other in phrases if other != phrase) for phrase in here}
        here.sort(key=lambda p: (count[p] > _MOST_SENTENCES, part[p], not p.named, -len(p.text)))
        alone = [phrase for phrase in here if phrase.alone]
        vague = [phrase for phrase in here if not phrase.alone]
        told = [phrase for phrase in vague if " " in phrase.text]
        asked = alone + (told or vague[: not alone])
        return [phrase.text if phrase.named else f"{subject} and {phrase.text}" for phrase in asked]

    def _commonness(self, name: str) -> tuple[int, int]:
        return self._sentences[normalised(name)], -len(name)


def _quotable(segment: Segment) -> Iterator[tuple[int, str]]:
    """The sentences of a segment that say something, each with where it begins in the document."""
    for start, sentence in _sentences_of(segment):
        if not is_heading(sentence) and not _is_short(sentence):
            yield start, sentence


def _sentences_of(segment: Segment) -> Iterator[tuple[int, str]]:
    for start, sentence in find_sentences(segment.text):
        yield segment.start + start, without_mark(sentence)


def _is_short(sentence: str) -> bool:
    return len(words_of(sentence)) < _LEAST_WORDS
