"""A report on disk: Markdown, CSV, SVG plots, and one HTML page that holds them all."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from lift.errors import BenchmarkError
from lift.evaluation.report.plots import (
    accuracy_bars,
    accuracy_over_time,
    needle_maps,
    time_by_answer_length,
    time_by_document_length,
)
from lift.evaluation.report.tables import Row, csv_table, kind_table, markdown_table, summary_table
from lift.evaluation.results import Answer, read_answers, read_runs

__all__ = ["write_report"]

_SHOWN_ANSWERS: Final = 400
# Of files: a method may have a path among its knobs.
_NOT_IN_NAMES: Final = re.compile(r"[^\w.+=-]+")
_HEADER: Final = (
    "method", "score", "95 % interval", "questions", "seeds", "steps", "tokens", "prepare, s", "answer, s",
    "first token, s", "tokens/s", "general", "perplexity", "invented", "errors",
)  # fmt: skip
_DARK: Final = "@media (prefers-color-scheme: dark) { svg { filter: invert(1) hue-rotate(180deg); } }"
_STYLE: Final = """
:root { color-scheme: light dark; --line: #8884; --shade: #8881; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .85rem; white-space: nowrap; }
td, th { border-bottom: 1px solid var(--line); padding: .3rem .6rem; text-align: left; }
tbody tr:hover { background: var(--shade); }
svg { max-width: 100%; height: auto; }
summary { cursor: pointer; margin: 1rem 0; }
.answers td { white-space: normal; vertical-align: top; }
"""


def write_report(results: Path) -> list[Path]:
    """Write report.md, report.csv, report.html and the plots into `results`.

    Returns:
        The files.

    Raises:
        BenchmarkError: there are no results.
        MissingExtraError: matplotlib is not installed.
    """
    answers, runs = read_answers(results), read_runs(results)
    if not answers:
        raise BenchmarkError(f"{results} holds no results; lift eval writes them")
    rows = summary_table(answers, runs)
    plots: dict[str, str] = {}
    markdown, body = ["# Results"], ["<h1>Results</h1>"]
    for benchmark in dict.fromkeys(row.benchmark for row in rows):
        here = [row for row in rows if row.benchmark == benchmark]
        mine = [answer for answer in answers if answer.cell.benchmark == benchmark]
        ran = [run for run in runs if run.cell.benchmark == benchmark]
        figures = {"accuracy": accuracy_bars(here), "time": accuracy_over_time(here)}
        curves = {"ttft": time_by_document_length(ran), "decoding": time_by_answer_length(here)}
        figures |= {name: svg for name, svg in curves.items() if svg}
        figures |= {f"needle-{_NOT_IN_NAMES.sub('-', method)}": svg for method, svg in needle_maps(mine).items()}
        plots |= {f"{benchmark}-{name}.svg": _standalone(svg) for name, svg in figures.items()}
        table = [_cells(row) for row in here]
        markdown += [f"## {benchmark}", f"Model: {here[0].model}", markdown_table(_HEADER, table)]
        body += [f"<h2>{html.escape(benchmark)}</h2>", _html_table(_HEADER, table)]
        kinds = {method: kinds for (name, method), kinds in kind_table(mine).items() if name == benchmark}
        if kinds:
            header = ["method", *dict.fromkeys(kind for scores in kinds.values() for kind in scores)]
            by_kind = [[method, *(_share(scores, kind) for kind in header[1:])] for method, scores in kinds.items()]
            markdown.append(markdown_table(header, by_kind))
            body.append(_html_table(header, by_kind))
        for name, svg in figures.items():
            markdown.append(f"![{name}]({benchmark}-{name}.svg)")
            body.append(f"<h3>{html.escape(name)}</h3>{svg}")
        body.append(_answers(mine))
    files = {
        "report.md": "\n\n".join(markdown) + "\n",
        "report.csv": csv_table(rows),
        "report.html": _page("\n".join(body)),
        **plots,
    }
    for name, content in files.items():
        (results / name).write_text(content, encoding="utf-8")
    return [results / name for name in files]


def _cells(row: Row) -> list[str]:
    return [
        row.method,
        "" if row.score is None else f"{row.score:.1%}",
        "" if row.score is None else f"{row.low:.1%} to {row.high:.1%}",
        str(row.questions),
        str(row.seeds),
        _number(row.steps),
        _number(row.tokens),
        _number(row.prepare_seconds),
        _number(row.answer_seconds),
        "" if row.first_token_seconds is None else f"{row.first_token_seconds:.2f}",
        "" if not row.token_seconds else f"{1 / row.token_seconds:.1f}",
        "" if row.general is None else f"{row.general:.0%}",
        "" if row.perplexity is None else f"{row.perplexity:.1f}",
        "" if row.invented is None else f"{row.invented:.0%}",
        str(row.errors),
    ]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}"


def _share(scores: dict[str, tuple[float, int]], kind: str) -> str:
    return f"{scores[kind][0]:.1%} (n = {scores[kind][1]})" if kind in scores else ""


def _html_table(header: Sequence[str], rows: Sequence[Sequence[str]], css: str = "") -> str:
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in header)
    body = "".join(f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    table = f'<table class="{css}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    return f'<div class="wide">{table}</div>'


def _answers(answers: Sequence[Answer]) -> str:
    rows = [
        [a.cell.method, str(a.cell.seed), a.title, a.question, a.reference, a.answer, _score(a)]
        for a in answers[:_SHOWN_ANSWERS]
    ]
    table = _html_table(["method", "seed", "document", "question", "reference", "answer", "score"], rows, "answers")
    shown = f"{len(rows)} of {len(answers)} answers" if len(rows) < len(answers) else f"All {len(rows)} answers"
    return f"<details><summary>{shown}</summary>{table}</details>"


def _score(answer: Answer) -> str:
    return answer.error or "" if answer.score is None else f"{answer.score:.2f}"


def _standalone(svg: str) -> str:
    """With a style of its own for the dark, which within the page would be the page's."""
    start = svg.index(">") + 1
    return f"{svg[:start]}<style>{_DARK}</style>{svg[start:]}"


def _page(body: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>lift: results</title><style>{_STYLE}{_DARK}</style></head><body>{body}</body></html>\n"
    )
