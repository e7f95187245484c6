"""A question of a benchmark."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

from lift.errors import BenchmarkError

__all__ = ["Metric", "Question", "read_question"]

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


def read_question(number: int, value: Mapping[str, Any]) -> Question:
    """A question from its record in a file.

    Args:
        number: its id, where the record has none.
        value: `question` and `answer`; `metric` may be left out: a question with keywords is scored by them, another
            by token F1.

    Raises:
        BenchmarkError: there is no such metric, or it lacks its keywords.
        KeyError: there is no question or no answer.
    """
    keywords = tuple(tuple(map(str, group)) for group in value.get("keywords", ()))
    metric = value.get("metric") or ("keywords" if keywords else "f1")
    if metric not in get_args(Metric):
        raise BenchmarkError(f"question {number}: no metric {metric!r}; there are {', '.join(get_args(Metric))}")
    if metric == "keywords" and not keywords:
        raise BenchmarkError(f"question {number}: the metric keywords needs keywords")
    return Question(
        str(value.get("id", number)),
        value["question"],
        str(value["answer"]),
        metric=cast(Metric, metric),
        keywords=keywords,
        kind=str(value.get("kind", "")),
    )
