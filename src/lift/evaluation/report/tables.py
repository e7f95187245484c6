"""Rows of a report: a method on a benchmark, with its interval, costs and damage."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from statistics import mean
from typing import Any

from lift.evaluation.results import Answer, Run
from lift.evaluation.scores import bootstrap_interval

__all__ = ["Row", "csv_table", "kind_table", "markdown_table", "summary_table"]


@dataclass(frozen=True)
class Row:
    """One method on one benchmark, over documents, questions and seeds.

    Attributes:
        score: mean, from 0 to 1; None where no answer has a score.
        low, high: 95 % bootstrap interval over questions, likewise.
        questions, seeds: how many.
        errors: answers without a score; they count nowhere else.
        steps, tokens, prepare_seconds, answer_seconds: means over documents and seeds.
        general, perplexity, invented: of the damage report, means.
        first_token_seconds, token_seconds: of one answer, means.
    """

    benchmark: str
    model: str
    method: str
    score: float | None
    low: float | None
    high: float | None
    questions: int
    seeds: int
    errors: int
    steps: float | None
    tokens: float | None
    prepare_seconds: float | None
    answer_seconds: float | None
    general: float | None
    perplexity: float | None
    invented: float | None
    first_token_seconds: float | None
    token_seconds: float | None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def line(self) -> str:
        """For a terminal."""
        seconds = "" if self.prepare_seconds is None else f", {self.prepare_seconds:.0f} s to prepare"
        errors = f", {self.errors} errors" if self.errors else ""
        score = "no score (" if self.score is None else f"{self.score:.1%} ({self.low:.1%} to {self.high:.1%}; "
        return f"{self.benchmark}, {self.method}: {score}n = {self.questions}, {self.seeds} seeds{seconds}{errors})"


def summary_table(answers: Iterable[Answer], runs: Iterable[Run]) -> list[Row]:
    """A row for every method on every benchmark and model, in the order in which they were computed."""
    grouped: dict[tuple[str, str, str, str], list[Answer]] = defaultdict(list)
    for answer in answers:
        cell = answer.cell
        grouped[cell.benchmark, cell.model, cell.method, cell.recipe].append(answer)
    ran: dict[tuple[str, str, str, str], list[Run]] = defaultdict(list)
    for run in runs:
        ran[run.cell.benchmark, run.cell.model, run.cell.method, run.cell.recipe].append(run)
    return [_row(key, group, ran[key]) for key, group in grouped.items()]


def kind_table(answers: Iterable[Answer]) -> dict[tuple[str, str], dict[str, tuple[float, int]]]:
    """Mean score and number of answers for every (benchmark, method), by kind of question."""
    grouped: dict[tuple[str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for answer in answers:
        if answer.score is not None and answer.kind:
            grouped[answer.cell.benchmark, answer.cell.method][answer.kind].append(answer.score)
    return {key: {kind: (mean(s), len(s)) for kind, s in kinds.items()} for key, kinds in grouped.items()}


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)


def csv_table(rows: Sequence[Row]) -> str:
    """All rows and columns."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(Row.__dataclass_fields__), lineterminator="\n")
    writer.writeheader()
    writer.writerows(row.to_dict() for row in rows)
    return text.getvalue()


def _row(key: tuple[str, str, str, str], answers: Sequence[Answer], runs: Sequence[Run]) -> Row:
    by_question: dict[tuple[str, str], list[float]] = defaultdict(list)
    for answer in answers:
        if answer.score is not None:
            by_question[answer.cell.document, answer.question_id].append(answer.score)
    groups = list(by_question.values())
    scores = [score for group in groups for score in group]
    low, high = bootstrap_interval(groups) if groups else (None, None)
    benchmark, model, method, _ = key
    return Row(
        benchmark,
        model,
        method,
        _mean(scores),
        low,
        high,
        questions=len(groups),
        seeds=len({answer.cell.seed for answer in answers}),
        errors=sum(answer.score is None for answer in answers),
        steps=_mean(run.costs.get("steps") for run in runs),
        tokens=_mean(run.costs.get("tokens") for run in runs),
        prepare_seconds=_mean(run.prepare_seconds for run in runs),
        answer_seconds=_mean(run.answer_seconds for run in runs),
        general=_mean(run.damage.get("general") for run in runs),
        perplexity=_mean(run.damage.get("perplexity") for run in runs),
        invented=_mean(run.damage.get("invented") for run in runs),
        first_token_seconds=_mean(run.speed.get("first_token") for run in runs),
        token_seconds=_mean(run.speed.get("token") for run in runs),
    )


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return mean(known) if known else None
