"""Teaching a small model to write tasks: fine-tuning on tasks that a strong model wrote about other documents."""

from __future__ import annotations

import os
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lift.adapter import Manifest, check_output_folder, save_adapter
from lift.attaching import attach_adapter
from lift.document import Document
from lift.errors import RecipeError, TaskFileError
from lift.generation import load_if_named
from lift.presets import load_recipe
from lift.progress import Progress
from lift.recipe import Recipe
from lift.synthesis.backends.recorded import RecordedBackend
from lift.synthesis.checks import is_grounded
from lift.synthesis.foci import find_foci, mentions
from lift.synthesis.parser import Pair
from lift.synthesis.writing import WRITER_VERSION, answer_prompt, ask_prompt, view
from lift.tasks import Task
from lift.training.encoding import EncodedTask, encode_task
from lift.training.straight import train_straight
from lift.training.trainer import Trainer, first_and_last

if TYPE_CHECKING:
    from lift.model import BaseModel

__all__ = ["train_writer", "writer_lessons"]

# Lessons a segment, at most, of either kind.
_ASKED: Final = 5
_ANSWERED: Final = 3
_YES_OR_NO: Final = re.compile(r"(yes|no)\b", re.IGNORECASE)


def train_writer(
    recordings: Sequence[tuple[Document, Path]],
    *,
    out: str | os.PathLike[str],
    model: str | os.PathLike[str] | BaseModel | None = None,
    recipe: str | Path | Recipe | Mapping[str, Any] = "writer",
    overwrite: bool = False,
    device: str = "auto",
    dtype: str = "auto",
    on_progress: Callable[[Progress], None] | None = None,
) -> Manifest:
    """Train a LoRA adapter that writes tasks; `writer:OUT` is then a generator for the same base model.

    Args:
        recordings: documents, each with its recorded tasks (`lift tasks`, an adapter's `tasks.jsonl`).
        out: the adapter's folder.
        model: the base model that is taught; None is the embedded one.
        recipe: the knobs of training and of the adapter; those of generation do not count.
        overwrite: replace a finished writer in `out`.
        device, dtype: of the base model.
        on_progress: called with a `Progress` a few times a second.

    Raises:
        AdapterExistsError: there is an adapter in `out` already.
        RecipeError: the recipe asks for another kind of adapter than LoRA.
        TaskFileError: a recording is damaged or belongs to another document.
    """
    started = time.monotonic()
    report = on_progress or (lambda progress: None)
    folder = Path(out)
    check_output_folder(folder, overwrite=overwrite)
    chosen = load_recipe(recipe)
    if chosen.adapter != "lora":
        raise RecipeError(f"a writer is a plain LoRA adapter; adapter={chosen.adapter} cannot be worn for a moment")
    segments = [group for document, tasks in recordings for group in writer_lessons(document, tasks, chosen)]
    if not segments:
        raise TaskFileError("there are no recorded tasks to learn from")
    base = load_if_named(model, device, dtype)
    adapted = attach_adapter(base, chosen)
    try:
        chat_format = base.chat_format(chosen.prompt_template, title="")
        encoded = [[encode_task(lesson, chat_format, base.context_tokens) for lesson in group] for group in segments]
        steps = list(_steps(encoded, chosen))
        lessons = sum(map(len, segments))
        with Trainer(adapted, chosen) as trainer:
            losses = train_straight(
                trainer,
                steps,
                chosen.decay_share,
                lambda progress: report(
                    replace(progress, segments=len(segments), segments_total=len(segments), tasks=lessons)
                ),
            )
        manifest = Manifest(
            document={
                "title": "a task writer",
                "sha256": WRITER_VERSION,
                "characters": sum(len(document.text) for document, _ in recordings),
                "file": None,
            },
            base_model=base.identity(),
            recipe=chosen.to_dict(),
            generator=", ".join(document.title for document, _ in recordings),
            counts={"tasks": lessons, "segments": len(segments), "steps": trainer.steps},
            losses=first_and_last(losses),
            seconds={"total": round(time.monotonic() - started, 2)},
        )
        return save_adapter(base, adapted, manifest, folder)
    finally:
        base.take_off(adapted)


def writer_lessons(document: Document, recording: Path, recipe: Recipe) -> list[list[Task]]:
    """The lessons of every recorded segment: to ask its questions, each for a focus, and to answer some of them.

    Pairs with names or numbers that the view of the segment does not have are left out: they would teach to invent.
    """
    backend = RecordedBackend.read(recording)
    rng = random.Random(recipe.seed)
    lessons = []
    for segment in backend.segments(document, recipe):
        shown, foci, about = view(document, segment), find_foci(segment.text), (segment.index,)
        grounded = [pair for pair in backend.pairs_about(segment) if is_grounded(pair, shown)]
        texts = [
            (ask_prompt(shown, focus), pair.question)
            for pair in grounded
            if not _YES_OR_NO.match(pair.answer) and (focus := _focus_of(pair, foci))
        ]
        texts = rng.sample(texts, min(len(texts), _ASKED))
        answered = rng.sample(grounded, min(len(grounded), _ANSWERED))
        texts += [(answer_prompt(shown, pair.question), pair.answer) for pair in answered]
        names = (f"{document.sha256[:8]}-{segment.index}-{number}" for number in range(len(texts)))
        lessons.append([Task(name, *text, "segment", about) for name, text in zip(names, texts, strict=True)])
    return [group for group in lessons if group]


def _focus_of(pair: Pair, foci: Sequence[str]) -> str | None:
    """What the question asks for: the longest phrase of the answer that it does not say itself."""
    asked_for = [focus for focus in foci if mentions(pair.answer, focus) and not mentions(pair.question, focus)]
    return max(asked_for, key=len, default=None)


def _steps(segments: Sequence[list[EncodedTask]], recipe: Recipe) -> Iterator[list[EncodedTask]]:
    """Whole segments, so that their lessons share a pack and the view is computed once, in another order every pass."""
    rng = random.Random(recipe.seed)
    for _ in range(recipe.epochs):
        step: list[EncodedTask] = []
        for group in rng.sample(list(segments), len(segments)):
            step += group
            if len(step) >= recipe.tasks_per_step:
                yield step
                step = []
        if step:
            yield step
