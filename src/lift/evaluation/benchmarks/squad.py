"""SQuAD v1.1 and v2: an article's paragraphs are the document, its questions are asked without them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from lift.document import Document
from lift.errors import BenchmarkError
from lift.evaluation.benchmarks.base import Benchmark
from lift.evaluation.questions import Question

__all__ = ["SQuAD"]

_HINT: Final = (
    "Download dev-v1.1.json or dev-v2.0.json from https://rajpurkar.github.io/SQuAD-explorer and name it with --data"
)


class SQuAD(Benchmark):
    """Scored by the best token F1 over an answer's references; v2's impossible questions count as unanswerable.

    Args:
        data: the JSON file.
    """

    name = "squad"
    max_new_tokens = 32

    def __init__(self, data: Path | None) -> None:
        if data is None:
            raise BenchmarkError(f"squad needs its file. {_HINT}")
        try:
            self._articles: list[Mapping[str, Any]] = json.loads(data.read_text(encoding="utf-8"))["data"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BenchmarkError(f"{data} is no SQuAD file: {error!r}. {_HINT}") from None
        self._questions: dict[str, list[Mapping[str, Any]]] = {}

    def documents(self) -> Iterator[Document]:
        for article in self._articles:
            text = "\n\n".join(paragraph["context"] for paragraph in article["paragraphs"])
            document = Document.from_text(text, article["title"].replace("_", " "))
            self._questions[document.sha256] = [qa for paragraph in article["paragraphs"] for qa in paragraph["qas"]]
            yield document

    def questions(self, document: Document) -> list[Question]:
        return [
            Question(
                qa["id"],
                qa["question"],
                qa["answers"][0]["text"],
                also=tuple(answer["text"] for answer in qa["answers"][1:]),
            )
            for qa in self._questions[document.sha256]
            if qa["answers"]
        ]

    def unanswerable(self, document: Document) -> Sequence[str]:
        return [qa["question"] for qa in self._questions[document.sha256] if qa.get("is_impossible")]
