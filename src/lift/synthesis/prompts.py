"""What the generator is asked. Changing a word here changes `PROMPT_VERSION` and every store's identity."""

from __future__ import annotations

import hashlib
import re
import zlib
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from lift.document import Document, Segment
from lift.recipe import Recipe

__all__ = ["PROMPT_VERSION", "Request", "build_request"]

_WORD_BEGINS: Final = re.compile(r"\s(?=\S)")
_HASHED_CHARS: Final = 24

_INSTRUCTIONS: Final = """\
You write question-answer pairs that teach a reader everything a text says. The reader will never see the \
text, only your pairs.

You get the title of a document, the text that precedes a segment, and the segment. Write pairs about what the \
SEGMENT says; use the preceding text only to understand it and to name people and things in full.

- Every question stands alone: it names the people, places, works and things that it is about. No pronoun \
without its name; never "the text", "the passage", "the segment", "the author says".
- Every answer is one short, complete sentence that repeats the subject, is true according to the text, and \
adds nothing to it.
- Cover every fact in the segment: names, numbers, dates, places, causes, purposes. Ask about the same fact in \
different words, and from the other end (who did X? what did Y do?).
- Write in the language of the segment.

Answer with a JSON object and nothing else:
{"pairs": [{"question": "...", "answer": "..."}, ...]}"""

_QUESTION: Final = """\
Title: {title}

Preceding text:
{preceding}

Segment:
{segment}

Write {count} question-answer pairs about the segment."""

PROMPT_VERSION: Final = "prompt-" + hashlib.sha256((_INSTRUCTIONS + _QUESTION).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Request:
    """What is asked about one segment.

    Attributes:
        segment: the segment.
        system, user: the two messages.
        count: pairs asked for.
        max_tokens: completion tokens allowed.
        temperature: sampling temperature.
    """

    segment: Segment
    system: str
    user: str
    count: int
    max_tokens: int
    temperature: float

    @cached_property
    def key(self) -> str:
        """Hash of all that is asked (prompt, window, segment): the same question has the same key."""
        return hashlib.sha256(f"{self.system}\0{self.user}".encode()).hexdigest()[:16]


def build_request(document: Document, segment: Segment, recipe: Recipe) -> Request:
    """The request for `segment`: instructions, the preceding text, the segment, how many pairs."""
    start = window_start(document.text, segment.start, recipe.window_chars)
    preceding = document.text[start : segment.start].strip() or "(the segment is the beginning)"
    return Request(
        segment=segment,
        system=_INSTRUCTIONS,
        user=_QUESTION.format(
            title=document.title, preceding=preceding, segment=segment.text, count=recipe.tasks_per_segment
        ),
        count=recipe.tasks_per_segment,
        max_tokens=recipe.generator_max_tokens,
        temperature=recipe.generator_temperature,
    )


def window_start(text: str, segment_start: int, window_chars: int) -> int:
    """Where the preceding text shown with a segment begins: at most `window_chars` before it, at least a quarter.

    Of the words in that range the window begins at the one whose text has the smallest hash. Neighbouring
    segments mostly choose the same one, so their requests share a long prefix and the server's prefix cache
    hits; and since the text alone decides, an edit moves only the windows that it lies in, which a grid of
    fixed offsets would not do.
    """
    if segment_start <= window_chars:
        return 0 if window_chars else segment_start
    earliest, latest = segment_start - window_chars, segment_start - window_chars // 4
    words = (earliest + match.end() for match in _WORD_BEGINS.finditer(text[earliest:latest]))
    return min(words, key=lambda start: zlib.crc32(text[start : start + _HASHED_CHARS].encode()), default=earliest)
