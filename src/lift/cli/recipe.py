"""`lift recipe`: every knob of a run, with its value and what it does."""

from __future__ import annotations

from typing import Annotated

import typer

from lift.cli import options

__all__ = ["recipe"]


def recipe(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME|FILE.yaml", help="paper, paper-5, fast, cpu or writer; or a file of your own."),
    ] = "paper",
    settings: options.Settings = None,
) -> None:
    """Print every knob of a recipe and what it does, as a file that --recipe reads.

    lift recipe cpu > mine.yaml

    lift absorb report.md --recipe mine.yaml --out adapters/report
    """
    from lift.presets import load_recipe, recipe_file

    typer.echo(recipe_file(load_recipe(name, settings or [])), nl=False)
