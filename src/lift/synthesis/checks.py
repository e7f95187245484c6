"""Which pairs are worth training on: those that stand alone and say nothing that the text does not."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from lift.synthesis.parser import Pair

__all__ = ["fault_of", "normalised"]

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


def normalised(text: str) -> str:
    """Letters and digits in lower case, one space between words: equal for duplicates."""
    return " ".join("".join(char.lower() if char.isalnum() else " " for char in text).split())


def fault_of(pair: Pair, source: str) -> str | None:
    """Why `pair` should not be trained on; None if it is fine.

    Args:
        pair: what the generator wrote.
        source: all that it was shown: title, preceding text, segment.
    """
    if _POINTS_AT_TEXT.search(pair.question) and not _POINTS_AT_TEXT.search(source):
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


def int_of(number: str) -> int:
    return int(re.sub(r"\D", "", number))


def _plain(text: str) -> str:
    """Without accents: generators leave them out."""
    return "".join(char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))
