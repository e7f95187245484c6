"""Generation alone: tasks into a file, tasks as a dataset, what they would cost."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lift.document import Document, read_document
from lift.errors import GenerationError, LiftWarning, StoreMismatchError
from lift.presets import load_recipe
from lift.progress import REPORT_SECONDS, Phase, Progress
from lift.recipe import Recipe
from lift.synthesis.backends import Backend, default_generator, open_backend
from lift.synthesis.estimate import Estimate, estimate_cost
from lift.synthesis.producer import TaskProducer
from lift.task_store import TaskStore, answered_requests

if TYPE_CHECKING:
    from lift.model import BaseModel
    from lift.training.interop import TaskDataset

__all__ = [
    "check_any_tasks",
    "estimate",
    "generation_counts",
    "load_if_named",
    "name_of",
    "open_inputs",
    "open_store",
    "snapshot",
    "task_dataset",
    "write_tasks",
]


def write_tasks(
    document: str | os.PathLike[str] | Document,
    out: str | os.PathLike[str],
    *,
    generator: str | Backend | None = None,
    generator_model: str | None = None,
    model: str | os.PathLike[str] | BaseModel | None = None,
    recipe: str | Path | Recipe | Mapping[str, Any] = "paper",
    title: str | None = None,
    overwrite: bool = False,
    device: str = "auto",
    dtype: str = "auto",
    on_progress: Callable[[Progress], None] | None = None,
) -> dict[str, Any]:
    """Generation alone: the tasks of a document into the file `out`, which `recorded:FILE` reads.

    An unfinished file is gone on with. See `absorb` for the arguments; `model`, `device` and `dtype` count where
    the generator computes with the base model: `self`, `writer`.

    Returns:
        The counts, with `complete`: whether no segment failed.

    Raises:
        LiftError: as `absorb` does; tasks that were written stay in `out`.
    """
    report = on_progress or (lambda progress: None)
    document, backend = open_inputs(document, title, generator, generator_model, model)
    with _producing(document, backend, load_recipe(recipe), Path(out), overwrite=overwrite) as (store, producer):
        if backend.needs_model:
            backend.use_model(load_if_named(model, device, dtype))
        all_in = False
        while not all_in:
            try:
                producer.take(timeout=REPORT_SECONDS)
            except EOFError:
                all_in = True
            report(snapshot(producer, "generating", store.n_tasks))
        check_any_tasks(store.n_tasks)
        return (
            generation_counts(producer, store) | {"tasks": store.n_tasks, "complete": store.complete} | backend.notes()
        )


@contextlib.contextmanager
def task_dataset(
    document: str | os.PathLike[str] | Document,
    base: BaseModel,
    out: str | os.PathLike[str],
    *,
    generator: str | Backend | None = None,
    generator_model: str | None = None,
    recipe: str | Path | Recipe | Mapping[str, Any] = "paper",
    title: str | None = None,
    overwrite: bool = False,
) -> Iterator[TaskDataset]:
    """The tasks of a document as a dataset for a training loop of your own, while they are being written.

    `base` gives tokenizer and chat format; the recipe's knobs of generation, `epochs`, `prompt_template`, `recite`
    and `seed` count, those of training do not. Leaving the context ends generation; `out` keeps the tasks.

    See `absorb` and `write_tasks` for the arguments.
    """
    from lift.training.interop import TaskDataset
    from lift.training.source import as_trained

    chosen = load_recipe(recipe)
    document, backend = open_inputs(document, title, generator, generator_model, base)
    with _producing(document, backend, chosen, Path(out), overwrite=overwrite) as (store, producer):
        if backend.needs_model:
            backend.use_model(base)
        yield TaskDataset(
            as_trained(producer, store.segments, chosen),
            base.chat_format(chosen.prompt_template, document.title),
            epochs=chosen.epochs,
            max_tokens=base.context_tokens,
            pad_token_id=int(base.tokenizer.pad_token_id),
            seed=chosen.seed,
        )


@contextlib.contextmanager
def _producing(
    document: Document, backend: Backend, recipe: Recipe, out: Path, *, overwrite: bool
) -> Iterator[tuple[TaskStore, TaskProducer]]:
    """The store at `out`, and the producer that fills it until the context ends."""
    with (
        open_store(out, document, backend, recipe, overwrite=overwrite) as store,
        TaskProducer(document, backend, recipe, store) as producer,
    ):
        yield store, producer


def estimate(
    document: str | os.PathLike[str] | Document,
    *,
    generator: str | Backend | None = None,
    model: str | os.PathLike[str] | BaseModel | None = None,
    recipe: str | Path | Recipe | Mapping[str, Any] = "paper",
    title: str | None = None,
    store: str | os.PathLike[str] | None = None,
) -> Estimate:
    """What generation would cost; nothing is sent.

    Args:
        store: a task file whose answers need not be asked for again.
    """
    document, backend = open_inputs(document, title, generator, None, model)
    answered = answered_requests(Path(store)) if store else ()
    return estimate_cost(document, backend, load_recipe(recipe), answered)


def open_inputs(
    document: str | os.PathLike[str] | Document,
    title: str | None,
    generator: str | Backend | None,
    generator_model: str | None,
    model: str | os.PathLike[str] | BaseModel | None,
) -> tuple[Document, Backend]:
    """What the user named, read and opened."""
    if not isinstance(document, Document):
        document = read_document(document, title)
    if generator is None:
        generator = default_generator(name_of(model))
    if isinstance(generator, str):
        generator = open_backend(generator, generator_model)
    return document, generator


def name_of(model: str | os.PathLike[str] | BaseModel | None) -> str | None:
    """What the user calls `model`, loaded or not."""
    if model is None:
        return None
    return getattr(model, "id", None) or os.fspath(model)  # type: ignore[arg-type]  # a BaseModel has an id


def load_if_named(model: str | os.PathLike[str] | BaseModel | None, device: str, dtype: str) -> BaseModel:
    """`model`, loaded if it is not yet."""
    from lift.model import BaseModel, load_base_model

    return model if isinstance(model, BaseModel) else load_base_model(model, device=device, dtype=dtype)


def open_store(path: Path, document: Document, backend: Backend, recipe: Recipe, *, overwrite: bool) -> TaskStore:
    """The store at `path`; with `overwrite`, one of another document or prompt is replaced."""
    segments = backend.segments(document, recipe)
    identity = backend.identity(document, recipe)
    try:
        store = TaskStore.open(path, document, identity, segments)
    except StoreMismatchError:
        if not overwrite:
            raise
        requests = {
            request.key: tuple(segment.index for segment in request.segments)
            for request in backend.requests(document, segments, recipe)
        }
        store = TaskStore.replace(path, document, identity, segments, requests)
    if store.torn:
        message = f"the last line of {path} was torn, as a crash leaves it; it is dropped and will be asked for again"
        warnings.warn(message, LiftWarning, stacklevel=3)
    return store


def check_any_tasks(tasks: int) -> None:
    """Raises GenerationError where all is asked and nothing came of it."""
    if not tasks:
        raise GenerationError(
            "the generator gave no tasks, so there is nothing to learn: is there a sentence in the document?"
        )


def generation_counts(producer: TaskProducer, store: TaskStore) -> dict[str, Any]:
    """For the manifest."""
    counts = producer.counts
    return {
        "segments": len(store.segments),
        "asked_about": counts.segments,
        "failed_segments": counts.failed,
        "requests": counts.requests,
        "retries": counts.retries,
        "failures": dict(counts.failures),
        "kept": counts.kept,
        "quoted": counts.quoted,
        "dropped": dict(counts.dropped),
        "generator_tokens": dataclasses.asdict(counts.usage),
    }


def snapshot(producer: TaskProducer, phase: Phase, tasks: int) -> Progress:
    """A snapshot of generation alone."""
    counts = producer.counts
    return Progress(phase, counts.answered, counts.segments, counts.failed, tasks, generator_tokens=counts.usage.total)
