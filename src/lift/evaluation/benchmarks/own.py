"""A user's own benchmark: a JSONL file of documents and questions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from lift.document import Document, read_document
from lift.errors import BenchmarkError
from lift.evaluation.benchmarks.base import Benchmark, read_lines
from lift.evaluation.questions import Question, read_question

__all__ = ["OwnBenchmark"]

_FORM: Final = (
    '{"document": "report.md" or "text": "...", "title": "...", "questions": [{"question": "...", "answer": "...", '
    '"metric": "f1", "keywords": [["..."]]}], "tasks": "report.jsonl", "unanswerable": ["..."]}'
)


class OwnBenchmark(Benchmark):
    """A document a line, with its questions.

    Paths are relative to the file. `title`, `tasks` (recorded ones) and `unanswerable` may be left out; so may
    `metric`: a question with keywords is scored by them, another by token F1.

    Args:
        path: the JSONL file.

    Raises:
        BenchmarkError: a line is malformed; the message says which.
    """

    def __init__(self, path: Path) -> None:
        self.name = path.stem
        self._folder = path.parent
        self._lines: dict[str, Mapping[str, Any]] = {}
        self._questions: dict[str, list[Question]] = {}
        self._documents: list[Document] = []
        for number, value in read_lines(path, "Give a benchmark's name or the path of a JSONL file"):
            try:
                document = self._document(value)
                questions = [read_question(n, entry) for n, entry in enumerate(value["questions"], 1)]
            except (KeyError, TypeError, AttributeError) as error:
                raise BenchmarkError(f"{path}:{number}: {error!r}; a line is {_FORM}") from None
            self._documents.append(document)
            self._lines[document.sha256] = value
            self._questions[document.sha256] = questions
        if not self._documents:
            raise BenchmarkError(f"{path} is empty; a line is {_FORM}")

    def documents(self) -> Iterator[Document]:
        yield from self._documents

    def questions(self, document: Document) -> Sequence[Question]:
        return self._questions[document.sha256]

    def recording(self, document: Document) -> Path | None:
        tasks = self._lines[document.sha256].get("tasks")
        return self._folder / tasks if tasks else None

    def unanswerable(self, document: Document) -> Sequence[str]:
        return tuple(self._lines[document.sha256].get("unanswerable", ()))

    def _document(self, value: Mapping[str, Any]) -> Document:
        title = value.get("title")
        if "text" in value:
            return Document.from_text(value["text"], title or self.name)
        return read_document(self._folder / value["document"], title)
