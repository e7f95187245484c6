"""Notes on stderr; results are printed on stdout by the commands."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lift.launched import rank_and_count

if TYPE_CHECKING:
    from rich.console import Console

    from lift.synthesis.estimate import Estimate

__all__ = ["console", "default_writer", "fail", "leads", "note", "resumable", "show_estimate"]


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
        "well is quoted from the text. Of ten questions about two English texts two to three were answered right then, "
        "and about five with `lift ask --recall` (one text); the tasks of a strong model bring four to six, and seven "
        "to eight. To use one: --generator http://localhost:8000/v1 (vLLM, llama.cpp, Ollama), openai, deepseek."
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
