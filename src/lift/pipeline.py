"""The whole line, document to adapter; the only module that knows all of it."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Final

from lift.adapter import SCALE_BESIDE_TEXT, SCALE_OF_QUOTES, TASKS_FILE, Manifest, check_output_folder, save_adapter
from lift.atomic import write_atomically
from lift.attaching import attach_adapter
from lift.chat import LiftedModel
from lift.document import Document
from lift.errors import ModelError
from lift.generation import (
    check_any_tasks,
    generation_counts,
    load_if_named,
    name_of,
    open_inputs,
    open_store,
    snapshot,
)
from lift.model import Adapted, BaseModel
from lift.presets import default_recipe, load_recipe
from lift.processes import Processes
from lift.progress import Phase, Progress
from lift.recipe import Recipe
from lift.sharding import is_sharded
from lift.synthesis.backends import Backend
from lift.synthesis.producer import TaskProducer
from lift.training.budget import FITTED_KNOBS, Speed, fit_recipe, measure_speed, seconds_to_spare
from lift.training.checkpoint import CheckpointFolder
from lift.training.run import TrainingRun
from lift.training.source import TaskSource, as_trained

__all__ = ["absorb", "fit_to_budget"]

BUDGET_FILE: Final = "budget.json"
CHECKPOINT_FOLDER: Final = "checkpoint"
# Knobs that may change between a run and the one that goes on with it.
_NOT_OF_TRAINING: Final = frozenset(
    field.name
    for field in dataclasses.fields(Recipe)
    if field.name.startswith(("generator_", "max_failed", "max_requests", "max_tokens", "checkpoint_", "retrieved_"))
)


def absorb(
    document: str | os.PathLike[str] | Document,
    *,
    generator: str | Backend | None = None,
    model: str | os.PathLike[str] | BaseModel | None = None,
    generator_model: str | None = None,
    recipe: str | Path | Recipe | Mapping[str, Any] | None = None,
    title: str | None = None,
    out: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    device: str = "auto",
    dtype: str = "auto",
    on_progress: Callable[[Progress], None] | None = None,
) -> LiftedModel:
    """Make a model know a document: generate tasks about it and train a LoRA adapter on them meanwhile.

    Args:
        document: a file (`read_document` says which), or a `Document`.
        generator: the URL of an OpenAI-compatible server, a provider's name, `vllm:MODEL`, `self` (the base model
            writes the tasks), `writer` or `writer:DIR` (a writer that was taught to: `train_writer`), `quotes` (no
            model: the document's own sentences), `recorded:FILE`, or a `Backend`. None is `writer` for the embedded
            model; other models need one.
        model: the base model (`load_base_model`), or one that is loaded; None is the embedded one.
        generator_model: the generator's name on that server; may be left out if it offers one only.
        recipe: a preset's name, a YAML file, knobs, or a `Recipe`; None is `cpu` for the embedded model
            and `paper` for others.
        title: the document's title, if its own is not right.
        out: the adapter's folder; tasks are kept there while the run goes on, and the same call goes on
            with them after an interruption. Without it, call `save` on the result.
        overwrite: replace a finished adapter in `out`; tasks of the same document and prompt are used again.
        device, dtype: of the base model.
        on_progress: called with a `Progress` a few times a second.

    Returns:
        The model, ready to answer.

    In several processes (`accelerate launch`, `torchrun`) all call it alike and train one adapter together; the first
    one generates and writes `out`.

    Raises:
        LiftError: see `lift.errors`; tasks that were generated stay in `out`.
    """
    started = time.monotonic()
    report = on_progress or (lambda progress: None)
    chosen = load_recipe(default_recipe(name_of(model)) if recipe is None else recipe)
    document, backend = open_inputs(document, title, generator, generator_model, model)
    processes = Processes()
    if not processes.leads:
        return _absorb_along(document, backend, chosen, load_if_named(model, device, dtype), out, processes)
    if out is None:
        scratch = tempfile.TemporaryDirectory(prefix="lift-")
        folder = Path(scratch.name)
    else:
        scratch, folder = None, Path(out)
        check_output_folder(folder, overwrite=overwrite)
    with ExitStack() as stack:
        store = stack.enter_context(open_store(folder / TASKS_FILE, document, backend, chosen, overwrite=overwrite))
        producer = stack.enter_context(TaskProducer(document, backend, chosen, store))
        checkpoints = _checkpoints(out)
        report(Progress("loading", segments_total=len(store.segments)))
        base = load_if_named(model, device, dtype)
        adapted = attach_adapter(base, chosen)
        try:
            if backend.needs_model and is_sharded(base.network):
                raise ModelError("a sharded model answers in all processes at once: it cannot write its own tasks")
            if backend.replays:
                producer.wait()  # everything arrives before the first step: the same run gives the same bytes
            processes.join(base.device)
            expected = processes.share(chosen.expected_tasks(len(store.segments)))
            source = as_trained(producer, store.segments, chosen)
            run = _training_run(adapted, chosen, base, document, backend, source, expected, checkpoints, processes)
            # Not before: a generator's first turn at the model is long, and the run would stand in line for its own.
            backend.use_model(base)
            with closing(run.until_done()) as phases:
                for phase in phases:
                    report(_trained(producer, run, phase))
            check_any_tasks(run.tasks)
            report(_trained(producer, run, "done"))
            manifest = Manifest(
                document={
                    "title": document.title,
                    "sha256": document.sha256,
                    "characters": len(document.text),
                    "file": Path(document.source).name if document.source else None,
                },
                base_model=base.identity(),
                recipe=chosen.to_dict(),
                generator=backend.name,
                counts=generation_counts(producer, store) | run.counts() | backend.notes(),
                losses=run.losses(),
                seconds={
                    "generation": round(producer.seconds, 2),
                    "training": round(run.seconds, 2),
                    "total": round(time.monotonic() - started, 2),
                },
                scale_beside_text=SCALE_OF_QUOTES if backend.quotes else SCALE_BESIDE_TEXT,
            )
            if out is not None:
                manifest = save_adapter(base, adapted, manifest, folder)
                (folder / BUDGET_FILE).unlink(missing_ok=True)
            if checkpoints:
                checkpoints.remove()
            processes.share(dataclasses.asdict(manifest))
        except BaseException:
            base.take_off(adapted, urgent=True)
            raise
        return LiftedModel(base, adapted, manifest, tasks=store.path, scratch=scratch)


def _absorb_along(
    document: Document,
    backend: Backend,
    recipe: Recipe,
    base: BaseModel,
    out: str | os.PathLike[str] | None,
    processes: Processes,
) -> LiftedModel:
    """What a process does that is not the leader: it trains along, on the leader's tasks, and writes nothing."""
    adapted = attach_adapter(base, recipe)
    processes.join(base.device)
    expected = processes.share()
    run = _training_run(adapted, recipe, base, document, backend, None, expected, _checkpoints(out), processes)
    for _ in run.until_done():
        pass
    return LiftedModel(base, adapted, Manifest(**processes.share()))


def _training_run(
    adapted: Adapted,
    recipe: Recipe,
    base: BaseModel,
    document: Document,
    backend: Backend,
    source: TaskSource | None,
    expected_tasks: int,
    checkpoints: CheckpointFolder | None,
    processes: Processes,
) -> TrainingRun:
    return TrainingRun(
        adapted,
        recipe,
        base.chat_format(recipe.prompt_template, document.title),
        source,
        max_tokens=base.context_tokens,
        expected_tasks=expected_tasks,
        turns=base.turns,
        checkpoints=checkpoints,
        identity={
            "document": document.sha256,
            "title": document.title,
            "base_model": base.fingerprint,
            "dtype": base.dtype_name,
            "generator": dataclasses.asdict(backend.identity(document, recipe)),
            "recipe": {name: value for name, value in recipe.to_dict().items() if name not in _NOT_OF_TRAINING},
        },
        processes=processes,
    )


def _checkpoints(out: str | os.PathLike[str] | None) -> CheckpointFolder | None:
    return CheckpointFolder(Path(out) / CHECKPOINT_FOLDER) if out is not None else None


def fit_to_budget(
    document: Document,
    seconds: float,
    *,
    base: BaseModel,
    generator: str | Backend | None,
    recipe: Recipe,
    out: Path,
) -> Recipe:
    """`recipe` with so many passes and tasks per segment that training on `document` ends in about `seconds`.

    What training leaves of them is for the embedded writer; other generators work beside training, as long as they
    take.
    The choice is kept in `out` while the run goes on: the same call after an interruption gives the same recipe.
    Several processes call it together; the first one's measurement counts.

    Raises:
        RecipeError: the budget is too small for one task a segment.
    """
    processes = Processes()
    processes.join(base.device)
    kept = out / BUDGET_FILE
    choice = processes.share(_kept_choice(kept, document, seconds) if processes.leads else None)
    if choice is not None:
        return recipe.replace(**choice)
    _, backend = open_inputs(document, None, generator, None, base)
    segments = backend.segments(document, recipe)
    adapted = attach_adapter(base, recipe)
    try:
        chat_format = base.chat_format(recipe.prompt_template, document.title)
        quotes = recipe.expected_tasks(1) if backend.quotes else recipe.quotes_per_segment
        quoted = quotes / recipe.expected_tasks(1)
        speed = measure_speed(adapted, recipe, chat_format, segments, base.context_tokens, quoted)
    finally:
        base.take_off(adapted)
    speed = Speed(**processes.share(dataclasses.asdict(speed)))  # no two processes measure the same
    fitted = fit_recipe(speed, len(segments), seconds, recipe)
    spare = seconds_to_spare(speed, len(segments), seconds, fitted)
    fitted = fitted.replace(generator_seconds=spare if backend.keeps_time else None)
    if processes.leads:
        out.mkdir(parents=True, exist_ok=True)
        choice = {name: getattr(fitted, name) for name in FITTED_KNOBS}
        write_atomically(kept, json.dumps({"document": document.sha256, "budget": seconds, **choice}))
    return fitted


def _kept_choice(kept: Path, document: Document, seconds: float) -> dict[str, Any] | None:
    """The knobs that an interrupted run with the same budget chose; None where there was none."""
    with contextlib.suppress(OSError, ValueError, KeyError):
        choice: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
        if choice.pop("document") == document.sha256 and choice.pop("budget") == seconds:
            return choice
    return None


def _trained(producer: TaskProducer, run: TrainingRun, phase: Phase) -> Progress:
    """A snapshot of both."""
    return run.progress(snapshot(producer, phase, run.tasks))
