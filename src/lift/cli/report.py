"""`lift report`: tables and plots of an evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["report"]


def report(
    results: Annotated[Path, typer.Argument(metavar="RESULTS", show_default=False, help="What lift eval wrote.")],
) -> None:
    """Write report.md, report.csv, plots, and one page report.html that holds them all, into RESULTS."""
    from lift.evaluation.report import write_report

    for path in write_report(results):
        typer.echo(path)
