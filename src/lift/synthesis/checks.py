"""Which pairs are worth training on: those that stand alone and say nothing that the text does not."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Final

from lift.synthesis.parser import Pair

__all__ = [
    "content_stems",
    "fault_of",
    "follows_text",
    "has_whole_names",
    "is_grounded",
    "known_share",
    "normalised",
    "stems",
    "strange_stems",
]

# Questions about a text that the reader will never see.
_POINTS_AT_TEXT: Final = re.compile(
    r"\b(?:(?:the|this|that) (?:passage|text|segment|excerpt|paragraph|sentence|preceding|above)"
    r"|according to the (?:author|article|document|section)"
    r"|mentioned (?:above|below|here)|the author (?:says?|states?|mentions?|writes?))\b",
    re.IGNORECASE,
)
_NUMBER: Final = re.compile(r"\d+(?:[.,]\d+)*")
# A capitalised word that does not begin a sentence.
_NAME: Final = re.compile(r"(?<=[\w,;)’'] )[A-ZÀ-ÖØ-Þ][\w’'-]*[\w]")
_STEM: Final = 4
# The same wherever it stands, for `is_grounded`; a word that any question may begin with is no name.
# "13th" and "1950s" are whole.
_NAME_OR_NUMBER: Final = re.compile(r"[A-ZÀ-ÖØ-Þ][\w’'-]*|\d[\w.,]*")
# "Anna's" leaves an "s".
_NO_NAMES: Final = frozenset(
    "a about according after among an and are as at because before besides between by can could did do does during for "
    "from had has have he her his how if in into is it its many most much name no not of on one only or over s she "
    "should since some than that the their then there they this those through to under until upon was were what when "
    "where which while who whom whose why will with would yes".split()
)
# Two such words or more, with small ones between them in Romance and Germanic names.
_WHOLE_NAME: Final = re.compile(r"[A-ZÀ-ÖØ-Þ][\w-]*(?: (?:(?:de|la|del|y|von|van) )*[A-ZÀ-ÖØ-Þ][\w-]*)+")
_ALPHANUMERIC: Final = re.compile(r"[^\W_]+")
_LONG_STEM: Final = 5
# Shares of a pair's words that one sentence has, and of an answer's words that stand in a row there.
_OF_ONE_SENTENCE: Final = 0.8
_IN_A_ROW: Final = 0.4


def normalised(text: str) -> str:
    """Letters and digits in lower case, one space between words: equal for duplicates."""
    return " ".join(_ALPHANUMERIC.findall(text.lower()))


def fault_of(pair: Pair, source: str, own: str) -> str | None:
    """Why `pair` should not be trained on; None if it is fine.

    Args:
        pair: what the generator wrote.
        source: all that it was shown: title, preceding text, segment, and the prompt's own words around them.
        own: the segment's text alone; where that speaks of a text, so may the question.
    """
    if _POINTS_AT_TEXT.search(pair.question) and not _POINTS_AT_TEXT.search(own):
        return "does not stand alone"
    # What the question says is not the answer's invention.
    known = _plain(f"{source} {pair.question}")
    digits = {match.replace(",", "").replace(".", "") for match in _NUMBER.findall(known)}
    for number in _NUMBER.findall(pair.answer):
        # Small numbers are counted or spelled out in the text.
        if len(number) > 1 and number.replace(",", "").replace(".", "") not in digits and int_of(number) > 12:
            return "a number that the text does not have"
    words = {word[:_STEM] for word in normalised(known).split()}
    for name in _NAME.findall(pair.answer):
        if any(part[:_STEM] not in words for part in normalised(_plain(name)).split() if len(part) > 1):
            return "a name that the text does not have"
    return None


def stems(text: str) -> list[str]:
    """The words of `text` in lower case, without accents and endings."""
    return [word[:_LONG_STEM] for word in normalised(_plain(text)).split()]


def known_share(text: str, source: str) -> float:
    """The share of the words of `text`, apart from the commonest, that `source` has, whatever their endings."""
    words = content_stems(text)
    return 1 - len(strange_stems(text, source)) / len(words) if words else 1.0


def strange_stems(text: str, source: str) -> list[str]:
    """The stems of `text`, apart from the commonest words, that `source` does not have."""
    known = set(stems(source))
    return [word for word in content_stems(text) if word not in known]


def is_grounded(pair: Pair, source: str) -> bool:
    """Whether every name and number in the question and in the answer occurs in `source`.

    Stricter than `fault_of`, for generators that invent freely: theirs are the only words that count.
    """
    words = normalised(_plain(source)).split()
    known, stems = set(words), {word[:_LONG_STEM] for word in words}
    for match in _NAME_OR_NUMBER.findall(f"{pair.question} {pair.answer}"):
        for part in normalised(_plain(match)).split():
            exact = any(char.isdigit() for char in part)
            if len(part) > 1 and part not in _NO_NAMES and not (part in known if exact else part[:_LONG_STEM] in stems):
                return False
    return True


def has_whole_names(text: str, source: str) -> bool:
    """Whether every name of several words in `text` stands in `source` as it is.

    A small model puts parts of two together, each of which the source has.
    """
    known = f" {normalised(_plain(source))} "
    for match in _WHOLE_NAME.finditer(text):
        # A sentence's first word has a capital anyway.
        name = match[0] if match.start() else match[0].partition(" ")[2]
        if f" {normalised(_plain(name))} " not in known:
            return False
    return True


def follows_text(pair: Pair, sentences: Sequence[str], about: str) -> bool:
    """Whether one of the sentences says what the pair says, much in the answer's words.

    A small model that puts several sentences together, or tells in its own words, mostly gets it wrong. It may name
    what the sentences are about: words of that do not count.
    """
    said = {*content_stems(pair.question), *content_stems(pair.answer)}.difference(content_stems(about))
    words = stems(pair.answer)
    for sentence in sentences:
        row = SequenceMatcher(None, words, stems(sentence), autojunk=False).find_longest_match().size
        shared = said.intersection(content_stems(sentence))
        if len(shared) >= _OF_ONE_SENTENCE * len(said) and row >= _IN_A_ROW * len(words):
            return True
    return False


def content_stems(text: str) -> list[str]:
    """The stems of `text`, apart from the commonest words."""
    return [word[:_LONG_STEM] for word in normalised(_plain(text)).split() if word not in _NO_NAMES]


def int_of(number: str) -> int:
    return int(re.sub(r"\D", "", number))


def _plain(text: str) -> str:
    """Without accents: generators leave them out."""
    return "".join(char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))
