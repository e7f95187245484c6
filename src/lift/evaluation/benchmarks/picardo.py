"""The project's own benchmark: a Wikipedia article with recorded tasks and questions scored by keywords."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from lift.bundled import EXAMPLE_TITLE, example_folder
from lift.document import Document, read_document
from lift.evaluation.benchmarks.base import Benchmark, read_lines
from lift.evaluation.questions import Question, read_question

__all__ = ["Picardo"]

_UNANSWERABLE: Final = (
    "What was the name of José Luis Picardo's dog?",
    "Which football club did José Luis Picardo support?",
    "How tall was José Luis Picardo?",
    "What was José Luis Picardo's favourite dish?",
    "In which year did José Luis Picardo visit Tokyo?",
    "What was the fee of José Luis Picardo for his first mural?",
    "Which newspaper did José Luis Picardo read every morning?",
    "Who was José Luis Picardo's dentist?",
    "What colour was the front door of José Luis Picardo's house?",
    "Which bridge did José Luis Picardo design in Lisbon?",
    "What did José Luis Picardo say about the Eiffel Tower?",
    "On which street in Madrid did José Luis Picardo's barber work?",
    "How many cars did José Luis Picardo own?",
    "What was the middle name of José Luis Picardo's grandfather?",
    "Which symphony did José Luis Picardo like best?",
    "What was José Luis Picardo's shoe size?",
    "In which hospital did José Luis Picardo have his appendix removed?",
    "What was the telephone number of José Luis Picardo's studio?",
    "Which chess opening did José Luis Picardo prefer?",
    "Who painted José Luis Picardo's portrait in 1990?",
)


class Picardo(Benchmark):
    """The article's first 106 segments, bundled with lift; with `data`, the whole of it.

    Args:
        data: a folder with picardo.txt, picardo.eval.jsonl and picardo.tasks.jsonl.
    """

    name = "picardo"

    def __init__(self, data: Path | None = None) -> None:
        folder = data or example_folder()
        prefix = "picardo." if data else ""
        self._text = folder / "picardo.txt"
        self._questions = folder / f"{prefix}eval.jsonl"
        self._tasks = folder / f"{prefix}tasks.jsonl"

    def documents(self) -> Iterator[Document]:
        yield read_document(self._text, EXAMPLE_TITLE)

    def questions(self, document: Document) -> list[Question]:
        lines = read_lines(self._questions, "the folder is not that of the project's data")
        return [read_question(number, value) for number, value in lines]

    def recording(self, document: Document) -> Path:
        return self._tasks

    def unanswerable(self, document: Document) -> Sequence[str]:
        return _UNANSWERABLE
