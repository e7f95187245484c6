"""LooGLE: short and long dependency questions about long documents, and summaries (bigai-nlco/LooGLE)."""

from __future__ import annotations

import ast
import hashlib
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal

from lift.document import Document
from lift.errors import LiftWarning
from lift.evaluation.benchmarks.base import Benchmark
from lift.evaluation.benchmarks.hub import read_rows
from lift.evaluation.questions import Metric, Question

__all__ = ["LooGLE"]

_HUB: Final = "bigai-nlco/LooGLE"
_FILES: Final = {"short": "shortdep_qa", "long": "longdep_qa", "summary": "longdep_summarization"}
_SUMMARISE: Final = "Please write a summary of the whole text."


class LooGLE(Benchmark):
    """One of LooGLE's parts.

    Orders of events are scored by their order, summaries by ROUGE-L, other answers by a judge where there is one,
    as the paper does, else by token F1.

    Args:
        part: short or long dependency questions (the long ones of four types), or summaries.
        data: the folder with LooGLE's files; None downloads them.
        judged: whether there is a judge.
    """

    def __init__(self, part: Literal["short", "long", "summary"], data: Path | None, *, judged: bool) -> None:
        self.name = f"loogle-{part}"
        self.max_new_tokens = 512 if part == "summary" else 64
        self._part = part
        self._data = data
        self._metric: Metric = "judge" if judged else "f1"
        self._questions: dict[str, list[Question]] = {}

    def documents(self) -> Iterator[Document]:
        for row in read_rows(_FILES[self._part], self._data, hub=_HUB):
            try:
                document = Document.from_text(row["input"], row["title"])
                self._questions[document.sha256] = self._read(row)
            except (ValueError, SyntaxError, KeyError, TypeError) as error:
                message = f"{self.name}: {row.get('title', 'a row')} is left out, it is malformed: {error!r}"
                warnings.warn(message, LiftWarning, stacklevel=2)
            else:
                yield document

    def questions(self, document: Document) -> list[Question]:
        return self._questions[document.sha256]

    def _read(self, row: Mapping[str, Any]) -> list[Question]:
        if self._part == "summary":
            return [Question("summary", _SUMMARISE, row["output"], metric="rouge")]
        # A Python literal in a string.
        pairs = ast.literal_eval(row["qa_pairs"]) if isinstance(row["qa_pairs"], str) else row["qa_pairs"]
        return [self._question(pair) for pair in pairs]

    def _question(self, pair: Mapping[str, str]) -> Question:
        kind = pair.get("type", "")
        metric: Metric = "order" if kind == "timeline_reorder" else self._metric
        number = hashlib.sha256(pair["Q"].encode()).hexdigest()[:8]
        return Question(number, pair["Q"], pair["A"], metric=metric, kind=kind)
