"""What the generator is asked. Changing a word here changes `PROMPT_VERSION` and every store's identity."""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

from lift.document import Document, Segment
from lift.recipe import Recipe

__all__ = ["PROMPT_VERSION", "Request", "TaskKind", "build_request", "group_request", "outline_request"]

TaskKind = Literal["segment", "needle", "group", "outline"]

_WORD_BEGINS: Final = re.compile(r"\s(?=\S)")
_HASHED_CHARS: Final = 24

_RULES: Final = """\
- Every question stands alone: it names the people, places, works and things that it is about. No pronoun \
without its name; never "the text", "the passage", "the segment", "the author says".
- Every answer is one short, complete sentence that repeats the subject, is true according to the text, and \
adds nothing to it."""

_FORMAT: Final = """\
- Write in the language of the text.

Answer with a JSON object and nothing else:
{"pairs": [{"question": "...", "answer": "..."}, ...]}"""

_SEGMENT_INSTRUCTIONS: Final = f"""\
You write question-answer pairs that teach a reader everything a text says. The reader will never see the \
text, only your pairs.

You get the title of a document, the text that precedes a segment, and the segment. Write pairs about what the \
SEGMENT says; use the preceding text only to understand it and to name people and things in full.

{_RULES}
- Cover every fact in the segment: names, numbers, dates, places, causes, purposes. Ask about the same fact in \
different words, and from the other end (who did X? what did Y do?).
{_FORMAT}"""

# The paper's needle-in-a-haystack variant (appendix): haystack alone teaches nothing.
_NEEDLE_INSTRUCTIONS: Final = f"""\
You look for statements that do not belong where they stand, and write question-answer pairs that teach a reader \
what they say. The reader will never see the text, only your pairs.

You get the title of a document, the text that precedes a segment, and the segment. Decide first whether the SEGMENT \
fits its surroundings. If it fits, there is nothing to teach: answer {{"pairs": []}}. If it is out of place, write \
pairs about what it says.

{_RULES}
- Ask about the same fact in different words, and from the other end (who did X? what did Y do?).
{_FORMAT}"""

_GROUP_INSTRUCTIONS: Final = f"""\
You write question-answer pairs that teach a reader what only several places of a document say together. The \
reader will never see the document, only your pairs.

You get the title of a document and excerpts from different places of it, in their order, each with a number. \
Write pairs whose answer needs at least two of the excerpts: several facts about one person or thing at once; a \
comparison; a count, a sum or a span of time worked out from given numbers; what came first and what followed; \
a cause in one place and its effect in another.

{_RULES}
- Do not mention the excerpts or their numbers.
{_FORMAT}"""

_OUTLINE_INSTRUCTIONS: Final = f"""\
You write question-answer pairs that teach a reader how a document is built. The reader will never see the \
document, only your pairs.

You get the title of a document and how the passages of one part of it begin, in their order. Write pairs about the \
whole of that part: which subjects it treats and in which order, what happens before and after what, which \
people, places and works it connects, what it adds up to.

{_RULES}
- Do not ask for what a single passage says, and do not mention passages or their numbers.
{_FORMAT}"""

_SEGMENT_QUESTION: Final = """\
Title: {title}

Preceding text:
{preceding}

Segment:
{segment}

Write {count} question-answer pairs about the segment."""

_NEEDLE_QUESTION: Final = """\
Title: {title}

Preceding text:
{preceding}

Segment:
{segment}

If the segment fits its surroundings, answer {{"pairs": []}}; else write {count} question-answer pairs about it."""

_GROUP_QUESTION: Final = """\
Title: {title}

{excerpts}

Write {count} question-answer pairs that need several of the excerpts."""

_OUTLINE_QUESTION: Final = """\
Title: {title}

Beginnings of passages {first} to {last} of {total}:
{excerpts}

Write {count} question-answer pairs about this part as a whole."""

PROMPT_VERSION: Final = (
    "prompt-"
    + hashlib.sha256(
        "\0".join(
            [
                _SEGMENT_INSTRUCTIONS, _SEGMENT_QUESTION, _NEEDLE_INSTRUCTIONS, _NEEDLE_QUESTION,
                _GROUP_INSTRUCTIONS, _GROUP_QUESTION, _OUTLINE_INSTRUCTIONS, _OUTLINE_QUESTION,
            ]
        ).encode()
    ).hexdigest()[:12]
)  # fmt: skip


@dataclass(frozen=True)
class Request:
    """What is asked of the generator at once.

    Attributes:
        segments: the segments that the pairs will be about; one, or a group.
        kind: the kind of the tasks that come of it.
        system, user: the two messages.
        count: pairs asked for.
        max_tokens: completion tokens allowed.
        temperature: sampling temperature.
        may_be_empty: no pair at all is an answer.
    """

    segments: tuple[Segment, ...]
    kind: TaskKind
    system: str
    user: str
    count: int
    max_tokens: int
    temperature: float
    may_be_empty: bool = False

    @cached_property
    def key(self) -> str:
        """Hash of all that is asked (prompt, window, segment): the same question has the same key."""
        return hashlib.sha256(f"{self.system}\0{self.user}".encode()).hexdigest()[:16]


def build_request(document: Document, segment: Segment, recipe: Recipe) -> Request:
    """The request about one segment: instructions, the preceding text, the segment, how many pairs."""
    start = window_start(document.text, segment.start, recipe.window_chars)
    preceding = document.text[start : segment.start].strip() or "(the segment is the beginning)"
    needle = recipe.ask_about == "needles"
    question = _NEEDLE_QUESTION if needle else _SEGMENT_QUESTION
    return _request(
        (segment,),
        "needle" if needle else "segment",
        _NEEDLE_INSTRUCTIONS if needle else _SEGMENT_INSTRUCTIONS,
        question.format(
            title=document.title, preceding=preceding, segment=segment.text, count=recipe.tasks_per_segment
        ),
        recipe,
    )


def group_request(document: Document, segments: Sequence[Segment], recipe: Recipe) -> Request:
    """The request about related segments from different places, in the document's order."""
    excerpts = "\n\n".join(f"Excerpt {number}:\n{segment.text}" for number, segment in enumerate(segments, 1))
    user = _GROUP_QUESTION.format(title=document.title, excerpts=excerpts, count=recipe.tasks_per_segment)
    return _request(segments, "group", _GROUP_INSTRUCTIONS, user, recipe)


def outline_request(
    document: Document, segments: Sequence[Segment], beginnings: Sequence[str], total: int, recipe: Recipe
) -> Request:
    """The request about a part of the document as a whole.

    Args:
        segments: all segments of the part, in order.
        beginnings: how each of them begins.
        total: segments of the whole document.
    """
    user = _OUTLINE_QUESTION.format(
        title=document.title,
        first=segments[0].index + 1,
        last=segments[-1].index + 1,
        total=total,
        excerpts="\n".join(f"- {beginning}" for beginning in beginnings),
        count=recipe.tasks_per_segment,
    )
    return _request(segments, "outline", _OUTLINE_INSTRUCTIONS, user, recipe)


def _request(segments: Sequence[Segment], kind: TaskKind, system: str, user: str, recipe: Recipe) -> Request:
    return Request(
        segments=tuple(segments),
        kind=kind,
        system=system,
        user=user,
        count=recipe.tasks_per_segment,
        max_tokens=recipe.generator_max_tokens,
        temperature=recipe.generator_temperature,
        may_be_empty=kind == "needle",
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
