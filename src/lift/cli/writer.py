"""`lift writer`: teach a small model to write tasks."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from lift.cli import options
from lift.cli.console import note
from lift.cli.displays import progress_display

__all__ = ["writer"]


def writer(
    recordings: Annotated[
        list[str],
        typer.Argument(
            metavar="DOCUMENT=TASKS.jsonl",
            show_default=False,
            help="A document and tasks that a strong generator wrote about it (lift tasks, or tasks.jsonl in an "
            "adapter's folder). A title that is not the document's own: TITLE=DOCUMENT=TASKS.jsonl.",
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", show_default=False, help="Folder for the writer.")],
    model: options.Model = None,
    recipe: Annotated[str, typer.Option(metavar="NAME|FILE.yaml", help="Settings of its training.")] = "writer",
    settings: options.Settings = None,
    device: options.Device = "auto",
    dtype: options.Dtype = "auto",
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
) -> None:
    """Teach a small model to write tasks, from tasks that a strong generator wrote about other documents.

    The result is a generator for the same model that needs no server.

    lift writer a.md=a.jsonl b.md=b.jsonl --model M --out writers/m

    lift absorb new.md --model M --generator writer:writers/m --out adapters/new
    """
    from lift.adapter import check_output_folder
    from lift.document import read_document
    from lift.presets import load_recipe

    check_output_folder(out, overwrite=overwrite)
    chosen = load_recipe(recipe, settings or [])
    pairs = []
    for recording in recordings:
        rest, equals, tasks = recording.rpartition("=")
        title, _, document = rest.rpartition("=")
        if not equals or not document:
            raise typer.BadParameter(f"{recording!r} is not DOCUMENT=TASKS.jsonl", param_hint="DOCUMENT=TASKS.jsonl")
        pairs.append((read_document(document, title or None), Path(tasks)))

    from lift.writer import train_writer

    with progress_display(quiet=as_json) as show:
        manifest = train_writer(
            pairs,
            out=out,
            model=model,
            recipe=chosen,
            overwrite=overwrite,
            device=device,
            dtype=dtype,
            on_progress=show,
        )
    if as_json:
        typer.echo(json.dumps({"folder": str(out), **asdict(manifest)}, ensure_ascii=False))
        return
    note(
        f"A writer taught on {manifest.counts['tasks']} segments of {len(pairs)} documents, loss "
        f"{manifest.losses['first']:.2f} to {manifest.losses['last']:.2f}, {manifest.seconds['total']:.0f} s"
    )
    note(f"Use it: lift absorb DOCUMENT --generator writer:{out} --out DIR")
