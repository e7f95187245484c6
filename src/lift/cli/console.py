"""Progress and notes on stderr; results are printed on stdout by the commands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lift.launched import rank_and_count

if TYPE_CHECKING:
    from rich.console import Console

    from lift.progress import Progress
    from lift.synthesis.estimate import Estimate

__all__ = ["console", "default_writer", "fail", "leads", "note", "progress_display", "resumable", "show_estimate"]

_PHASES: Final = {
    "loading": "Loading the model",
    "generating": "Waiting for tasks",
    "training": "Training",
    "done": "Done",
}


def console() -> Console:
    """The console for everything that is not a result."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True, quiet=not leads())


def leads() -> bool:
    """Whether this process is the one that speaks, where several train together."""
    return rank_and_count()[0] == 0


def note(text: str) -> None:
    """A line on stderr."""
    console().print(text, markup=False, style="dim")


def fail(text: str) -> None:
    """An error on stderr."""
    console().print(f"error: {text}", markup=False, style="bold red")


@contextmanager
def resumable(out: Path) -> Iterator[None]:
    """Around a run that keeps its tasks in `out`: Ctrl-C says how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        note(f"Interrupted. The tasks so far are in {out}; the same command goes on with them.")
        raise


def default_writer(model: str | None) -> str:
    """The generator where the user names none; says what to expect of it."""
    from lift.synthesis.backends import default_generator

    generator = default_generator(model)
    note(
        "No --generator: the embedded model writes tasks itself, offline, as it was taught to, and what it cannot ask "
        "well is quoted from the text. On two English texts this brought two to three of ten questions right; the "
        "tasks of a strong model bring four to six. To use one: --generator http://localhost:8000/v1 (vLLM, llama.cpp, "
        "Ollama), openai, deepseek."
    )
    return generator


def show_estimate(estimate: Estimate, *, as_json: bool) -> None:
    """What a run would cost, on stdout."""
    import json
    from dataclasses import asdict

    import typer

    if as_json:
        typer.echo(json.dumps(asdict(estimate)))
        return
    usage = estimate.usage
    cost = (
        f"About {usage.prompt:,} prompt tokens, of which a prefix cache can hold {usage.cached:,}, "
        f"and {usage.completion:,} completion tokens."
    )
    typer.echo(
        f"{estimate.requests} request{'' if estimate.requests == 1 else 's'}; "
        f"{estimate.answered} more answered already.\n{cost if usage.prompt else 'No tokens: no model is asked.'}\n"
        + (f"The document goes to {estimate.host}." if estimate.host else "The document stays on this machine.")
    )


@contextmanager
def progress_display(*, quiet: bool = False) -> Iterator[Callable[[Progress], None]]:
    """A display of a run's progress; the function that it yields takes the snapshots."""
    if quiet:
        yield lambda progress: None
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
            failed = f", {progress.failed} failed" if progress.failed else ""
            cost = f", {progress.generator_tokens:,} generator tokens" if progress.generator_tokens else ""
            display.update(
                generating,
                completed=progress.segments,
                total=progress.segments_total or None,
                detail=f"{progress.segments}/{progress.segments_total} segments, {progress.tasks} tasks{failed}{cost}",
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


def _training_detail(progress: Progress) -> str:
    if progress.loss is None:
        return ""
    parts = [f"step {progress.steps}", f"loss {progress.loss:.3f}", f"{progress.tokens_per_second:,.0f} tokens/s"]
    if progress.seconds_left is not None and progress.phase != "done":
        minutes, seconds = divmod(round(progress.seconds_left), 60)
        parts.append(f"{minutes}:{seconds:02d} left")
    return ", ".join(parts)
