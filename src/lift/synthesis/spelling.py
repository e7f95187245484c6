"""Names as a text spells them: a small model gets letters of the long ones wrong."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import Final

__all__ = ["respelled"]

# Shorter ones are like too many others.
_NAME: Final = re.compile(r"\b[A-ZÀ-ÖØ-Þ][\w-]{3,}\w")
_WORD: Final = re.compile(r"\w[\w-]*\w")
_ALIKE: Final = 0.8


def respelled(text: str, source: str) -> str:
    """`text` with the names that `source` does not have replaced by those that are nearly the same there, if any.

    Its first word stays: every sentence begins with a capital.
    """
    words = set(_WORD.findall(source))
    known = {word.lower() for word in words}
    names = sorted(filter(_NAME.fullmatch, words))

    def spelled(match: re.Match[str]) -> str:
        word = match[0]
        if match.start() == 0 or word.lower() in known:
            return word
        # "Russian" is no misspelling of "Russia".
        if any(name.startswith(word) or word.startswith(name) for name in names):
            return word
        return next(iter(get_close_matches(word, names, 1, _ALIKE)), word)

    return _NAME.sub(spelled, text)
