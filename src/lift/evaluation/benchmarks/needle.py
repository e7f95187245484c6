"""Needles in a haystack: sentences that do not belong, at known places in a long text."""

from __future__ import annotations

import json
import tempfile
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lift.document import Document, read_document
from lift.errors import BenchmarkError
from lift.evaluation.benchmarks.base import Benchmark
from lift.evaluation.questions import Question, read_question
from lift.presets import PRESETS
from lift.recipe import Recipe
from lift.synthesis.backends.recorded import RecordedBackend

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

__all__ = ["DEPTHS", "LENGTHS", "Haystack", "Needle", "NeedleInAHaystack", "read_needles"]

DEPTHS: Final = (0, 20, 40, 60, 80, 100)
LENGTHS: Final = (1_000, 2_000, 4_000, 8_000, 16_000)
_TITLE: Final = "The collected papers"


@dataclass(frozen=True)
class Needle:
    """A sentence, questions about it, and tasks that a generator could have written about it."""

    name: str
    text: str
    questions: tuple[Question, ...]
    tasks: tuple[Mapping[str, str], ...]


@dataclass(frozen=True)
class Haystack:
    """Texts with recorded tasks, one after the other; each text is used once.

    Attributes:
        text: all of it.
        segments: start, end and recorded tasks of every segment, in order.
    """

    text: str
    segments: tuple[tuple[int, int, tuple[Mapping[str, str], ...]], ...]

    @classmethod
    def read(cls, sources: Sequence[tuple[Path, Path]]) -> Haystack:
        """Texts and their recorded tasks."""
        text, segments = "", []
        for path, recording in sources:
            document = read_document(path)
            backend = RecordedBackend.read(recording)
            offset = len(text)
            for segment in backend.segments(document, PRESETS["paper"]):
                tasks = tuple(pair._asdict() for pair in backend.pairs_about(segment))
                segments.append((offset + segment.start, offset + segment.end, tasks))
            text += document.text.rstrip() + "\n\n"
        return cls(text, tuple(segments))


def read_needles() -> list[Needle]:
    """The needles that come with lift: one fact, several facts, one that is asked for indirectly."""
    content = json.loads(files("lift.evaluation").joinpath("needles.json").read_text(encoding="utf-8"))
    return [_needle(value) for value in content]


@dataclass(frozen=True)
class _PlacedNeedle:
    """A needle in a document.

    Attributes:
        depth: per cent of the haystack's tokens before it, as asked for.
        start: offset of its text in the document.
    """

    needle: Needle
    depth: int
    start: int


