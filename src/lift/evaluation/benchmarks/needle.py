"""A needle in a haystack: a sentence that does not belong, at a known place in a long text."""

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
from lift.recipe import PRESETS, Recipe
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


class NeedleInAHaystack(Benchmark):
    """Every needle at every depth of haystacks of every length.

    Depth counts tokens: the needle stands after the segment whose end is nearest to that share of the haystack's
    tokens, so neither it nor a sentence of the haystack is cut.

    Args:
        haystack: longer than the longest length.
        tokenizer: counts tokens.
        lengths: of haystack and needle together, in tokens, rounded down to a whole segment.
        depths: per cent.
        haystack_tasks: whether the haystack's own recorded tasks are trained on as well. Without them (the paper's
            needle prompt writes none) training is the same at every depth and length.

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
        self._cells = list(product(lengths, needles or read_needles(), depths))
        self._haystack_tasks = haystack_tasks
        if not haystack_tasks:
            self.name = "needle-alone"
        offsets = tokenizer(haystack.text, return_offsets_mapping=True, add_special_tokens=False)["offset_mapping"]
        self._token_starts = [start for start, _ in offsets]
        if max(lengths) > len(self._token_starts):
            raise BenchmarkError(
                f"the haystack has {len(self._token_starts)} tokens; add texts or leave lengths out "
                f"(the longest is {max(lengths)})"
            )
        self._known: dict[str, tuple[int, Needle, int, int]] = {}
        self._scratch = tempfile.TemporaryDirectory(prefix="lift-needle-")

    def documents(self) -> Iterator[Document]:
        for length, needle, depth in self._cells:
            document, place = self.document(length, needle, depth)
            self._known[document.sha256] = (length, needle, depth, place)
            yield document

    def document(self, length: int, needle: Needle, depth: int) -> tuple[Document, int]:
        """The haystack with the needle in it, and the offset at which that begins."""
        room = length - len(self._tokenizer(needle.text, add_special_tokens=False)["input_ids"])
        ends = [0] + [end for _, end, _ in self._haystack.segments if self._tokens(end) <= room]
        wanted = depth / 100 * self._tokens(ends[-1])
        place = min(ends, key=lambda end: abs(self._tokens(end) - wanted))
        before, after = self._haystack.text[:place], self._haystack.text[place : ends[-1]]
        lead = f"{before} " if before else ""
        tail = f" {after.lstrip()}" if after.strip() else ""
        return Document.from_text(f"{lead}{needle.text}{tail}", _TITLE), len(lead)

    def questions(self, document: Document) -> Sequence[Question]:
        return self._known[document.sha256][1].questions

    def place(self, document: Document) -> Mapping[str, float]:
        length, _, depth, _ = self._known[document.sha256]
        return {"length": length, "depth": depth}

    def recipe(self, recipe: Recipe) -> Recipe:
        """With all of a needle's tasks in use."""
        most = max(len(needle.tasks) for _, needle, _ in self._cells)
        return recipe.replace(tasks_per_segment=max(recipe.tasks_per_segment, most))

    def recording(self, document: Document) -> Path:
        """The needle's tasks at its place, and the haystack's around it."""
        _, needle, _, place = self._known[document.sha256]
        records: list[dict[str, Any]] = [_record(document, place, place + len(needle.text), needle.tasks)]
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


def _record(document: Document, start: int, end: int, tasks: Sequence[Mapping[str, str]]) -> dict[str, Any]:
    return {"start": start, "end": end, "text": document.text[start:end], "tasks": list(tasks)}


def _needle(value: Mapping[str, Any]) -> Needle:
    name = value["name"]
    questions = tuple(
        read_question(number, {**question, "id": f"{name}-{number}", "kind": name})
        for number, question in enumerate(value["questions"], 1)
    )
    return Needle(name, value["text"], questions, tuple(value["tasks"]))
