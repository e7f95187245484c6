"""`lift absorb`: document in, adapter out."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lift.cli import options
from lift.cli.console import default_writer, fail, leads, note, resumable, show_estimate
from lift.cli.displays import progress_display
from lift.errors import LiftError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lift.adapter import Manifest
    from lift.chat import LiftedModel
    from lift.document import Document
    from lift.model import BaseModel
    from lift.recipe import Recipe

__all__ = ["absorb"]


def absorb(
    documents: options.Documents,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder for the adapter.")] = None,
    out_dir: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder for the adapters of several documents, each in one named after it."),
    ] = None,
    generator: options.Generator = None,
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
    budget: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Train for about so long (90s, 5m, 1h), the embedded writer's time included: passes and tasks per "
            "segment are chosen to fit, never more than the recipe's. The model is loaded and a few steps are timed "
            "first.",
        ),
    ] = None,
    processes: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Train in N processes together, a GPU each where there are GPUs."),
    ] = None,
    shard: Annotated[
        bool,
        typer.Option(
            "--shard",
            help="With several processes: divide the base model's layers among them (FSDP2), for one that does not "
            "fit a single GPU.",
        ),
    ] = False,
    dry_run: options.DryRun = False,
    overwrite: options.Overwrite = False,
    as_json: options.Json = False,
) -> None:
    """Make a model know DOCUMENT: write tasks about it and train an adapter on them meanwhile.

    Interrupted, it keeps what it has in DIR; the same command goes on and asks only for what is missing.
    Several documents get an adapter each; the base model is loaded once. Without --model and --generator an
    embedded small model is used, and the tasks are written by itself, offline.

    lift absorb report.md --out adapters/report

    lift absorb report.pdf --model Qwen/Qwen3-4B --generator http://localhost:8001/v1 --out adapters/report

    lift absorb a.md b.md c.md --model Qwen/Qwen3-4B --generator http://localhost:8001/v1 --out-dir adapters
    """
    if processes and processes > 1 and "WORLD_SIZE" not in os.environ:
        raise typer.Exit(_launched(processes))
    allowed = None if budget is None else _seconds(budget)
    folders = _folders(documents, out, out_dir)
    if title is not None and len(documents) > 1:
        raise typer.BadParameter("one title does not fit several documents", param_hint="--title")
    from lift.adapter import MANIFEST_FILE, TASKS_FILE, check_output_folder
    from lift.presets import default_recipe, load_recipe

    # What can be wrong is said before torch is loaded.
    targets = dict(zip(documents, folders, strict=True))
    for document, folder in list(targets.items()):
        if out_dir is not None and (folder / MANIFEST_FILE).exists() and not overwrite:
            note(f"{folder} is finished; it is left as it is")
            del targets[document]
        else:
            check_output_folder(folder, overwrite=overwrite)
    chosen = load_recipe(recipe or default_recipe(model), settings or [])
    flags = {"seed": seed, "max_requests": max_requests, "max_tokens": max_tokens}
    chosen = chosen.replace(**{knob: value for knob, value in flags.items() if value is not None})

    from lift.document import read_document

    texts = {folder: read_document(document, title) for document, folder in targets.items()}
    generator = generator or default_writer(model)

    if dry_run:
        from lift.generation import estimate

        for folder, text in texts.items():
            cost = estimate(text, generator=generator, recipe=chosen, store=folder / TASKS_FILE)
            show_estimate(cost, as_json=as_json)
        return

    common = {
        "generator": generator,
        "generator_model": generator_model,
        "overwrite": overwrite,
        "device": device,
        "dtype": dtype,
    }
    base: str | BaseModel | None = model
    if shard:
        from lift.model import load_base_model

        base = load_base_model(model, device=device, dtype=dtype, shard=True)
    failed = 0
    for folder, text in texts.items():
        try:
            fitted = chosen
            if allowed is not None:
                from lift.generation import load_if_named

                base = load_if_named(base, device, dtype)
                fitted = _fitted(text, allowed, base, generator, chosen, folder)
            lifted = _absorb_one(text, folder, base, fitted, quiet=as_json, options=common)
        except LiftError as error:
            if len(documents) == 1:
                raise
            fail(f"{text.source}: {error}")  # the others need not suffer
            failed += 1
            continue
        base = lifted.base
        if not leads():
            pass  # the first process tells
        elif as_json:
            typer.echo(json.dumps({"folder": str(folder), **asdict(lifted.manifest)}, ensure_ascii=False))
        else:
            for line in summary(lifted.manifest):
                note(line)
            note(f'Ask it: lift ask {folder} "..." (with --recall it looks among its tasks first)')
        lifted.close()
    if failed:
        raise LiftError(f"{failed} of {len(documents)} documents failed; the same command goes on with them")


def _absorb_one(
    text: Document,
    folder: Path,
    base: str | BaseModel | None,
    recipe: Recipe,
    *,
    quiet: bool,
    options: Mapping[str, Any],
) -> LiftedModel:
    from lift.pipeline import absorb as run

    with resumable(folder), progress_display(quiet=quiet) as show:
        return run(text, model=base, recipe=recipe, out=folder, on_progress=show, **options)


def _fitted(text: Document, seconds: float, base: BaseModel, generator: str, recipe: Recipe, folder: Path) -> Recipe:
    """The recipe for a time budget; what it came to is said."""
    from lift.pipeline import fit_to_budget

    fitted = fit_to_budget(text, seconds, base=base, generator=generator, recipe=recipe, out=folder)
    writing = fitted.generator_seconds
    note(
        ("" if writing is None else f"{writing:.0f} s of writing, ")
        + f"{seconds - (writing or 0):.0f} s of training: {fitted.epochs} of {recipe.epochs} passes, "
        + f"{fitted.tasks_per_segment} of {recipe.tasks_per_segment} tasks per segment"
        + (f", {fitted.quotes_per_segment} of {recipe.quotes_per_segment} quotes" if recipe.quotes_per_segment else "")
    )
    return fitted


def _launched(processes: int) -> int:
    """Run this command in so many processes; its exit code."""
    threads = os.environ.get("OMP_NUM_THREADS") or str(max(1, (os.cpu_count() or 1) // processes))
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    environment = {**os.environ, "OMP_NUM_THREADS": threads, "OMP_WAIT_POLICY": "PASSIVE"}
    return subprocess.run([*launcher, "-m", "lift", *sys.argv[1:]], env=environment, check=False).returncode


def _seconds(budget: str) -> float:
    """The seconds of `90s`, `5m`, `1.5h` or a plain number of seconds."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", budget.strip())
    if not match or not float(match[1]):
        raise typer.BadParameter(f"{budget!r} is no time; write 90s, 5m or 1h", param_hint="--budget")
    return float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]]


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
