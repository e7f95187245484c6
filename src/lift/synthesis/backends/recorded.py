"""Tasks that were recorded earlier: by `lift tasks`, or in a plain file without a header."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from lift.document import Document, Segment
from lift.errors import TaskFileError
from lift.jsonl import read_jsonl
from lift.recipe import Recipe
from lift.synthesis.backends.base import Backend
from lift.synthesis.parser import Pair
from lift.synthesis.prompts import Request, build_request
from lift.synthesis.usage import Usage
from lift.task_store import StoreIdentity, text_hash

__all__ = ["RecordedBackend"]


@dataclass(frozen=True)
class _Record:
    """The pairs about one stretch of a document.

    Attributes:
        start, end: offsets into the document's text.
        text_hash: of what stood there.
        pairs: about this stretch.
        wider: about several stretches, of which this is the last.
    """

    start: int
    end: int
    text_hash: str
    pairs: tuple[Pair, ...]
    wider: tuple[Pair, ...] = ()


class RecordedBackend(Backend):
    """Plays recorded pairs back.

    The recording brings its own segments. A record counts if the document has the same text at its
    offsets, up to white space; others (beyond the end of a shorter document, or of another version of the
    text) are skipped and counted. Only a recording of which nothing matches is refused.
    """

    replays = True

    def __init__(self, path: Path, records: list[_Record]) -> None:
        self.name = f"recorded:{path.name}"
        self._path = path
        self._records = records
        self._pairs: dict[int, tuple[Pair, ...]] = {}
        self._skipped = 0

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a store, or a header-less file: `{"start", "end", "text", "tasks": [{"question", "answer"}]}` a line.

        Raises:
            TaskFileError: the file is missing, malformed or empty; the message gives the line.
        """
        lines = list(read_jsonl(path))
        if not lines:
            raise TaskFileError(f"{path} is empty")
        if lines[0][1].get("record") == "header":
            return cls(path, _store_records(path, lines))
        records = [_plain_record(path, number, value) for number, value in lines]
        return cls(path, [record for record in records if record.pairs])

    def segments(self, document: Document, recipe: Recipe) -> list[Segment]:
        segments: list[Segment] = []
        self._pairs.clear()
        self._skipped = 0
        for record in self._records:
            piece = document.text[record.start : record.end]
            if not piece.strip() or text_hash(piece) != record.text_hash:
                self._skipped += 1
                continue
            start = record.start + len(piece) - len(piece.lstrip())
            segments.append(Segment(len(segments), start, start + len(piece.strip()), piece.strip()))
            self._pairs[start] = record.pairs[: recipe.tasks_per_segment] + record.wider
        if not segments:
            raise TaskFileError(
                f"{self._path} was recorded for another document: none of its {len(self._records)} records matches"
            )
        return segments

    def pairs_about(self, segment: Segment) -> tuple[Pair, ...]:
        """The recorded pairs of one of the `segments`."""
        return self._pairs[segment.start]

    def requests(self, document: Document, segments: Sequence[Segment], recipe: Recipe) -> Iterator[Request]:
        for segment in segments:
            yield replace(build_request(document, segment, recipe), count=len(self.pairs_about(segment)))

    def identity(self, document: Document, recipe: Recipe) -> StoreIdentity:
        knobs = {name: getattr(recipe, name) for name in ("tasks_per_segment", "quotes_per_segment")}
        content = hashlib.sha256(repr(self._records).encode()).hexdigest()[:12]
        return StoreIdentity(document.sha256, f"recorded-{content}", knobs)

    @contextlib.asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[AsyncIterator[str | Usage]]:
        yield self._pieces(request)

    async def _pieces(self, request: Request) -> AsyncIterator[str | Usage]:
        for pair in self.pairs_about(request.segments[0]):
            yield json.dumps(pair._asdict())

    def notes(self) -> dict[str, int]:
        return {"recorded segments that do not match the document": self._skipped} if self._skipped else {}


def _plain_record(path: Path, number: int, value: dict[str, Any]) -> _Record:
    try:
        start, end, text = value["start"], value["end"], value["text"]
        pairs = tuple(Pair(task["question"], task["answer"]) for task in value["tasks"])
    except (KeyError, TypeError) as error:
        raise TaskFileError(
            f'{path}:{number}: not {{"start", "end", "text", "tasks": [{{"question", "answer"}}]}} ({error!r})'
        ) from None
    if not (isinstance(start, int) and isinstance(end, int) and 0 <= start < end and isinstance(text, str)):
        raise TaskFileError(f"{path}:{number}: start and end are no offsets, or text is no text")
    if not all(isinstance(part, str) and part.strip() for pair in pairs for part in pair):
        raise TaskFileError(f"{path}:{number}: an empty question or answer")
    return _Record(start, end, text_hash(text), pairs)


def _store_records(path: Path, lines: list[tuple[int, dict[str, Any]]]) -> list[_Record]:
    header = lines[0][1]
    pairs: dict[int, list[Pair]] = {}
    wider: dict[int, list[Pair]] = {}
    current = 0
    try:
        for number, value in lines:
            current = number
            # Quotes are made anew, as many as the recipe asks for.
            if value["record"] == "task" and value.get("kind") != "quote":
                # A task about several segments is played back with the last of them.
                found = pairs if len(value["segments"]) == 1 else wider
                found.setdefault(max(value["segments"]), []).append(Pair(value["question"], value["answer"]))
        current = 1
        return [
            _Record(start, end, hashed, tuple(pairs.get(index, ())), tuple(wider.get(index, ())))
            for index, (start, end, hashed) in enumerate(header["segments"])
            if index in pairs or index in wider
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise TaskFileError(f"{path}:{current}: damaged record ({error!r})") from None
