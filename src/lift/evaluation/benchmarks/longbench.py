"""LongBench: five of its English tasks (THUDM/LongBench)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from lift.document import Document
from lift.errors import BenchmarkError
from lift.evaluation.benchmarks.base import Benchmark
from lift.evaluation.benchmarks.hub import read_rows
from lift.evaluation.questions import Metric, Question

__all__ = ["LONGBENCH_TASKS", "LongBench"]

_HUB: Final = "THUDM/LongBench"
# Metric, room for an answer, and what is asked where the data hold no question.
LONGBENCH_TASKS: Final[Mapping[str, tuple[Metric, int, str]]] = {
    "narrativeqa": ("f1", 128, ""),
    "musique": ("f1", 32, ""),
    "qmsum": ("rouge", 512, ""),
    "gov_report": ("rouge", 512, "Please write a one-page summary of the report."),
    "passage_retrieval_en": (
        "contains",
        32,
        'Which paragraph is this abstract from? Answer "Paragraph 1", "Paragraph 2" and so on.\n{input}',
    ),
}


class LongBench(Benchmark):
    """One of the tasks; a row is a document with one question.

    Args:
        task: one of `LONGBENCH_TASKS`.
        data: the folder with LongBench's files; None downloads them.
    """

    def __init__(self, task: str, data: Path | None) -> None:
        if task not in LONGBENCH_TASKS:
            raise BenchmarkError(f"no LongBench task {task!r}; there are {', '.join(LONGBENCH_TASKS)}")
        self.name = f"longbench-{task}"
        self._task = task
        self._data = data
        self._metric, self.max_new_tokens, self._question = LONGBENCH_TASKS[task]
        self._rows: dict[str, list[Mapping[str, Any]]] = {}

    def documents(self) -> Iterator[Document]:
        documents: dict[str, Document] = {}
        for row in read_rows(self._task, self._data, hub=_HUB):
            if missing := {"context", "_id", "input", "answers"} - set(row):
                raise BenchmarkError(f"{self.name}: a row has no {', '.join(sorted(missing))}")
            document = Document.from_text(row["context"], f"{self._task} {row['_id'][:8]}")
            documents.setdefault(document.sha256, document)
            self._rows.setdefault(document.sha256, []).append(row)
        yield from documents.values()

    def questions(self, document: Document) -> list[Question]:
        return [
            Question(
                row["_id"],
                self._question.format(input=row["input"]) if self._question else row["input"],
                row["answers"][0],
                also=tuple(row["answers"][1:]),
                metric=self._metric,
            )
            for row in self._rows[document.sha256]
        ]
