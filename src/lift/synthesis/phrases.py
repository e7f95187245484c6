"""Phrases of a sentence that say what they are about where they stand alone: names, and descriptions of some length.

By rules on words alone, for English. A plain phrase is cut where it turns into a verb or a count, and grows over
prepositions until it has a name or three words of its own: "walls" becomes "walls of the castle".
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from lift.synthesis.foci import STOP_WORDS, phrase_spans, words_of

__all__ = ["Phrase", "find_phrases", "is_heading", "names_within"]

_ENOUGH_WORDS: Final = 3
_MOST_WORDS: Final = 10
_LEAST_CHARS: Final = 3
_LEAST_OF_A_NAME: Final = 2
_LEAST_WORDS: Final = 5
_CONNECTORS: Final = frozenset("of in for on at from with between by into over under against among near and".split())
_POSSESSIVES: Final = frozenset("his her its their".split())
_DETERMINERS: Final = _POSSESSIVES | frozenset("the a an this these those such".split())
_IN_HEADINGS: Final = _CONNECTORS | _DETERMINERS | frozenset("de del la y about after before or to".split())
_QUOTATION_MARKS: Final = "\"'“‘«("
# Counts and adverbs, within which no phrase goes on.
_SEPARATORS: Final = frozenset(
    "several various numerous certain further later earlier two three four five six seven eight nine ten instead "
    "still already even soon yet always sometimes often today whole entire throughout beyond behind despite amid time "
    "part cannot nearby elsewhere away apart whereas others thing things something anything everything nothing someone "
    "anyone everyone".split()
)
# "it's", "you're", "don't"; not "Anna's".
_CONTRACTED: Final = re.compile(
    r"(?i)(?:\w+(?:n['’]t|['’](?:re|ve|ll|d|m))|(?:it|that|what|there|here|who|he|she|let)['’]s)"
)
# At the end of a phrase: "runs north of the river", "moved northwards".
_DIRECTIONS: Final = frozenset(
    side + ending
    for side in ("north", "south", "east", "west", "northeast", "northwest", "southeast", "southwest")
    for ending in ("", "ward", "wards")
)
# Words that measure: a phrase of nothing else is a time or a size, not a thing.
_MEASURES: Final = frozenset(
    "second seconds minute minutes hour hours day days week weeks month months year years decade decades century "
    "centuries am pm a.m p.m age ago inch inches foot feet mile miles metre metres meter meters kilometre "
    "kilometres kilometer kilometers km km² m² percent cent half one two three four five six seven eight nine ten "
    "eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty "
    "seventy eighty ninety dozen hundred hundreds thousand thousands million millions billion billions number times "
    "first third last".split()
)
_ROMAN: Final = re.compile(r"[IVXLC]{2,}")
_YEAR: Final = re.compile(r"(?:1\d{3}|20\d{2})s?")
_BEING: Final = frozenset("be is are was were been being".split())
# What follows these is a verb.
_BEFORE_VERBS: Final = frozenset(
    "to can could would will shall should must may might not never i you he she it we they who".split()
)
# Most words that end like this are verbs and adverbs, which name nothing.
_NAMELESS: Final = re.compile(r"[a-z-]{2,}(?:ed|ly)")
_DOING: Final = re.compile(r"[a-z]{2,}ing")
_IRREGULAR: Final = frozenset(
    "became become began begun born bought brought built came caught chose chosen come drawn drew driven drove "
    "fallen fell felt forgot forgotten fought found gave given gone got grew grown heard held hit kept knew known "
    "laid led left lent lost meant met paid put ran risen rose sat saw seen sent set shot showed shown sold "
    "sought spent spoke spoken stood struck taken taught told took went won wore worn written wrote "
    "become becomes begin begins believe believes bring brings continue continues contain contains include includes "
    "occur occurs provide provides remain require requires run runs seem seems suggest suggests say says".split()
)
# Words that end like these and do name something.
_NOUNS: Final = frozenset(
    "assembly breed creed deed family feed hundred monopoly need reply seed speed supply "
    "advertising banking beginning bombing building ceiling clothing drawing engineering evening fundraising funding "
    "hearing killing king lighting manufacturing marketing meeting morning opening painting planning reading "
    "recording ring ruling setting shooting spring string training wedding wing writing".split()
)
# "Japanese woman" names nobody.
_OF_A_COUNTRY: Final = re.compile(r"[A-Z][a-zé]+(?:ese|ish|ean|ian|ican)s?|French|Dutch|Greeks?|Germans?")
_MONTHS: Final = frozenset(
    "January February March April May June July August September October November December".split()
)


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


def find_phrases(sentence: str, names: Container[str] = ()) -> list[Phrase]:
    """The phrases of `sentence` in their order, each once.

    Args:
        names: words that are names though a sentence begins with them.
    """
    found = _Sentence(sentence, names).phrases()
    kept = (phrase for phrase in found if len(phrase.text) >= (_LEAST_OF_A_NAME if phrase.named else _LEAST_CHARS))
    return list({phrase.text.lower(): phrase for phrase in kept}.values())


def is_heading(sentence: str) -> bool:
    """Whether it says nothing: it is short, and no word is a verb, or looks like one, or is a pronoun."""
    words = [word[0].lower() for word in words_of(sentence)]
    names_only = all(word in _IN_HEADINGS or not (word in STOP_WORDS or _separates(word)) for word in words)
    return len(words) < _LEAST_WORDS or (len(words) < _MOST_WORDS and names_only)


def names_within(sentence: str) -> list[str]:
    """Its words that have a capital for being names."""
    return [word[0] for word in words_of(sentence) if word[0][0].isupper() and not _begins(sentence, word)]


class _Sentence:
    """A sentence and its words; phrases are ranges of them, first and last included."""

    def __init__(self, text: str, names: Container[str]) -> None:
        self._text = text
        self._names = names
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
            if _separates(word) or (number == last and word in _DIRECTIONS):
                yield from self._trimmed(start, number - 1)
                start = number + 1
            elif number > start and self._words[number - 1][0][0].isdecimal() and _begins_name(word):
                yield from self._trimmed(start, number - 1)  # in 1945 Picardo entered
                start = number
        yield from self._trimmed(start, last)

    def _trimmed(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        """Without infinitives and participles at the ends, if anything is left."""
        if first and self._words[first - 1][0].lower() in _BEFORE_VERBS and self._words[first][0][0].islower():
            first += 1
        while first <= last and _is_doing(self._words[last][0]):
            last -= 1
        while first <= last and _is_doing(self._words[first][0]):
            first += 1
        while first < last and self._is_size(last):
            last -= 1
        if first <= last:
            yield first, last

    def _is_size(self, number: int) -> bool:
        """Whether the word is a unit, or a number before one: "a long fault of about 160 km"."""
        word = self._words[number][0]
        after = self._words[number + 1][0] if number + 1 < len(self._words) else ""
        counts = word[0].isdecimal() and not _YEAR.fullmatch(word)
        return word.lower() in _MEASURES or (counts and after.lower() in _MEASURES)

    def _is_thing(self, first: int, last: int) -> bool:
        """Whether the range names something, and neither measures nor is only said of something."""
        if first == last and self._is_predicate(first):
            return False
        plain = [word[0] for word in self._words[first : last + 1]]
        return self._is_named(first, last) or bool(_own_words(plain)) or bool(_YEAR.fullmatch(plain[-1]))

    def _is_predicate(self, number: int) -> bool:
        """Whether the word is said of something rather than names it: "it is unknown", "they were mostly large"."""
        word = self._words[number][0]
        before = [other[0] for other in self._words[max(0, number - 2) : number]]
        while before and before[-1].endswith("ly"):
            before.pop()
        return word[0].islower() and not word.endswith("s") and bool(before) and before[-1] in _BEING

    def _grown(self, number: int) -> Phrase:
        """The piece, or what it grows to in the fewest steps, to the right as long as it can.

        A description does not end before "of", nor within a pair of adjectives.
        """
        left = right = number
        phrase = self._phrase(left, right)
        while not phrase.alone:
            if self._joint(right):
                right += 1
            elif left and self._joint(left - 1):
                left -= 1
            else:
                break
            phrase = self._phrase(left, right)
        while not phrase.named and self._goes_on(right):
            right += 1
            phrase = self._phrase(left, right)
        return phrase if len(phrase.text.split()) <= _MOST_WORDS else self._phrase(number, number)

    def _joint(self, number: int) -> str | None:
        """The preposition that stands, maybe with an article, between the piece and the next one, and nothing else."""
        if number + 1 == len(self._pieces):
            return None
        last, first = self._pieces[number][1], self._pieces[number + 1][0]
        between = [word[0] for word in self._words[last + 1 : first]]
        gap = self._text[self._words[last].end() : self._words[first].start()]
        if gap.split() != between or not between or not _DETERMINERS.issuperset(between[1:]):
            return None
        return between[0] if between[0] in _CONNECTORS else None

    def _goes_on(self, number: int) -> bool:
        joint, (first, last) = self._joint(number), self._pieces[number]
        return joint == "of" or (joint == "and" and first == last)

    def _phrase(self, left: int, right: int) -> Phrase:
        words = self._words[self._pieces[left][0] : self._pieces[right][1] + 1]
        text = " ".join(self._text[words[0].start() : words[-1].end()].split())
        text = text.removesuffix("'s").removesuffix("’s")
        plain = [word[0] for word in words]
        named = self._is_named(self._pieces[left][0], self._pieces[right][1])
        described = len(_own_words(plain)) >= _ENOUGH_WORDS and _POSSESSIVES.isdisjoint(plain)
        return Phrase(text, named, named or described)

    def _is_named(self, first: int, last: int) -> bool:
        """Whether the range holds a name or a date."""
        words = self._words[first : last + 1]
        plain = [word[0] for word in words]
        dated = not _MONTHS.isdisjoint(plain) and any(word.isdecimal() for word in plain)
        return dated or any(map(self._is_name, words))

    def _is_name(self, word: re.Match[str]) -> bool:
        if word[0] in _MONTHS or _OF_A_COUNTRY.fullmatch(word[0]):
            return False
        if len(word[0]) < _LEAST_OF_A_NAME or _ROMAN.fullmatch(word[0]):
            return False
        return word[0][0].isupper() and (word[0] in self._names or not _begins(self._text, word))


def _own_words(words: Sequence[str]) -> list[str]:
    """Those that say what a thing is: no stop words, numbers or measures; not "old" after a number of years."""
    small = [word.lower() for word in words]
    if len(small) > 1 and small[-1] == "old" and small[-2] in _MEASURES:
        small.pop()
    return [word for word in small if word not in STOP_WORDS and not _measures(word)]


def _measures(word: str) -> bool:
    return len(word) == 1 or any(map(str.isdecimal, word)) or _MEASURES.issuperset(word.split("-"))


def _begins(sentence: str, word: re.Match[str]) -> bool:
    """Whether the word begins the sentence or a quotation, and so has a capital anyway."""
    return word.start() == 0 or sentence[word.start() - 1] in _QUOTATION_MARKS


def _separates(word: str) -> bool:
    if word.lower() in _SEPARATORS or word in _IRREGULAR or _CONTRACTED.fullmatch(word):
        return True
    return bool(_NAMELESS.fullmatch(word)) and word not in _NOUNS


def _begins_name(word: str) -> bool:
    return word[0].isupper() and word not in _MONTHS


def _is_doing(word: str) -> bool:
    return bool(_DOING.fullmatch(word)) and word not in _NOUNS
