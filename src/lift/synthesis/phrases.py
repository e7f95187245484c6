"""Phrases of a sentence that say what they are about where they stand alone: names, and descriptions of some length.

By rules on words alone, for English. A plain phrase is cut where it turns into a verb or a count, and grows over
prepositions until it has a name or three words of its own: "walls" becomes "walls of the castle".
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from lift.synthesis.english import (
    ADJECTIVES,
    BEFORE_VERBS,
    BEING,
    CALENDAR,
    CONNECTORS,
    DEMONSTRATIVES,
    DETERMINERS,
    DIRECTIONS,
    LEAST_OF_A_NAME,
    POSSESSIVES,
    RELATIVES,
    WITHIN_PREPOSITIONS,
    begins_name,
    is_amount,
    is_doing,
    is_measure,
    is_year,
    may_name,
    own_words,
    separates,
)
from lift.synthesis.foci import STOP_WORDS, phrase_spans, words_of

__all__ = ["Capitals", "Phrase", "find_phrases", "find_speakers"]

_ENOUGH_WORDS: Final = 3
_MOST_WORDS: Final = 10
_LEAST_CHARS: Final = 3
_QUOTATION_MARKS: Final = "\"'“‘«("
# Before and after a word that makes a preposition with them.
_INTO: Final = frozenset("in on by with take takes taking took".split())
_OUT_OF: Final = frozenset("of to with for in on at".split())
# Before what somebody says, in a transcript.
_SPEAKER: Final = re.compile(r"([A-ZÀ-ÖØ-Þ][\w.’'-]*(?: [A-ZÀ-ÖØ-Þ][\w.’'-]*){0,3}): ")
_LEAST_TURNS: Final = 2
# Between a preposition and what it joins to a phrase.
_WITHIN_PHRASES: Final = DETERMINERS - DEMONSTRATIVES
_AFTER_VERBS: Final = frozenset("to that how what why whether".split())


@dataclass(frozen=True)
class Phrase:
    """A phrase as it stands in its sentence.

    Attributes:
        named: it holds a name.
        alone: it says what it is about: it has a name, or words enough.
    """

    text: str
    named: bool
    alone: bool


@dataclass(frozen=True)
class Capitals:
    """What the capitals in a text say about its words.

    Attributes:
        names: words that are names though a sentence begins with them.
        plain: words that are no names by themselves, without an s at their end: the "State" of a text that has
            "states" as well.
    """

    names: frozenset[str] = frozenset()
    plain: frozenset[str] = frozenset()

    @classmethod
    def of(cls, sentences: Iterable[str], speakers: Iterable[str] = ()) -> Capitals:
        """Those of a text's sentences.

        Args:
            speakers: names of those who speak in it.
        """
        names = {word for speaker in speakers for word in speaker.split()}
        plain = set()
        for sentence in sentences:
            for word in words_of(sentence):
                if word[0][0].islower():
                    plain.add(_without_s(word[0]))
                elif word[0][0].isupper() and not _begins(sentence, word):
                    names.add(word[0])
        return cls(frozenset(names), frozenset(plain))

    def are_plain(self, words: str) -> bool:
        """Whether the text has the words in lower case, as they are or with an s less or more."""
        return _without_s(words.lower()) in self.plain


_NO_CAPITALS: Final = Capitals()


def find_phrases(sentence: str, capitals: Capitals = _NO_CAPITALS) -> list[Phrase]:
    """The phrases of `sentence` in their order, each once.

    Args:
        capitals: those of the text that it stands in.
    """
    found = _Sentence(sentence, capitals).phrases()
    kept = (phrase for phrase in found if len(phrase.text) >= (LEAST_OF_A_NAME if phrase.named else _LEAST_CHARS))
    return list({phrase.text.lower(): phrase for phrase in kept}.values())


def find_speakers(sentences: Iterable[str]) -> set[str]:
    """Who speaks more than once in a transcript: "Anna: What about the budget?"."""
    turns = Counter(label[1] for sentence in sentences if (label := _SPEAKER.match(sentence)))
    return {speaker for speaker, count in turns.items() if count >= _LEAST_TURNS}


class _Sentence:
    """A sentence and its words; phrases are ranges of them, first and last included."""

    def __init__(self, text: str, capitals: Capitals) -> None:
        self._text = text
        self._capitals = capitals
        self._words = words_of(text)
        pieces = [piece for span in phrase_spans(text, self._words) for piece in self._cut(*span)]
        self._pieces = [piece for piece in pieces if self._is_thing(*piece)] or pieces

    def phrases(self) -> Iterator[Phrase]:
        for number in range(len(self._pieces)):
            yield self._grown(number)

    def _cut(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """The range without verbs and counts, in as many pieces as they leave."""
        start = first
        for number in range(first, last + 1):
            word = self._words[number][0]
            if self._ends_phrase(number) or (number == last and (word in DIRECTIONS or self._is_verb(number))):
                yield from self._trimmed(start, number - 1)
                start = number + 1
            elif number > start and begins_name(word) and self._is_apart(number - 1):
                yield from self._trimmed(start, number - 1)  # in 1945 Picardo entered; the day Picardo entered
                start = number
        yield from self._trimmed(start, last)

    def _is_apart(self, number: int) -> bool:
        """Whether the word is an amount that does not belong to the name after it, as in "the 2024 Summer Olympics"."""
        word = self._words[number][0]
        of_the_name = word.isdecimal() and number > 0 and self._words[number - 1][0] in DETERMINERS
        return is_amount(word) and not of_the_name

    def _ends_phrase(self, number: int) -> bool:
        """Whether no phrase goes on over the word: by itself, in a preposition ("in favour of"), as a participle."""
        word = self._words[number][0]
        if separates(word.lower() if number == 0 else word):
            return True
        before = self._words[number - 1][0] if number else ""
        after = self._words[number + 1][0] if number + 1 < len(self._words) else ""
        if word in WITHIN_PREPOSITIONS and before.lower() in _INTO and after in _OUT_OF:
            return True
        return is_doing(word) and (before.endswith("s") or before[:1].isupper())  # "officials mentioning Crimea"

    def _is_verb(self, number: int) -> bool:
        """Whether the word is a verb by what follows: "France possesses a system", "Russia plans to leave"."""
        word = self._words[number][0]
        if number + 1 == len(self._words) or not word[0].islower():
            return False
        after = self._words[number + 1][0]
        gap = self._text[self._words[number].end() : self._words[number + 1].start()]
        if gap.strip(f" {_QUOTATION_MARKS}"):
            return False
        of_a_name = number > 0 and self._words[number - 1][0][0].isupper() and word.endswith("s")
        return after in DETERMINERS or (of_a_name and after in _AFTER_VERBS)

    def _trimmed(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """Without verbs, participles, sizes, and adjectives of nothing at the ends, if anything is left."""
        while first <= last and self._words[first][0] in STOP_WORDS:  # "of Turkey", after a count
            first += 1
        if first > last:
            return
        before = self._words[first - 1][0].lower() if first else ""
        word = self._words[first][0]
        if word[0].islower() and (before in BEFORE_VERBS or (before in RELATIVES and word.endswith("s"))):
            first += 1
        while first <= last and is_doing(self._words[last][0]):
            last -= 1
        while first <= last and is_doing(self._words[first][0]):
            first += 1
        while first < last and self._words[last][0] in ADJECTIVES and not self._measures(first, last):
            last -= 1
        while last - first > 1 and is_measure(self._words[last][0]) and self._counts(last - 1):
            last -= 2
        if first <= last:
            yield first, last

    def _counts(self, number: int) -> bool:
        """Whether the word is a number, and no year: "a long fault of about 160 km"."""
        word = self._words[number][0]
        return is_measure(word) and not is_year(word)

    def _measures(self, first: int, last: int) -> bool:
        """Whether the range holds a measure: "14 millimetres wide", "80 cars long"."""
        return any(is_measure(word[0]) for word in self._words[first : last + 1])

    def _is_thing(self, first: int, last: int) -> bool:
        """Whether the range names something, and neither measures, nor is only said of something, nor points back."""
        points_back = first > 0 and self._words[first - 1][0].lower() in DEMONSTRATIVES
        if (first == last and self._is_predicate(first)) or (points_back and not self._is_named(first, last)):
            return False
        plain = [word[0] for word in self._words[first : last + 1]]
        return self._is_named(first, last) or bool(own_words(plain)) or is_year(plain[-1])

    def _is_predicate(self, number: int) -> bool:
        """Whether the word is said of something rather than names it: "it is unknown", "they were mostly large"."""
        word = self._words[number][0]
        before = [other[0] for other in self._words[max(0, number - 2) : number]]
        while before and before[-1].endswith("ly"):
            before.pop()
        return word[0].islower() and not word.endswith("s") and bool(before) and before[-1] in BEING

    def _grown(self, number: int) -> Phrase:
        """The piece, or what it grows to in the fewest steps, to the right as long as it can.

        A description does not end before "of", nor within a pair of adjectives.
        """
        left = right = number
        phrase = self._phrase(left, right)
        dated = is_year(self._words[self._pieces[number][1]][0])  # "in 1920 with the installation of two lines"
        while not phrase.alone:
            if self._joint(right) and not dated:
                right += 1
            elif left and self._joint(left - 1) and self._may_grow_left(left):
                left -= 1
            else:
                break
            phrase = self._phrase(left, right)
        while not (phrase.named or dated) and self._goes_on(right):
            right += 1
            phrase = self._phrase(left, right)
        if left == right and self._is_named(*self._pieces[number]):
            left, right = self._whole_name(number)
        if self._joint(right) == "and" and self._is_one_of_two(left, right):
            right += 1
        phrase = self._phrase(left, right)
        return phrase if len(phrase.text.split()) <= _MOST_WORDS else self._phrase(number, number)

    def _may_grow_left(self, left: int) -> bool:
        """Not from a plain word to a name: "Jerez in the north"; but to "Anna Berg in 1912"."""
        return is_year(self._words[self._pieces[left][1]][0]) or not self._is_named(*self._pieces[left - 1])

    def _whole_name(self, number: int) -> tuple[int, int]:
        """The pieces of the name that the name is a part of: "Ministry" of the Interior, of which "Interior"."""
        if self._joint(number) == "of" and self._is_named(*self._pieces[number + 1]):
            return number, number + 1
        if number and self._joint(number - 1) == "of" and self._is_single_name(number - 1):
            return number - 1, number
        return number, number

    def _is_one_of_two(self, left: int, right: int) -> bool:
        """Whether another thing belongs to the pieces: they are between, or of, two."""
        first, last = self._pieces[left][0], self._pieces[right][1]
        between = any(word[0].lower() == "between" for word in self._words[max(0, first - 2) : last])
        named = all(self._is_named(*self._pieces[piece]) for piece in (right, right + 1))
        return between or (left < right and self._joint(right - 1) == "of" and named)

    def _is_single_name(self, number: int) -> bool:
        first, last = self._pieces[number]
        return first == last and self._is_named(first, last)

    def _joint(self, number: int) -> str | None:
        """The preposition that stands, maybe with an article, between the piece and the next one, and nothing else."""
        if number + 1 == len(self._pieces):
            return None
        last, first = self._pieces[number][1], self._pieces[number + 1][0]
        between = [word[0] for word in self._words[last + 1 : first]]
        gap = self._text[self._words[last].end() : self._words[first].start()]
        if gap.split() != between or not between or not _WITHIN_PHRASES.issuperset(between[1:]):
            return None
        return between[0] if between[0] in CONNECTORS else None

    def _goes_on(self, number: int) -> bool:
        joint, (first, last) = self._joint(number), self._pieces[number]
        return joint == "of" or (joint == "and" and first == last)

    def _phrase(self, left: int, right: int) -> Phrase:
        words = self._words[self._pieces[left][0] : self._pieces[right][1] + 1]
        text = " ".join(self._text[words[0].start() : words[-1].end()].split())
        text = text.removesuffix("'s").removesuffix("’s")
        plain = [word[0] for word in words]
        named = self._is_named(self._pieces[left][0], self._pieces[right][1])
        named = named and not self._capitals.are_plain(text)
        described = len(own_words(plain)) >= _ENOUGH_WORDS and POSSESSIVES.isdisjoint(plain)
        return Phrase(text, named, named or described)

    def _is_named(self, first: int, last: int) -> bool:
        """Whether the range holds a name, or a date with its year."""
        words = self._words[first : last + 1]
        plain = [word[0] for word in words]
        dated = not CALENDAR.isdisjoint(plain) and any(map(is_year, plain))
        return dated or any(map(self._is_name, words))

    def _is_name(self, word: re.Match[str]) -> bool:
        return may_name(word[0]) and (word[0] in self._capitals.names or not _begins(self._text, word))


def _without_s(word: str) -> str:
    return word.removesuffix("s")


def _begins(sentence: str, word: re.Match[str]) -> bool:
    """Whether the word begins the sentence or a quotation, and so has a capital anyway."""
    return word.start() == 0 or sentence[word.start() - 1] in _QUOTATION_MARKS
