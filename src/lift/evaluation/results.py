"""Results on disk: a JSONL record a question and a record a run, appended, so that a stopped evaluation goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from filelock import FileLock, Timeout

from lift.errors import BenchmarkError, StoreLockedError

__all__ = ["Answer", "Cell", "Results", "Run", "read_answers", "read_runs"]

_ANSWERS_FILE: Final = "answers.jsonl"
_RUNS_FILE: Final = "runs.jsonl"


@dataclass(frozen=True)
class Cell:
    """One run of one method on one document; what results are keyed by.

    Attributes:
        benchmark, method: their names, the method's knobs included.
        document: hash of the text (16 digits).
        model: the base model's id.
        recipe: hash of the knobs, without the seed.
        seed: of the recipe; 0 for methods that train nothing.
    """

    benchmark: str
    document: str
    method: str
    model: str
    recipe: str
    seed: int


@dataclass(frozen=True)
class Answer:
    """An answer and its score.

    Attributes:
        score: from 0 to 1; None where there is an error.
        error: why there is no score: a judge that failed, an answer that could not be decoded.
        place: where the question lies in the benchmark's grid.
    """

    cell: Cell
    title: str
    question_id: str
    question: str
    reference: str
    kind: str
    metric: str
    answer: str
    score: float | None
    error: str | None = None
    place: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """What a cell cost, and what else was measured.

    Attributes:
        costs: tasks, steps, tokens, seconds of training and generation, by name.
        prepare_seconds, answer_seconds: until the first answer could begin; for all answers.
        damage: what the model forgot (`measure_damage`).
        speed: seconds of one answer (`measure_answering`).
        document_tokens: how long the document is for this model.
    """

    cell: Cell
    title: str
    costs: Mapping[str, Any]
    prepare_seconds: float
    answer_seconds: float
    damage: Mapping[str, float] = field(default_factory=dict)
    speed: Mapping[str, float] = field(default_factory=dict)
    document_tokens: int | None = None


class Results:
    """The results in a folder, opened by one process at a time.

    Raises:
        StoreLockedError: another evaluation writes there.
        BenchmarkError: it is no folder, or a file there is damaged; the message gives the line.
    """

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BenchmarkError(f"cannot write results to {folder}: {error.strerror}; give a folder") from None
        self.folder = folder
        self._lock = FileLock(folder / "results.lock")
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise StoreLockedError(f"another evaluation is writing to {folder}") from None
        for name in (_ANSWERS_FILE, _RUNS_FILE):
            _cut_unfinished_line(folder / name)
        self._answered: dict[Cell, set[str]] = {}
        self._unscored: dict[tuple[Cell, str], str] = {}
        for answer in read_answers(folder):
            self._remember(answer)
        self._ran = {run.cell for run in read_runs(folder)}

    def answered(self, cell: Cell) -> set[str]:
        """The questions of `cell` that have a score; errors do not count."""
        return self._answered.get(cell, set())

    def unscored(self, cell: Cell, question_id: str) -> str | None:
        """An answer that is there and has no score yet: its judge failed."""
        return None if question_id in self.answered(cell) else self._unscored.get((cell, question_id))

    def has_run(self, cell: Cell) -> bool:
        """Whether the run of `cell` is on record."""
        return cell in self._ran

    def add_answer(self, answer: Answer) -> None:
        self._append(_ANSWERS_FILE, asdict(answer))
        self._remember(answer)

    def _remember(self, answer: Answer) -> None:
        if answer.error is None:
            self._answered.setdefault(answer.cell, set()).add(answer.question_id)
        elif answer.answer:
            self._unscored[answer.cell, answer.question_id] = answer.answer

    def add_run(self, run: Run) -> None:
        self._append(_RUNS_FILE, asdict(run))
        self._ran.add(run.cell)

    def close(self) -> None:
        self._lock.release()

    def __enter__(self) -> Results:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _append(self, name: str, record: Mapping[str, Any]) -> None:
        with (self.folder / name).open("ab") as file:
            file.write(json.dumps(record, ensure_ascii=False).encode() + b"\n")


def read_answers(folder: Path) -> list[Answer]:
    """The latest answer to every question of every cell, errors included."""
    latest: dict[tuple[Cell, str], Answer] = {}
    for record in _records(folder / _ANSWERS_FILE):
        answer = Answer(**{**record, "cell": Cell(**record["cell"])})
        key = (answer.cell, answer.question_id)
        if answer.error is None or key not in latest:
            latest[key] = answer
    return list(latest.values())


def read_runs(folder: Path) -> list[Run]:
    """The latest run of every cell."""
    runs = (Run(**{**record, "cell": Cell(**record["cell"])}) for record in _records(folder / _RUNS_FILE))
    return list({run.cell: run for run in runs}.values())


def _records(path: Path) -> Iterator[dict[str, Any]]:
    if not path.exists():
        return
    # Not str.splitlines: an answer may hold other separators of lines, such as U+2028, as they are.
    for number, line in enumerate(path.read_bytes().split(b"\n")[:-1], 1):  # what follows the last one is torn
        try:
            record = json.loads(line)
            record["cell"]["benchmark"]
        except (ValueError, KeyError, TypeError) as error:
            raise BenchmarkError(f"{path}:{number}: damaged record ({error!r})") from None
        yield record


def _cut_unfinished_line(path: Path) -> None:
    if path.exists() and (content := path.read_bytes()) and not content.endswith(b"\n"):
        with path.open("rb+") as file:
            file.truncate(content.rfind(b"\n") + 1)
