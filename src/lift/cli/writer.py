"""`lift writer`: teach a small model to write tasks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final

import typer

from lift.cli import options
from lift.cli.console import note
from lift.cli.displays import progress_display

__all__ = ["named_recordings", "writer"]

_RECORDING: Final = "DOCUMENT=TASKS.jsonl"
# The end of a name in a folder of recordings.
_TASKS: Final = ".tasks.jsonl"


def writer(
    recordings: Annotated[
        list[str],
        typer.Argument(
            metavar=_RECORDING,
            show_default=False,
            help="A document and tasks that a strong generator wrote about it (lift tasks, or tasks.jsonl in an "
            "adapter's folder). A title that is not the document's own: TITLE=DOCUMENT=TASKS.jsonl. Or a folder with "
            "documents, each with its NAME.tasks.jsonl beside it.",
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

    lift writer a.md=a.jsonl b.md=b.jsonl recordings/ --model M --out writers/m

    lift absorb new.md --model M --generator writer:writers/m --out adapters/new
    """
    from lift.adapter import check_output_folder
    from lift.document import read_document
    from lift.presets import load_recipe

    check_output_folder(out, overwrite=overwrite)
    chosen = load_recipe(recipe, settings or [])
    pairs = [
        (read_document(document, title), tasks)
        for recording in recordings
        for title, document, tasks in named_recordings(recording)
    ]

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
        f"A writer taught in {manifest.counts['tasks']} lessons from {len(pairs)} documents, loss "
        f"{manifest.losses['first']:.2f} to {manifest.losses['last']:.2f}, {manifest.seconds['total']:.0f} s"
    )
    note(f"Use it: lift absorb DOCUMENT --generator writer:{out} --out DIR")


def named_recordings(recording: str) -> Iterator[tuple[str | None, Path, Path]]:
    """The title, if the user gives one, the document and the tasks of each recording that the argument names."""
    if Path(recording).is_dir():
        yield from _inside(Path(recording))
        return
    rest, equals, tasks = recording.rpartition("=")
    title, _, document = rest.rpartition("=")
    if not equals or not document:
        raise typer.BadParameter(f"{recording!r} is neither {_RECORDING} nor a folder", param_hint=_RECORDING)
    yield title or None, Path(document), Path(tasks)


def _inside(folder: Path) -> Iterator[tuple[None, Path, Path]]:
    found = sorted(folder.glob(f"*{_TASKS}"))
    if not found:
        raise typer.BadParameter(f"{folder} holds no NAME{_TASKS}", param_hint=_RECORDING)
    files = list(folder.iterdir())
    for tasks in found:
        name = tasks.name.removesuffix(_TASKS)
        documents = [path for path in files if path.stem == name]
        if len(documents) != 1:
            raise typer.BadParameter(f"{tasks} has {len(documents)} documents beside it", param_hint=_RECORDING)
        yield None, documents[0], tasks
