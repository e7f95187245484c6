"""The append-only file that holds the tasks of a run while it goes on and after it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TextIO

from filelock import FileLock, Timeout

from lift.document import Document, Segment
from lift.errors import StoreLockedError, StoreMismatchError, TaskFileError
from lift.jsonl import read_jsonl
from lift.tasks import Task

__all__ = ["StoreIdentity", "TaskStore", "answered_requests", "text_hash", "told_of_texts"]

_FORMAT: Final = 1
# A power failure may cost what was answered in this time; a killed process loses nothing.
_SYNC_SECONDS: Final = 1.0


@dataclass(frozen=True)
class StoreIdentity:
    """What makes two stores interchangeable: the same document, asked about in the same way.

    Attributes:
        document: sha256 of the document's text.
        prompt: the prompt's version, or the hash of a recorded file.
        knobs: the recipe's knobs that shape segments and prompts.
    """

    document: str
    prompt: str
    knobs: Mapping[str, Any] = field(default_factory=dict)

    def differences(self, other: StoreIdentity) -> list[str]:
        """What differs, in words; `self` is what the store holds."""
        found = []
        if self.document != other.document:
            found.append("the document has another text")
        if self.prompt != other.prompt:
            found.append(f"the tasks come from {self.prompt}, not from {other.prompt}")
        for name in sorted({*self.knobs, *other.knobs}):
            before, now = self.knobs.get(name), other.knobs.get(name)
            if before != now:
                found.append(f"{name} was {before!r} and is now {now!r}")
        return found


class TaskStore:
    """The tasks of one document on disk: one JSON object a line, only ever appended to.

    The first line is a header (identity, title, segments); then `task`, `done` (a request is answered in
    full), `failed` (a request gave up; the next run asks it again) and, last, `end`: only a store that
    says so is complete. Every record is flushed before the call returns, so a task is in the file before it
    is trained on; the disk is waited for once a second. A torn last line, left by a crash, is cut off.

    Use it as a context manager; `open` takes a lock that keeps a second writer out.

    Attributes:
        segments: the document's segments, as first cut: on resume they win over a new cut.
        n_tasks: tasks that it holds.
        done: keys of the requests that are answered in full.
        failed: keys of the requests that gave up in this run, with the reason.
        complete: every request has ended and the store says so.
        torn: bytes of a torn last line that were cut off when the store was opened.
    """

    def __init__(self, path: Path, file: TextIO, lock: FileLock, segments: list[Segment]) -> None:
        self.path = path
        self._file = file
        self._synced = time.monotonic()
        self._lock = lock
        self.segments = segments
        self.n_tasks = 0
        self.done: set[str] = set()
        self.failed: dict[str, str] = {}
        self.complete = False
        self.torn = 0

    @classmethod
    def open(
        cls, path: str | os.PathLike[str], document: Document, identity: StoreIdentity, segments: Sequence[Segment]
    ) -> Self:
        """Open the store at `path` for writing: start it, or go on with what it holds.

        Raises:
            StoreLockedError: another process is writing it.
            StoreMismatchError: it belongs to another document or another prompt.
            TaskFileError: it is damaged; the message gives the line.
        """
        path = Path(path)
        lock = FileLock(path.with_name(f".{path.name}.lock"))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=0)
        except Timeout:
            raise StoreLockedError(
                f"another run is writing {path}; wait for it to end, or give another folder"
            ) from None
        except OSError as error:
            raise TaskFileError(f"cannot write {path}: {error.strerror}") from error
        try:
            torn = _cut_torn_line(path)
            if path.exists() and path.stat().st_size:
                store = cls._resume(path, lock, document, identity)
                store.torn = torn
                return store
            store = cls(path, path.open("a", encoding="utf-8"), lock, list(segments))
            store.torn = torn
            store._append(
                {
                    "record": "header",
                    "format": _FORMAT,
                    "title": document.title,
                    "identity": asdict(identity),
                    "segments": [[s.start, s.end, text_hash(s.text)] for s in segments],
                },
                sync=True,
            )
            return store
        except BaseException:
            lock.release()
            raise

    @classmethod
    def replace(
        cls,
        path: Path,
        document: Document,
        identity: StoreIdentity,
        segments: Sequence[Segment],
        requests: Mapping[str, tuple[int, ...]],
    ) -> Self:
        """Start the store at `path` anew; what it holds about requests that would be sent again is kept.

        So an edited document asks only for the segments whose prompt changed.

        Args:
            requests: the key of each request of the new store, and the indices of its segments.
        """
        scratch = path.with_name(f"{path.name}.new")
        scratch.unlink(missing_ok=True)
        with cls.open(scratch, document, identity, segments) as store:
            for record in _readable_records(path):
                match record:
                    case {"record": "task", "id": str(task_id)}:
                        about = requests.get(task_id.rpartition("-")[0])
                        if about is not None:
                            store.add(_task_of({**record, "segments": about}))
                    case {"record": "done", "request": str(request)} if request in requests:
                        store.mark_done(request)
        scratch.replace(path)
        return cls.open(path, document, identity, segments)

    @classmethod
    def _resume(cls, path: Path, lock: FileLock, document: Document, identity: StoreIdentity) -> Self:
        records = read_jsonl(path)
        line, header = next(records)
        if header.get("record") != "header":
            raise TaskFileError(f"{path}:{line}: no header; this is not a task store")
        if header.get("format") != _FORMAT:
            raise TaskFileError(f"{path}:{line}: format {header.get('format')!r}; this lift reads {_FORMAT}")
        try:
            stored = StoreIdentity(**header["identity"])
            spans = [(int(start), int(end)) for start, end, _ in header["segments"]]
        except (KeyError, TypeError, ValueError) as error:
            raise TaskFileError(f"{path}:{line}: damaged header ({error})") from None
        if reasons := stored.differences(identity):
            raise StoreMismatchError(
                f"{path} holds the tasks of another run: {'; '.join(reasons)}. "
                "Give another output folder, or --overwrite to start again"
            )
        segments = [Segment(i, start, end, document.text[start:end]) for i, (start, end) in enumerate(spans)]
        store = cls(path, path.open("a", encoding="utf-8"), lock, segments)
        for line, record in records:
            try:
                store._replay(record)
            except (KeyError, TypeError) as error:
                store._file.close()
                raise TaskFileError(f"{path}:{line}: damaged record ({error})") from None
        return store

    def _replay(self, record: Mapping[str, Any]) -> None:
        match record["record"]:
            case "task":
                _task_of(record)
                self.n_tasks += 1
            case "done":
                self.done.add(record["request"])
            case "end":
                self.complete = True
            case "failed":
                pass  # asked again by this run
            case other:
                raise KeyError(f"unknown record {other!r}")

    def read_tasks(self) -> Iterator[Task]:
        """The tasks that it holds now, in order of arrival, read from the file: they are never all in memory."""
        tasks = (_task_of(record) for _, record in read_jsonl(self.path) if record["record"] == "task")
        return islice(tasks, self.n_tasks)

    def add(self, task: Task) -> None:
        """Write one task."""
        self._append({"record": "task", **asdict(task)})
        self.n_tasks += 1

    def mark_done(self, request: str) -> None:
        """All tasks of `request` are in."""
        self._append({"record": "done", "request": request}, sync=True)
        self.done.add(request)

    def mark_failed(self, request: str, reason: str) -> None:
        """`request` gave up; tasks that it brought before stay."""
        self._append({"record": "failed", "request": request, "reason": reason}, sync=True)
        self.failed[request] = reason

    def mark_complete(self) -> None:
        """Every request is done: nothing is left to ask."""
        if not self.complete:
            self._append({"record": "end", "tasks": self.n_tasks}, sync=True)
            self.complete = True

    def _append(self, record: Mapping[str, Any], *, sync: bool = False) -> None:
        try:
            self._file.write(json.dumps(record, ensure_ascii=False) + "\n")
            self._file.flush()
            if sync and time.monotonic() - self._synced >= _SYNC_SECONDS:
                os.fsync(self._file.fileno())
                self._synced = time.monotonic()
        except OSError as error:
            raise TaskFileError(
                f"cannot write {self.path}: {error.strerror}. What was written before is kept"
            ) from error

    def close(self) -> None:
        """Close the file and let the next writer in; once more does nothing."""
        if self._file.closed:
            return
        with contextlib.suppress(OSError):  # a full disk: said by the write that failed
            os.fsync(self._file.fileno())
        with contextlib.suppress(OSError):
            self._file.close()
        self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _task_of(record: Mapping[str, Any]) -> Task:
    values = {key: value for key, value in record.items() if key != "record"}
    values["segments"] = tuple(values["segments"])
    return Task(**values)


def text_hash(text: str) -> str:
    """A short hash of `text` that ignores how white space is laid out."""
    return hashlib.sha256(" ".join(text.split()).encode()).hexdigest()[:16]


def answered_requests(path: Path) -> set[str]:
    """Keys of the requests that the store at `path`, if there is one, holds the whole answers of."""
    return {record["request"] for record in _readable_records(path) if record.get("record") == "done"}


def told_of_texts(path: Path) -> dict[str, list[str]]:
    """The questions of the store at `path`, if there is one, and their answers, by `text_hash` of what they are about.

    What is about several segments is told of each; outlines, which are about many, are left out.
    """
    hashes: dict[int, str] = {}
    told: dict[str, list[str]] = {}
    for record in _readable_records(path):
        match record:
            case {"record": "header", "segments": list(segments)}:
                hashes = {place: segment[-1] for place, segment in enumerate(segments)}
            case {"record": "task", "kind": "outline"}:
                pass
            case {"record": "task", "segments": list(places), "question": asked, "answer": said}:
                for place in places:
                    if place in hashes:
                        told.setdefault(hashes[place], []).append(f"{asked} {said}")
    return told


def _readable_records(path: Path) -> Iterator[dict[str, Any]]:
    """The records of a store that may be torn or missing."""
    if not path.exists():
        return
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            with contextlib.suppress(ValueError):
                value = json.loads(line)
                if isinstance(value, dict):
                    yield value


def _cut_torn_line(path: Path) -> int:
    """Cut off what follows the last line end (a record that a crash tore); its length in bytes."""
    if not path.exists():
        return 0
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        os.truncate(path, whole)
    return len(content) - whole
