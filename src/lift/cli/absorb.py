"""`lift absorb`: document in, adapter out."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lift.cli import options
from lift.cli.console import fail, note, progress_display, resumable, show_estimate
from lift.errors import LiftError

if TYPE_CHECKING:
    from lift.adapter import Manifest
    from lift.model import BaseModel

__all__ = ["absorb"]


def absorb(
    documents: options.Documents,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder for the adapter.")] = None,
    out_dir: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder for the adapters of several documents, each in one named after it."),
    ] = None,
    generator: Annotated[
        str | None,
        typer.Option(
            metavar=options.GENERATOR_KINDS,
            help="Who writes the tasks: an OpenAI-compatible server (its key in $LIFT_API_KEY), a provider (its key "
            "in $OPENAI_API_KEY, $DEEPSEEK_API_KEY), vLLM started for this run, self (the base model itself, which "
            "should then be a capable one), or a recorded file.",
        ),
    ] = None,
    model: options.Model = None,
    generator_model: options.GeneratorModel = None,
    recipe: options.Recipe = None,
    settings: options.Settings = None,
    title: options.Title = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="The same as --set seed=N.")] = None,
    device: options.Device = "auto",
    dtype: options.Dtype = "auto",
    max_requests: options.MaxRequests = None,
    max_tokens: options.MaxTokens = None,
    dry_run: options.DryRun = False,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
) -> None:
    """Make a model know DOCUMENT: write tasks about it and train an adapter on them meanwhile.

    Interrupted, it keeps what it has in DIR; the same command goes on and asks only for what is missing.
    Several documents get an adapter each; the base model is loaded once.

    lift absorb report.pdf --model Qwen/Qwen3-4B --generator http://localhost:8001/v1 --out adapters/report

    lift absorb a.md b.md c.md --model Qwen/Qwen3-4B --generator http://localhost:8001/v1 --out-dir adapters
    """
    folders = _folders(documents, out, out_dir)
    if generator is None:
        raise typer.BadParameter(
            "name who writes the tasks: the URL of an OpenAI-compatible server, self, or recorded:FILE",
            param_hint="--generator",
        )
    if title is not None and len(documents) > 1:
        raise typer.BadParameter("one title does not fit several documents", param_hint="--title")
    from lift.adapter import TASKS_FILE, check_output_folder
    from lift.recipe import default_recipe, load_recipe

    # What can be wrong is said before torch is loaded.
    for folder in folders:
        check_output_folder(folder, overwrite=overwrite)
    chosen = load_recipe(recipe or default_recipe(model), settings or [])
    flags = {"seed": seed, "max_requests": max_requests, "max_tokens": max_tokens}
    chosen = chosen.replace(**{knob: value for knob, value in flags.items() if value is not None})

    from lift.document import read_document

    texts = [read_document(document, title) for document in documents]

    if dry_run:
        from lift.pipeline import estimate

        for text, folder in zip(texts, folders, strict=True):
            cost = estimate(text, generator=generator, recipe=chosen, store=folder / TASKS_FILE)
            show_estimate(cost, as_json=as_json)
        return

    from lift.pipeline import absorb as run

    base: str | BaseModel | None = model
    failed = 0
    for text, folder in zip(texts, folders, strict=True):
        try:
            with resumable(folder), progress_display(quiet=as_json) as show:
                lifted = run(
                    text,
                    model=base,
                    generator=generator,
                    generator_model=generator_model,
                    recipe=chosen,
                    out=folder,
                    overwrite=overwrite,
                    device=device,
                    dtype=dtype,
                    on_progress=show,
                )
        except LiftError as error:
            if len(documents) == 1:
                raise
            fail(f"{text.source}: {error}")  # the others need not suffer
            failed += 1
            continue
        base = lifted.base
        if as_json:
            typer.echo(json.dumps({"folder": str(folder), **asdict(lifted.manifest)}, ensure_ascii=False))
        else:
            for line in summary(lifted.manifest):
                note(line)
            note(f'Ask it: lift ask {folder} "..."')
        lifted.close()
    if failed:
        raise LiftError(f"{failed} of {len(documents)} documents failed; the same command goes on with them")


def _folders(documents: list[Path], out: Path | None, out_dir: Path | None) -> list[Path]:
    """Where each document's adapter goes."""
    if (out is None) == (out_dir is None):
        raise typer.BadParameter("give --out DIR for one document, or --out-dir DIR for several", param_hint="--out")
    if out is not None:
        if len(documents) > 1:
            raise typer.BadParameter("one folder holds one adapter; give --out-dir DIR", param_hint="--out")
        return [out]
    assert out_dir is not None
    folders = [out_dir / document.stem for document in documents]
    if twice := sorted({folder.name for folder in folders if folders.count(folder) > 1}):
        raise typer.BadParameter(f"several documents are called {', '.join(twice)}", param_hint="DOCUMENT")
    return folders


def summary(manifest: Manifest) -> list[str]:
    """What a run did, in a few lines."""
    counts, seconds = manifest.counts, manifest.seconds
    lines = [
        f"{manifest.document['title']}: {counts['tasks']} tasks from {counts['segments']} segments, "
        f"{counts['steps']} steps, loss {manifest.losses['first']:.2f} to {manifest.losses['last']:.2f}",
        f"{seconds['total']:.0f} s in all, {seconds['training']:.0f} s of training, "
        f"{counts['tokens_per_second']:,.0f} tokens/s",
    ]
    if counts["failed_segments"]:
        lines.append(
            f"{counts['failed_segments']} segments failed; run again with --overwrite to ask for them once more"
        )
    shown = {"recorded segments that do not match the document", "tasks too long for the context window"}
    lines += [f"{value} {name}" for name, value in counts.items() if name in shown and value]
    cost = counts["generator_tokens"]
    if cost["prompt"]:
        lines.append(
            f"generator: {counts['requests']} requests, {cost['prompt']:,} prompt tokens ({cost['cached']:,} cached), "
            f"{cost['completion']:,} completion tokens{' (partly estimated)' if cost['estimated'] else ''}"
        )
    if counts["failures"]:
        failures = ", ".join(f"{value} {name}" for name, value in counts["failures"].items())
        lines.append(f"requests that failed and were repeated or given up: {failures}")
    if counts["dropped"]:
        lines.append("pairs not used: " + ", ".join(f"{value} {name}" for name, value in counts["dropped"].items()))
    return lines
