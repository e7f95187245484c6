"""How far a run is, on stderr: bars in a terminal, now and then a line in a log."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar

from lift.cli.console import console, note

if TYPE_CHECKING:
    from lift.evaluation.progress import GridProgress
    from lift.progress import Progress

__all__ = ["grid_display", "progress_display"]

_PHASES: Final = {
    "loading": "Loading the model",
    "generating": "Waiting for tasks",
    "training": "Training",
    "done": "Done",
}
_Snapshot = TypeVar("_Snapshot")
# Between two lines of a log.
_LOG_SECONDS: Final = 30.0


@contextmanager
def progress_display(*, quiet: bool = False) -> Iterator[Callable[[Progress], None]]:
    """A display of a run's progress; the function that it yields takes the snapshots."""
    if undrawn := _undrawn(_line, lambda progress: progress.phase == "done", quiet=quiet):
        yield undrawn
        return
    from rich.progress import BarColumn, SpinnerColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Display

    with Display(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TaskProgressColumn(),
        TextColumn("{task.fields[detail]}"),
        TimeElapsedColumn(),
        console=console(),
    ) as display:
        generating = display.add_task("Tasks", total=None, detail="")
        training: Any = None

        def show(progress: Progress) -> None:
            nonlocal training
            display.update(
                generating,
                completed=progress.segments,
                total=progress.segments_total or None,
                detail=_generation_detail(progress),
            )
            if training is None:
                training = display.add_task(_PHASES[progress.phase], total=None, detail="")
            display.update(
                training,
                description=_PHASES[progress.phase],
                completed=progress.visits,
                total=progress.visits_total or None,
                detail=_training_detail(progress),
            )

        yield show


@contextmanager
def grid_display(*, quiet: bool = False) -> Iterator[Callable[[GridProgress], None]]:
    """The same for an evaluation."""
    if undrawn := _undrawn(_grid_line, lambda progress: progress.done == progress.total, quiet=quiet):
        yield undrawn
        return
    from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Display

    with Display(
        SpinnerColumn(),
        MofNCompleteColumn(),
        BarColumn(bar_width=30),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        console=console(),
    ) as display:
        cells = display.add_task("", total=None)
        training = display.add_task("", visible=False)

        def show(progress: GridProgress) -> None:
            display.update(cells, completed=progress.done, total=progress.total, description=_grid_detail(progress))
            display.update(training, visible=progress.training is not None)
            if progress.training is not None:
                display.update(
                    training,
                    completed=progress.training.visits,
                    total=progress.training.visits_total or None,
                    description=_details(progress.training),
                )

        yield show


def _undrawn(
    line: Callable[[_Snapshot], str], is_last: Callable[[_Snapshot], bool], *, quiet: bool
) -> Callable[[_Snapshot], None] | None:
    """What takes snapshots where nothing can be drawn; None in a terminal.

    In a log it writes the first one, the last one, and what is true every half minute between them.
    """
    if quiet:
        return lambda progress: None
    if console().is_terminal:
        return None
    written = -math.inf

    def log(progress: _Snapshot) -> None:
        nonlocal written
        now = time.monotonic()
        if is_last(progress) or now - written >= _LOG_SECONDS:
            written = now
            note(line(progress))

    return log


def _line(progress: Progress) -> str:
    return f"{_PHASES[progress.phase]}: {_details(progress)}"


def _details(progress: Progress) -> str:
    return "; ".join(filter(None, [_generation_detail(progress), _training_detail(progress)]))


def _generation_detail(progress: Progress) -> str:
    if not progress.segments_total:
        return ""
    parts = [f"{progress.segments}/{progress.segments_total} segments, {progress.tasks} tasks"]
    if progress.failed:
        parts.append(f"{progress.failed} failed")
    if progress.generator_tokens:
        parts.append(f"{progress.generator_tokens:,} generator tokens")
    return ", ".join(parts)


def _training_detail(progress: Progress) -> str:
    if progress.loss is None:
        return ""
    parts = [f"step {progress.steps}", f"loss {progress.loss:.3f}", f"{progress.tokens_per_second:,.0f} tokens/s"]
    if progress.seconds_left is not None and progress.phase != "done":
        parts.append(_time_left(progress.seconds_left))
    return ", ".join(parts)


def _grid_line(progress: GridProgress) -> str:
    now = [_grid_detail(progress), _details(progress.training) if progress.training else ""]
    return ": ".join(filter(None, [f"{progress.done}/{progress.total}", *now]))


def _grid_detail(progress: GridProgress) -> str:
    parts = [progress.doing] if progress.doing else []
    if progress.errors:
        parts.append(f"{progress.errors} errors")
    if progress.seconds_left:
        parts.append(_time_left(progress.seconds_left))
    return ", ".join(parts)


def _time_left(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d} left"
