"""What a benchmark has found: a Markdown table on stdout, a plot in an SVG file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from lift.evaluation.report.plots import pyplot

_WIDTH: Final = 7.0
Lines = Mapping[str, Sequence[tuple[float, float]]]


def print_table(rows: Sequence[Mapping[str, Any]]) -> None:
    """Rows with the same columns, or some of the first row's."""
    columns = list(rows[0])
    cells = [columns, ["---"] * len(columns), *([str(row.get(column, "")) for column in columns] for row in rows)]
    print("", *("| " + " | ".join(row) + " |" for row in cells), sep="\n", flush=True)


def plot_lines(file: Path, lines: Lines, x_label: str, y_label: str) -> None:
    """Points (x, y), joined under their line's name."""
    figure, axes = pyplot().subplots(figsize=(_WIDTH, 3.6))
    for name, points in lines.items():
        axes.plot(*zip(*points, strict=True), marker="." if len(points) < 20 else None, label=name)
    axes.set_ylim(bottom=0)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.legend(fontsize=8)
    _save(figure, file)


def plot_bars(file: Path, bars: Mapping[str, float], label: str) -> None:
    """A bar a name, with its value."""
    figure, axes = pyplot().subplots(figsize=(_WIDTH, 0.45 * len(bars) + 1))
    axes.bar_label(axes.barh(list(bars), list(bars.values()), color="#4878a8"), padding=3)
    axes.margins(x=0.15)
    axes.invert_yaxis()
    axes.set_xlabel(label)
    _save(figure, file)


def _save(figure: Any, file: Path) -> None:
    """On white: in a README the page's colour is not ours."""
    figure.savefig(file, format="svg", bbox_inches="tight", metadata={"Date": None})
    print(f"plot: {file}")
