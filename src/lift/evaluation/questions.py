"""A question of a benchmark."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Metric", "Question"]

Metric = Literal["keywords", "exact", "contains", "f1", "rouge", "order", "judge"]


@dataclass(frozen=True)
class Question:
    """What is asked about a document, and how the answer is scored.

    Attributes:
        id: unique within the document.
        text: the question.
        answer: the reference.
        also: further references; the best match counts.
        metric: how an answer is scored (`score_answer`, or a judge).
        keywords: for `keywords`: of every inner tuple at least one string must occur.
        kind: a class of questions that is reported apart (LooGLE's long types, needles).
    """

    id: str
    text: str
    answer: str
    also: tuple[str, ...] = ()
    metric: Metric = "f1"
    keywords: tuple[tuple[str, ...], ...] = ()
    kind: str = ""
