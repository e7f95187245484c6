"""Question-answer pairs out of a generator's streamed text, each as soon as its JSON object closes."""

from __future__ import annotations

import json
import re
from typing import Final, NamedTuple

__all__ = ["THOUGHTS_END", "Pair", "PairParser"]

# Around what a reasoning model thinks aloud.
_THOUGHTS_BEGIN: Final = "<think>"
THOUGHTS_END: Final = "</think>"
_STRUCTURE: Final = re.compile(r'[{}"]')
_STRING_END: Final = re.compile(r'(?<!\\)(?:\\\\)*"')


class Pair(NamedTuple):
    """A question and its answer, as the generator wrote them."""

    question: str
    answer: str


class PairParser:
    """Feed it text as it arrives; it hands back the pairs that closed.

    Reads an array of objects, an object that holds one, one object a line, with or without a code fence
    or words around it. What a reasoning model thinks aloud (`<think>`) is passed over.

    Attributes:
        rejected: objects that closed but hold no question and answer.
        thought: characters that were thought aloud.
        empty: the answer says in so many words that there are no pairs: `{"pairs": []}`.
    """

    def __init__(self) -> None:
        self._text = ""
        self._position = 0
        self._answering = False
        self._starts: list[int] = []
        self._had_child: list[bool] = []
        self.rejected = 0
        self.thought = 0
        self.empty = False

    def feed(self, text: str) -> list[Pair]:
        """Add a piece of the stream."""
        self._text += text
        if not self._answering and not self._skip_thoughts():
            return []
        pairs: list[Pair] = []
        while match := _STRUCTURE.search(self._text, self._position):
            mark, here = match[0], match.start()
            if mark == '"' and self._starts:
                end = _STRING_END.search(self._text, here + 1)
                if end is None:
                    self._position = here
                    break  # the string goes on in the next piece
                self._position = end.end()
                continue
            self._position = here + 1
            if mark == "{":
                self._starts.append(here)
                self._had_child.append(False)
            elif mark == "}" and self._starts:
                pair = self._closed(self._text[self._starts.pop() : here + 1], self._had_child.pop())
                if pair:
                    pairs.append(pair)
                if self._had_child:
                    self._had_child[-1] = True
        else:
            self._position = len(self._text)
        if not self._starts:
            self._text, self._position = self._text[self._position :], 0
        return pairs

    def _skip_thoughts(self) -> bool:
        """Cut the thoughts off that come before the answer; False until it is clear where that begins."""
        text = self._text.lstrip()
        if text.startswith(_THOUGHTS_BEGIN):
            thoughts, closed, text = text.partition(THOUGHTS_END)
            if not closed:
                return False
            self.thought = len(thoughts)
        elif _THOUGHTS_BEGIN.startswith(text):
            return False
        self._text = text
        self._answering = True
        return True

    def _closed(self, text: str, had_child: bool) -> Pair | None:
        try:
            value = json.loads(text, strict=False)
        except json.JSONDecodeError:
            value = None
        if isinstance(value, dict):
            question, answer = value.get("question"), value.get("answer")
            if isinstance(answer, int | float) and not isinstance(answer, bool):
                answer = str(answer)
            if isinstance(question, str) and isinstance(answer, str) and question.strip() and answer.strip():
                return Pair(" ".join(question.split()), answer.strip())
        if value == {"pairs": []}:
            self.empty = True
        elif not had_child:  # the object around the pairs is none itself
            self.rejected += 1
        return None