class NeedleInAHaystack(Benchmark):
    """Needles at every depth of haystacks of every length.

    A document holds all needles, each at another depth where there are depths enough; as many documents as there are
    depths bring every needle to every depth once. So one training serves all needles, and none has the haystack to
    itself.

    Depth counts tokens: a needle stands after the segment whose end is nearest to that share of the haystack's
    tokens, so neither it nor a sentence of the haystack is cut.

    Args:
        haystack: longer than the longest length.
        tokenizer: counts tokens.
        lengths: of haystack and needles together, in tokens, rounded down to a whole segment.
        depths: per cent.
        haystack_tasks: whether the haystack's own recorded tasks are trained on as well. Without them (the paper's
            needle prompt writes none) every needle has documents of its own, as in the paper; training is then the
            same at every depth and length.

    Raises:
        BenchmarkError: the haystack is too short.
    """

    name = "needle"
    # Dozens of nearly the same document.
    measures_damage = False

    def __init__(
        self,
        haystack: Haystack,
        tokenizer: PreTrainedTokenizerBase,
        *,
        lengths: Sequence[int] = LENGTHS,
        depths: Sequence[int] = DEPTHS,
        needles: Sequence[Needle] | None = None,
        haystack_tasks: bool = True,
    ) -> None:
        self._haystack = haystack
        self._tokenizer = tokenizer
        self._needles = needles or read_needles()
        self._haystack_tasks = haystack_tasks
        self._cells = list(product(lengths, self._together(depths) if haystack_tasks else self._apart(depths)))
        if not haystack_tasks:
            self.name = "needle-alone"
        offsets = tokenizer(haystack.text, return_offsets_mapping=True, add_special_tokens=False)["offset_mapping"]
        self._token_starts = [start for start, _ in offsets]
        if max(lengths) > len(self._token_starts):
            raise BenchmarkError(
                f"the haystack has {len(self._token_starts)} tokens; add texts or leave lengths out "
                f"(the longest is {max(lengths)})"
            )
        self._known: dict[str, tuple[int, Sequence[_PlacedNeedle]]] = {}
        self._scratch = tempfile.TemporaryDirectory(prefix="lift-needle-")

    def _together(self, depths: Sequence[int]) -> list[list[tuple[Needle, int]]]:
        """All needles in every document, a depth further on in the next one."""
        return [
            [(needle, depths[(first + number) % len(depths)]) for number, needle in enumerate(self._needles)]
            for first in range(len(depths))
        ]

    def _apart(self, depths: Sequence[int]) -> list[list[tuple[Needle, int]]]:
        return [[(needle, depth)] for needle, depth in product(self._needles, depths)]

    def documents(self) -> Iterator[Document]:
        for length, needles in self._cells:
            document, placed = self._document(length, needles)
            self._known[document.sha256] = length, placed
            yield document

    def _document(self, length: int, needles: Sequence[tuple[Needle, int]]) -> tuple[Document, Sequence[_PlacedNeedle]]:
        """The haystack with needles at depths in it, and where they begin, in order."""
        room = length - sum(len(self._tokenizer(n.text, add_special_tokens=False)["input_ids"]) for n, _ in needles)
        ends = [0] + [end for _, end, _ in self._haystack.segments if self._tokens(end) <= room]
        tokens = self._tokens(ends[-1])
        placed: list[_PlacedNeedle] = []
        text, done = "", 0
        for needle, depth in sorted(needles, key=lambda pair: pair[1]):
            wanted = depth / 100 * tokens
            place = min(ends, key=lambda end: abs(self._tokens(end) - wanted))
            text = _joined(text, self._haystack.text[done:place])
            text, done = _joined(text, needle.text), place
            placed.append(_PlacedNeedle(needle, depth, len(text) - len(needle.text)))
        return Document.from_text(_joined(text, self._haystack.text[done : ends[-1]]), _TITLE), placed

    def questions(self, document: Document) -> Sequence[Question]:
        return [question for placed in self._known[document.sha256][1] for question in placed.needle.questions]

    def place(self, document: Document, question: Question) -> Mapping[str, float]:
        length, needles = self._known[document.sha256]
        (depth,) = (placed.depth for placed in needles if question in placed.needle.questions)
        return {"length": length, "depth": depth}

    def recipe(self, recipe: Recipe) -> Recipe:
        """With all of a needle's tasks in use."""
        most = max(len(needle.tasks) for needle in self._needles)
        return recipe.replace(tasks_per_segment=max(recipe.tasks_per_segment, most))

    def recording(self, document: Document) -> Path:
        """The needles' tasks at their places, and the haystack's around them."""
        _, needles = self._known[document.sha256]
        records: list[dict[str, Any]] = [
            _record(document, placed.start, placed.start + len(placed.needle.text), placed.needle.tasks)
            for placed in needles
        ]
        if self._haystack_tasks:
            searched = 0
            for start, end, tasks in self._haystack.segments:
                text = self._haystack.text[start:end]
                found = document.text.find(text, searched)
                if found < 0:
                    break  # beyond the end of this haystack
                records.append(_record(document, found, found + len(text), tasks))
                searched = found + len(text)
        records.sort(key=lambda record: record["start"])
        path = Path(self._scratch.name, f"{document.sha256[:16]}.jsonl")
        path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
        return path

    def _tokens(self, offset: int) -> int:
        """Tokens of the haystack before `offset`."""
        return bisect_left(self._token_starts, offset)


def _joined(before: str, after: str) -> str:
    """With a space between, where both have something to say."""
    return f"{before} {after.lstrip()}" if before and after.strip() else before or after


def _record(document: Document, start: int, end: int, tasks: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    return {"start": start, "end": end, "text": document.text[start:end], "tasks": list(tasks)}


def _needle(value: Mapping[str, Any]) -> Needle:
    name = value["name"]
    questions = tuple(
        read_question(number, {**question, "id": f"{name}-{number}", "kind": name})
        for number, question in enumerate(value["questions"], 1)
    )
    return Needle(name, value["text"], questions, tuple(value["tasks"]))
