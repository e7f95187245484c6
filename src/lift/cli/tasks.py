"""`lift tasks`: generation alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from lift.cli import options
from lift.cli.console import default_writer, note, resumable, show_estimate
from lift.cli.displays import progress_display

__all__ = ["tasks"]


def tasks(
    document: options.Document,
    out: Annotated[Path, typer.Option(metavar="TASKS.jsonl", show_default=False, help="File for the tasks.")],
    generator: options.Generator = None,
    generator_model: options.GeneratorModel = None,
    model: options.Model = None,
    recipe: options.Recipe = None,
    settings: options.Settings = None,
    title: options.Title = None,
    device: options.Device = "auto",
    dtype: options.Dtype = "auto",
    max_requests: options.MaxRequests = None,
    max_tokens: options.MaxTokens = None,
    dry_run: options.DryRun = False,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
) -> None:
    """Write tasks about DOCUMENT to a file, for `lift absorb --generator recorded:FILE`.

    Interrupted, the same command goes on and asks only for what is missing.

    lift tasks report.pdf --out report.jsonl --generator http://localhost:8001/v1
    """
    from lift.document import read_document
    from lift.generation import estimate, write_tasks
    from lift.presets import load_recipe

    # The embedded model's writer does not have ten tasks in it for a segment.
    chosen = load_recipe(recipe or ("paper" if generator else "cpu"), settings or [])
    limits = {"max_requests": max_requests, "max_tokens": max_tokens}
    chosen = chosen.replace(**{knob: value for knob, value in limits.items() if value is not None})
    text = read_document(document, title)
    generator = generator or default_writer(model)
    if dry_run:
        show_estimate(estimate(text, generator=generator, recipe=chosen, store=out), as_json=as_json)
        return
    with resumable(out), progress_display(quiet=as_json) as show:
        counts = write_tasks(
            text,
            out,
            generator=generator,
            generator_model=generator_model,
            model=model,
            device=device,
            dtype=dtype,
            recipe=chosen,
            overwrite=overwrite,
            on_progress=show,
        )
    if as_json:
        typer.echo(json.dumps({"file": str(out), **counts}, ensure_ascii=False))
        return
    note(f"{counts['tasks']} tasks from {counts['segments']} segments in {out}")
    if counts["failed_segments"]:
        note(f"{counts['failed_segments']} segments failed; the same command asks for them once more")
