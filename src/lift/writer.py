"""Teaching a small model to write tasks: fine-tuning on tasks that a strong model wrote about other documents."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lift.adapter import Manifest, check_output_folder, save_adapter
from lift.document import Document
from lift.errors import TaskFileError
from lift.generation import load_if_named
from lift.model import attach_adapter
from lift.progress import Progress
from lift.recipe import Recipe, load_recipe
from lift.synthesis.backends.recorded import RecordedBackend
from lift.synthesis.checks import is_grounded
from lift.synthesis.writing import WRITER_VERSION, checker_prompt, view, writer_answer, writer_prompt
from lift.tasks import Task
from lift.training.run import TrainingRun

if TYPE_CHECKING:
    from lift.model import BaseModel

__all__ = ["train_writer", "writer_lessons"]


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
        TaskFileError: a recording is damaged or belongs to another document.
    """
    started = time.monotonic()
    folder = Path(out)
    check_output_folder(folder, overwrite=overwrite)
    chosen = load_recipe(recipe)
    lessons = [lesson for document, tasks in recordings for lesson in writer_lessons(document, tasks, chosen)]
    if not lessons:
        raise TaskFileError("there are no recorded tasks to learn from")
    base = load_if_named(model, device, dtype)
    adapted = attach_adapter(base, chosen)
    try:
        run = TrainingRun(
            adapted,
            chosen,
            base.chat_format(chosen.prompt_template, title=""),
            _Lessons(lessons),
            max_tokens=base.context_tokens,
            expected_tasks=len(lessons),
        )
        for _ in run.until_done():
            if on_progress:
                on_progress(run.progress(Progress("training", tasks=run.tasks)))
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
            counts=run.counts(),
            losses=run.losses(),
            seconds={"training": round(run.seconds, 2), "total": round(time.monotonic() - started, 2)},
        )
        return save_adapter(adapted, manifest, folder)
    finally:
        adapted.unload()


def writer_lessons(document: Document, recording: Path, recipe: Recipe) -> list[Task]:
    """Two lessons a recorded segment: to write its pairs, and to answer one of their questions.

    Pairs with names or numbers that the view of the segment does not have are left out: they would teach to invent.
    """
    backend = RecordedBackend.read(recording)
    rng = random.Random(recipe.seed)
    lessons = []
    for segment in backend.segments(document, recipe):
        shown = view(document, segment)
        pairs = [pair for pair in backend.pairs_about(segment) if is_grounded(pair, shown)]
        if not pairs:
            continue
        name, about = f"{document.sha256[:8]}-{segment.index}", (segment.index,)
        lessons.append(Task(name, writer_prompt(shown, len(pairs)), writer_answer(pairs), "segment", about))
        checked = rng.choice(pairs)
        lessons.append(Task(f"{name}-check", checker_prompt(shown, checked.question), checked.answer, "segment", about))
    return lessons


class _Lessons:
    """All lessons at once, as a `TaskSource`."""

    def __init__(self, lessons: Sequence[Task]) -> None:
        self._left = list(lessons)

    def take(self, timeout: float | None = None) -> list[Task]:
        if not self._left:
            raise EOFError
        taken, self._left = self._left, []
        return taken
