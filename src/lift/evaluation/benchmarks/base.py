"""The interface of a benchmark: documents, questions about each, scores of answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lift.document import Document
from lift.errors import BenchmarkError, TaskFileError
from lift.evaluation.questions import Question
from lift.evaluation.scores import score_answer
from lift.jsonl import read_jsonl
from lift.recipe import Recipe

__all__ = ["Benchmark", "read_lines"]


class Benchmark(ABC):
    """Documents and questions about them.

    Attributes:
        name: in results and reports.
        max_new_tokens: room for an answer.
        measures_damage: whether what a document did to the model is measured, for every document.
    """

    name: str
    max_new_tokens: int = 64
    measures_damage: bool = True

    @abstractmethod
    def documents(self) -> Iterator[Document]:
        """The documents, one by one; their titles are unique.

        Raises:
            BenchmarkError: there is no data; the message says how to get it.
        """

    @abstractmethod
    def questions(self, document: Document) -> Sequence[Question]:
        """What is asked about one of the `documents`."""

    def score(self, question: Question, answer: str) -> float:
        """From 0 to 1; questions for a judge are not scored here."""
        return score_answer(question, answer)

    def recording(self, document: Document) -> Path | None:
        """Recorded tasks that come with `document`, for those who name no generator."""
        return None

    def unanswerable(self, document: Document) -> Sequence[str]:
        """Questions that `document` does not answer."""
        return ()

    def recipe(self, recipe: Recipe) -> Recipe:
        """The user's recipe, with what this benchmark needs to be what it is."""
        return recipe

    def place(self, document: Document, question: Question) -> Mapping[str, float]:
        """Where `question` about `document` lies in the benchmark's grid (a needle's depth, the haystack's length)."""
        return {}


def read_lines(path: Path, hint: str, broken: list[int] | None = None) -> Iterator[tuple[int, dict[str, Any]]]:
    """The JSON objects of a JSONL file with their line numbers.

    Args:
        hint: how to get the file.
        broken: takes the numbers of lines that hold no object; None makes them an error.

    Raises:
        BenchmarkError: there is no such file, or a line holds no object.
    """
    try:
        yield from read_jsonl(path, broken)
    except TaskFileError as error:
        raise BenchmarkError(str(error) if path.is_file() else f"{error}. {hint}") from None
