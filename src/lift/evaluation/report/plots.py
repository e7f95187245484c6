"""Plots of a report, as SVG."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from statistics import mean
from typing import Any, Final

from lift.errors import MissingExtraError
from lift.evaluation.report.tables import Row
from lift.evaluation.results import Answer, Run

__all__ = [
    "accuracy_bars",
    "accuracy_over_time",
    "needle_maps",
    "pyplot",
    "time_by_answer_length",
    "time_by_document_length",
]

_WIDTH: Final = 7.0
_ANSWER_TOKENS: Final = (1, 10, 100, 1_000, 10_000)


def accuracy_bars(rows: Sequence[Row]) -> str:
    """Mean scores with their intervals, a bar a method."""
    plt = pyplot()
    rows = [row for row in rows if row.score is not None]
    figure, axes = plt.subplots(figsize=(_WIDTH, 0.45 * len(rows) + 1))
    places = range(len(rows))
    scores, errors = _percentages(rows)
    axes.barh(places, scores, xerr=errors, color="#4878a8", ecolor="#888888", capsize=3)
    axes.set_yticks(places, [row.method for row in rows])
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.set_xlabel("score, % (95 % interval over questions)")
    return _svg(figure)


def accuracy_over_time(rows: Sequence[Row]) -> str:
    """Scores against the seconds of preparation; variants of a method (`lift:epochs=1`, `lift`) on one line."""
    plt = pyplot()
    figure, axes = plt.subplots(figsize=(_WIDTH, 3.6))
    known = [row for row in rows if row.prepare_seconds is not None and row.score is not None]
    for color, name in enumerate(dict.fromkeys(_name(row.method) for row in known)):
        mine = sorted((row for row in known if _name(row.method) == name), key=lambda row: row.prepare_seconds or 0)
        x, (y, errors) = [max(row.prepare_seconds or 0, 0.1) for row in mine], _percentages(mine)
        axes.errorbar(x, y, yerr=errors, fmt="o-", color=f"C{color}", ecolor="#888888", capsize=3, linewidth=1)
        for row, *point in zip(mine, x, y, strict=True):
            axes.annotate(row.method, point, xytext=(6, 4), textcoords="offset points", fontsize=8)
    axes.set_xscale("log")
    axes.set_ylim(0, 100)
    axes.set_xlabel("seconds of preparation (log)")
    axes.set_ylabel("score, %")
    return _svg(figure)


def time_by_answer_length(rows: Sequence[Row]) -> str | None:
    """Seconds until an answer of so many tokens is there, preparation included: a line a method.

    None where no run has measured it.
    """
    lines = {}
    for row in rows:
        if row.first_token_seconds is not None and row.token_seconds is not None:
            begin = (row.prepare_seconds or 0) + row.first_token_seconds
            lines[row.method] = [begin + (n - 1) * row.token_seconds for n in _ANSWER_TOKENS]
    return _curves(lines, _ANSWER_TOKENS, "tokens answered (log)") if lines else None


def time_by_document_length(runs: Sequence[Run]) -> str | None:
    """Seconds to the first token of the first answer (TTFT) by the document's length: a line a method.

    None where there are fewer than two lengths.
    """
    measured: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for run in runs:
        if run.document_tokens and "first_token" in run.speed:
            # Documents of nearly the same length count as one.
            length = round(run.document_tokens, -2)
            measured[run.cell.method][length].append(run.prepare_seconds + run.speed["first_token"])
    lengths = sorted({length for times in measured.values() for length in times})
    if len(lengths) < 2:
        return None
    lines = {
        method: [mean(times[length]) if length in times else float("nan") for length in lengths]
        for method, times in measured.items()
    }
    return _curves(lines, lengths, "tokens of the document (log)")


def _curves(lines: Mapping[str, Sequence[float]], x: Sequence[int], label: str) -> str:
    plt = pyplot()
    figure, axes = plt.subplots(figsize=(_WIDTH, 3.6))
    for method, seconds in lines.items():
        axes.plot(x, seconds, marker=".", label=method)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel(label)
    axes.set_ylabel("seconds (log)")
    axes.legend(fontsize=8, frameon=False)
    return _svg(figure)


def _percentages(rows: Sequence[Row]) -> tuple[list[float], list[list[float]]]:
    """Scores of rows that have one, and how far their intervals reach below and above it."""
    points = [(row.score or 0.0, row.low or 0.0, row.high or 0.0) for row in rows]
    below, above = (
        [100 * (score - low) for score, low, _ in points],
        [100 * (high - score) for score, _, high in points],
    )
    return [100 * score for score, _, _ in points], [below, above]


def _name(method: str) -> str:
    return method.partition(":")[0]


def needle_maps(answers: Iterable[Answer]) -> dict[str, str]:
    """For every method, mean scores by depth and length."""
    cells: dict[str, dict[tuple[float, float], list[float]]] = defaultdict(lambda: defaultdict(list))
    for answer in answers:
        if answer.score is not None and {"length", "depth"} <= set(answer.place):
            cells[answer.cell.method][answer.place["depth"], answer.place["length"]].append(answer.score)
    return {method: _heat_map(scores) for method, scores in cells.items()}


def _heat_map(scores: dict[tuple[float, float], list[float]]) -> str:
    plt = pyplot()
    depths, lengths = sorted({depth for depth, _ in scores}), sorted({length for _, length in scores})
    figure, axes = plt.subplots(figsize=(_WIDTH, 0.4 * len(depths) + 1.4))
    grid = [[100 * mean(scores.get((d, n), [float("nan")])) for n in lengths] for d in depths]
    axes.imshow(grid, vmin=0, vmax=100, cmap="RdYlGn", aspect="auto")
    for y, row in enumerate(grid):
        for x, value in enumerate(row):
            if value == value:  # not a number: no such cell yet
                axes.text(x, y, f"{value:.0f}", ha="center", va="center", fontsize=8, color="black")
    axes.set_xticks(range(len(lengths)), [f"{length:,.0f}" for length in lengths])
    axes.set_yticks(range(len(depths)), [f"{depth:.0f} %" for depth in depths])
    axes.set_xlabel("length, tokens")
    axes.set_ylabel("depth")
    return _svg(figure)


def pyplot() -> Any:
    """matplotlib as reports use it: no display, text that stays text.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import matplotlib
    except ImportError:
        raise MissingExtraError("a plot", 'pip install "lift-llm[eval]"') from None
    matplotlib.use("Agg")
    # The same input gives the same file; text stays text.
    matplotlib.rcParams.update({"svg.hashsalt": "lift", "svg.fonttype": "none", "font.size": 9})
    import matplotlib.pyplot

    return matplotlib.pyplot


def _svg(figure: Any) -> str:
    text = io.StringIO()
    figure.savefig(text, format="svg", bbox_inches="tight", transparent=True, metadata={"Date": None})
    pyplot().close(figure)
    svg = text.getvalue()
    return svg[svg.index("<svg") :]
