"""What a question wants - a time, a count, a name - and whether its answer brings something of the kind."""

from __future__ import annotations

import re
from typing import Final

from lift.synthesis.checks import content_stems, stems
from lift.synthesis.english import CALENDAR, is_amount, may_name
from lift.synthesis.foci import words_of
from lift.synthesis.parser import Pair

__all__ = ["has_time_or_count", "has_what_is_wanted", "premise", "says_enough", "says_something"]

_FRONT: Final = r"(?:(?:at|by|during|for|from|in|into|near|of|on|since|to|under|until|with|within) )?"
_TIMES: Final = "centuries|century|dates?|days?|decades?|months?|periods?|seasons?|times?|years?"
_PLACES_AND_PEOPLE: Final = (
    "architect|author|building|cit(?:y|ies)|compan(?:y|ies)|countr(?:y|ies)|king|ministry|museum|newspaper|party|"
    "person|province|region|river|school|state|town|university|village"
)
_WHEN: Final = re.compile(rf"{_FRONT}(?:when\b|(?:what|which) (?:\w+ )?(?:{_TIMES})\b)", re.IGNORECASE)
_HOW_MANY: Final = re.compile(r"(?:\w+ )?how (?:far|high|large|long|many|much|often|old|tall|wide)\b", re.IGNORECASE)
_WHO: Final = re.compile(rf"{_FRONT}(?:who(?:m|se)?\b|(?:what|which) (?:{_PLACES_AND_PEOPLE})\b)", re.IGNORECASE)
_KIND: Final = re.compile(r"\b(?:what|which) \w+", re.IGNORECASE)
_TIME: Final = re.compile(
    r"\d|\b(?:after|afternoon|ago|autumn|before|beginning|century|daily|day|decade|during|earl(?:y|ier)|end|evening|"
    r"later?|midnight|month|morning|night|noon|on|once|spring|summer|then|time|today|until|week|when|while|winter|year)"
    r"s?\b",
    re.IGNORECASE,
)
_COUNT: Final = re.compile(r"\b(?:all|both|every|few|many|more|most|much|several|some)\b", re.IGNORECASE)
# In an answer.
_NEW_WORDS: Final = 2


def has_time_or_count(question: str, text: str) -> bool:
    """Whether `text` has a time if `question` asks when, a count if it asks how many. True for all other questions."""
    words = [word[0] for word in words_of(text)]
    if _WHEN.match(question):
        return bool(_TIME.search(text)) or not CALENDAR.isdisjoint(words)
    return not _HOW_MANY.match(question) or bool(_COUNT.search(text)) or any(map(_counts, words))


def has_what_is_wanted(question: str, text: str) -> bool:
    """Whether it does, and has a name that `question` lacks if that asks who."""
    named = not _WHO.match(question) or any(map(may_name, _new_words(question, text)))
    return named and has_time_or_count(question, text)


def premise(question: str) -> str:
    """What a question takes as given: all but the kind of thing that it asks for ("In which town ...")."""
    return _KIND.sub("", question)


def says_enough(pair: Pair) -> bool:
    """Whether the answer has two words that the question lacks, or a number; or else it teaches to echo questions."""
    new = set(content_stems(pair.answer)) - set(stems(pair.question))
    return len(new) >= _NEW_WORDS or any(char.isdigit() for word in new for char in word)


def says_something(pair: Pair) -> bool:
    """Whether it has as much, or a name or a number in words."""
    return says_enough(pair) or any(may_name(word) or _counts(word) for word in _new_words(*pair))


def _new_words(question: str, text: str) -> list[str]:
    """Those of the text that the question does not have, whatever their endings."""
    known = set(stems(question))
    return [word[0] for word in words_of(text) if not known.issuperset(stems(word[0]))]


def _counts(word: str) -> bool:
    """Whether the word is a number or measures; "a number of mills" counts none."""
    small = word.lower()
    return small != "number" and is_amount(small)
