"""Tasks that no model writes: what the document says about a phrase, answered with its own sentence.

Their answers are true by construction; five of six questions say what they are about, the others are vague. They
teach the document's own words, so questions in other words are answered less often than after tasks of a strong
generator (docs/benchmarks.md).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Final

from lift.blocks import Span, find_code, is_within, without_mark
from lift.document import Document, Segment
from lift.rows import is_table_row
from lift.sentences import CLOSERS, find_sentences
from lift.synthesis.checks import content_stems, normalised, stems
from lift.synthesis.foci import words_of
from lift.synthesis.parser import Pair
from lift.synthesis.phrases import Capitals, find_phrases, find_speakers
from lift.synthesis.tables import Row, find_rows
from lift.synthesis.topics import Topics, is_heading, names_among, refers_back

__all__ = ["QUOTES_VERSION", "Quoter"]

_QUESTION: Final = "What is said about {focus}?"
# To be raised with every change of the rules.
QUOTES_VERSION: Final = "quotes-11"

# A phrase in more sentences than this could be answered with any of them.
_MOST_SENTENCES: Final = 2
# Characters: a blank line, or the mark of a list.
_PARAGRAPH_GAP: Final = 2
# A sentence of fewer words says nothing.
_LEAST_WORDS: Final = 5
# Nor does one that asks, or announces a list.
_OPEN_END: Final = re.compile(rf"[:?]{CLOSERS}$")
# Nor does one that leads its readers through the text.
_LEADS: Final = re.compile(
    r"\b(?:let['’]s|take a look|in (?:this|the (?:next|previous|following|last)) (?:chapter|section|tutorial|guide)"
    r"|(?:we|you|I)(?: will|['’]ll| shall) (?:build|concentrate|cover|describe|discuss|explain|learn|look|see|talk))\b",
    re.IGNORECASE,
)


@dataclass(slots=True)
class _Sentence:
    """A sentence, or a row of a table, in its segment.

    Attributes:
        start: where it begins in the document.
        heading: it is one.
        tabular: it is a row of a table, of its columns' names maybe.
        row: what the row says, if it is one.
        about: what it is about, if it has no name.
        quotable: it says something.
    """

    start: int
    text: str
    heading: bool
    tabular: bool
    row: Row | None = None
    about: str = ""
    quotable: bool = True


class Quoter:
    """Makes quote tasks about the segments of one document; none about code.

    Args:
        document: the document.
        segments: all of its segments, since a phrase that stands everywhere asks for nothing.

    Attributes:
        capitals: what the document's capitals say.
    """

    def __init__(self, document: Document, segments: Iterable[Segment]) -> None:
        code = find_code(document.text) if document.is_prose else [(0, len(document.text))]
        self._by_segment = {segment.index: list(_sentences_of(segment, code)) for segment in segments}
        found = [sentence for sentences in self._by_segment.values() for sentence in sentences]
        for sentence, row in zip(found, find_rows([sentence.text for sentence in found]), strict=True):
            sentence.row = row
            sentence.quotable = row is not None or _says_something(sentence)
        told = (sentence.text for sentence in found if sentence.quotable and not sentence.row)
        self.capitals = Capitals.of(told, find_speakers(sentence.text for sentence in found))
        # In how many sentences a phrase stands, and where the first of them begins.
        self._count: Counter[str] = Counter()
        self._first: dict[str, int] = {}
        self._read(found, Topics(document.title, self.capitals))

    def _read(self, sentences: Sequence[_Sentence], topics: Topics) -> None:
        """Find out what each sentence is about, and where phrases stand."""
        end = 0
        for sentence in sentences:
            if sentence.start - end >= _PARAGRAPH_GAP:
                topics.begin_paragraph()
            end = sentence.start + len(sentence.text)
            if sentence.row:
                sentence.about = topics.section
                self._note(sentence.row.head, sentence.start)
            elif sentence.tabular:
                continue  # the columns' names
            elif sentence.heading:
                topics.enter(sentence.text)
            else:
                phrases = find_phrases(sentence.text, self.capitals)
                sentence.about = topics.read(sentence.text, phrases)
                if sentence.quotable:
                    for phrase in phrases:
                        self._note(phrase.text, sentence.start)

    def _note(self, phrase: str, start: int) -> None:
        key = normalised(phrase)
        self._count[key] += 1
        self._first.setdefault(key, start)

    def sentences(self, segment: Segment) -> list[str]:
        """The sentences of one of the segments, headings among them; no code, no tables, nothing about the text."""
        found = self._by_segment[segment.index]
        return [sentence.text for sentence in found if not (sentence.tabular or _LEADS.search(sentence.text))]

    def sayings(self, segment: Segment) -> list[str]:
        """The sentences of one of the segments that say something by themselves: what `pairs` quotes, but for rows."""
        return [sentence.text for sentence in self._quotable(segment) if not sentence.tabular]

    def topics(self, segment: Segment) -> list[str]:
        """What the sentences of one of the segments are about where they have no name, each once."""
        return list(dict.fromkeys(sentence.about for sentence in self._quotable(segment)))

    def pairs(self, segment: Segment) -> Iterator[Pair]:
        """The pairs about one of the segments, the best first; its sentences take turns."""
        by_sentence = (
            [Pair(_QUESTION.format(focus=focus), _told(sentence)) for focus in self._foci(sentence)]
            for sentence in self._quotable(segment)
        )
        for turn in zip_longest(*by_sentence):
            yield from filter(None, turn)

    def _quotable(self, segment: Segment) -> Iterator[_Sentence]:
        return (sentence for sentence in self._by_segment[segment.index] if sentence.quotable)

    def _foci(self, sentence: _Sentence) -> list[str]:
        """What to ask for: what is said here first, and rarely elsewhere; names before descriptions.

        What has no name is asked for together with the sentence's commonest name, or with what the sentence is about
        where it has none; everything is, where a pronoun stands for that. What says too little comes last, a single
        word of it only where there is nothing else. A table's row is asked for by its first cell.
        """
        if sentence.row:
            return self._foci_of_row(sentence.row, sentence)
        phrases = find_phrases(sentence.text, self.capitals)
        count = {phrase: self._count[normalised(phrase.text)] for phrase in phrases}
        nameless = _is_nameless(sentence)
        names = [] if nameless else names_among(phrases)
        subject = max(names, key=self._commonness, default=sentence.about)
        here = [phrase for phrase in phrases if self._first[normalised(phrase.text)] == sentence.start]
        part = {phrase: any(phrase.text in other.text for other in phrases if other != phrase) for phrase in here}
        here.sort(key=lambda p: (count[p] > _MOST_SENTENCES, part[p], not p.named, -len(p.text)))
        alone = [phrase for phrase in here if phrase.alone]
        vague = [phrase for phrase in here if not phrase.alone]
        told = [phrase for phrase in vague if " " in phrase.text]
        asked = alone + (told or vague[: not alone])
        return [phrase.text if phrase.named and not nameless else f"{subject} and {phrase.text}" for phrase in asked]

    def _foci_of_row(self, row: Row, sentence: _Sentence) -> list[str]:
        if self._first[normalised(row.head)] != sentence.start:
            return []
        named = any(phrase.named for phrase in find_phrases(row.head, self.capitals))
        return [row.head if named else f"{sentence.about} and {row.head}"]

    def _commonness(self, name: str) -> tuple[int, int]:
        return self._count[normalised(name)], -len(name)


def _sentences_of(segment: Segment, code: Sequence[Span]) -> Iterator[_Sentence]:
    """Those of a segment that stand in no code."""
    for start, sentence in find_sentences(segment.text):
        text = without_mark(sentence)
        place = segment.start + start + len(sentence) - len(text)
        if not is_within(place, code):
            yield _Sentence(place, text, is_heading(text), is_table_row(text))


def _says_something(sentence: _Sentence) -> bool:
    """Whether it does so by itself.

    It is no heading, not short, no row, asks nothing, announces no list, and leads to no other place.
    """
    text = sentence.text
    no_sentence = sentence.heading or sentence.tabular or len(words_of(text)) < _LEAST_WORDS
    return not (no_sentence or _OPEN_END.search(text) or _LEADS.search(text))


def _is_nameless(sentence: _Sentence) -> bool:
    """Whether a pronoun stands for what the sentence is about, and no word of that."""
    return refers_back(sentence.text) and set(content_stems(sentence.about)).isdisjoint(stems(sentence.text))


def _told(sentence: _Sentence) -> str:
    return sentence.row.text if sentence.row else " ".join(sentence.text.split())
