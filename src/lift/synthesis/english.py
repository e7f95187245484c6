"""What single English words are, by lists and endings: enough to find phrases without a tagger."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from lift.synthesis.foci import STOP_WORDS

__all__ = [
    "ADJECTIVES",
    "BEFORE_VERBS",
    "BEING",
    "CALENDAR",
    "CONNECTORS",
    "DEMONSTRATIVES",
    "DETERMINERS",
    "DIRECTIONS",
    "LEAST_OF_A_NAME",
    "POSSESSIVES",
    "RELATIVES",
    "WITHIN_PREPOSITIONS",
    "begins_name",
    "is_amount",
    "is_doing",
    "is_measure",
    "is_year",
    "may_name",
    "own_words",
    "separates",
]

CONNECTORS: Final = frozenset("of in for on at from with between by into over under against among near and".split())
POSSESSIVES: Final = frozenset("his her its their".split())
# What they stand before was spoken of before.
DEMONSTRATIVES: Final = frozenset("this these those such".split())
DETERMINERS: Final = POSSESSIVES | DEMONSTRATIVES | frozenset("the a an".split())
# At a phrase's end something is missing after these: "restorations of old, monumental buildings".
ADJECTIVES: Final = frozenset("big great high large long low new old short small wide young".split())
_COUNTS: Final = frozenset(
    "two three four five six seven eight nine ten dozen hundred hundreds thousand thousands million millions billion "
    "billions".split()
)
# Counts and adverbs, within which no phrase goes on.
_SEPARATORS: Final = _COUNTS | frozenset(
    "several various numerous certain further later earlier next previous recent former latter dozens instead "
    "still already even soon yet always sometimes often today whole entire throughout beyond back behind despite amid "
    "time part cannot nearby elsewhere away apart ahead alone together again abroad across due thanks using whereas "
    "least others thing things something anything everything nothing someone anyone everyone".split()
)
# "it's", "you're", "don't"; not "Anna's".
_CONTRACTED: Final = re.compile(
    r"(?i)(?:\w+(?:n['’]t|['’](?:re|ve|ll|d|m))|(?:it|that|what|there|here|who|he|she|let)['’]s)"
)
# At the end of a phrase: "runs north of the river", "moved northwards".
DIRECTIONS: Final = frozenset(
    side + ending
    for side in ("north", "south", "east", "west", "northeast", "northwest", "southeast", "southwest")
    for ending in ("", "ward", "wards")
)
# Words that measure: a phrase of nothing else is a time or a size, not a thing.
_MEASURES: Final = _COUNTS | frozenset(
    "second seconds minute minutes hour hours day days week weeks month months year years decade decades century "
    "centuries am pm a.m p.m age ago inch inches foot feet mile miles metre metres meter meters kilometre "
    "kilometres kilometer kilometers km km² m² percent cent half one eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety number times first third last "
    "early late mid ton tons tonne tonnes kg kilogram kilograms morning afternoon evening night weekend".split()
)
_ROMAN: Final = re.compile(r"[IVXLC]{2,}")
_YEAR: Final = re.compile(r"(?:1\d{3}|20\d{2})s?")
BEING: Final = frozenset("be is are was were been being".split())
# Between prepositions, as in "in favour of", these name nothing.
WITHIN_PREPOSITIONS: Final = frozenset(
    "accordance addition case company connection favor favour front honor honour light line memory need order place "
    "response search spite support terms view".split()
)
# What follows these is a verb; what follows relatives may be one.
RELATIVES: Final = frozenset(("that", "which"))
BEFORE_VERBS: Final = frozenset(
    "to can could would will shall should must may might not never i you he she it we they who".split()
)
# Most words that end like this are verbs and adverbs, which name nothing.
_NAMELESS: Final = re.compile(r"(?:[A-Z][a-z]+-)?[a-z-]{2,}(?:ed|ly)")
# The end of a sentence and the beginning of another, without a space between them.
_GLUED: Final = re.compile(r".*[a-z]{2}\.[A-Z].*")
_DOING: Final = re.compile(r"[a-z]{2,}ing")
_IRREGULAR: Final = frozenset(
    "became become began begun born bought brought built came caught chose chosen come drawn drew driven drove "
    "fallen fell felt forgot forgotten fought found gave given gone got grew grown heard held hit kept knew known "
    "laid led left lent lost meant met paid put ran risen rose sat saw seen sent set shot showed shown sold "
    "read sought spent spoke spoken stood struck taken taught told took went won wore worn written wrote "
    "become becomes begin begins believe believes bring brings comes continue continues contain contains include "
    "get gets give gives go goes includes know knows occur occurs provide provides remain require requires run runs "
    "seem seems suggest suggests say says take takes".split()
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
CALENDAR: Final = frozenset(
    "January February March April May June July August September October November December Jan Feb Mar Apr Jun Jul Aug "
    "Sep Sept Oct Nov Dec Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
)
# What has a capital before a name or a number, or in a program, and names nothing by itself.
_ABBREVIATED: Final = frozenset(
    "App Dr Eq Eqs False Fig Figs GMT Mr Mrs Ms None Prof Ref Refs Sec Secs St Tab True".split()
)
# Characters.
LEAST_OF_A_NAME: Final = 2


def separates(word: str) -> bool:
    """Whether no phrase goes on over the word: a count, an adverb, a verb, what looks like one, or two words in one."""
    if word.lower() in _SEPARATORS or word in _IRREGULAR or _CONTRACTED.fullmatch(word) or _GLUED.fullmatch(word):
        return True
    return bool(_NAMELESS.fullmatch(word)) and word not in _NOUNS


def begins_name(word: str) -> bool:
    """Whether a name may begin with the word after a number."""
    return word[0].isupper() and word not in CALENDAR


def is_doing(word: str) -> bool:
    """Whether the word is a participle: it ends in -ing and is no noun."""
    return bool(_DOING.fullmatch(word)) and word not in _NOUNS


def own_words(words: Sequence[str]) -> list[str]:
    """Those that say what a thing is: no stop words, numbers or measures; not "old" after a number of years."""
    small = [word.lower() for word in words if word not in CALENDAR]
    if len(small) > 1 and small[-1] == "old" and small[-2] in _MEASURES:
        small.pop()
    return [word for word in small if word not in STOP_WORDS and not is_measure(word)]


def is_measure(word: str) -> bool:
    """Whether the word is a number, a unit, or a single letter."""
    return len(word) == 1 or any(map(str.isdecimal, word)) or _MEASURES.issuperset(word.lower().split("-"))


def is_amount(word: str) -> bool:
    """Whether the word is a number, or a measure in lower case; no single letter, as in "Información y Turismo"."""
    return word[0].isdecimal() or (word[0].islower() and len(word) > 1 and is_measure(word))


def is_year(word: str) -> bool:
    """Whether the word is a year or a decade: "1912", "1950s"."""
    return bool(_YEAR.fullmatch(word))


def may_name(word: str) -> bool:
    """Whether its capital may be a name's: no month or weekday, "Japanese", "XII", "M" or "Fig"."""
    no_name = word in CALENDAR or word in _ABBREVIATED or _OF_A_COUNTRY.fullmatch(word) or _ROMAN.fullmatch(word)
    return len(word) >= LEAST_OF_A_NAME and word[0].isupper() and not no_name
