"""A run that ends in time: passes and tasks per segment from the measured speed of a few steps."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lift.chat_format import ChatFormat
from lift.document import Segment
from lift.errors import RecipeError
from lift.recipe import Recipe
from lift.sentences import find_sentences
from lift.tasks import Task
from lift.training.encoding import encode_task
from lift.training.trainer import Trainer

if TYPE_CHECKING:
    from lift.model import Adapted

__all__ = ["FITTED_KNOBS", "Speed", "fit_recipe", "measure_speed", "seconds_to_spare"]

# What a budget may change.
FITTED_KNOBS: Final = ("epochs", "tasks_per_segment", "quotes_per_segment", "generator_seconds")

# Like those of strong generators: about 80 and 100 characters.
_QUESTION_CHARS: Final = 80
_ANSWER_CHARS: Final = 100
# Machines are not equally fast all the time.
_RESERVE: Final = 0.15
_LEAST_GOOD_EPOCHS: Final = 2


@dataclass(frozen=True)
class Speed:
    """Seconds of training a task takes, at its first visit and at every later one."""

    first_visit: float
    later_visit: float

    def total(self, tasks: int, epochs: int) -> float:
        return tasks * (self.first_visit + (epochs - 1) * self.later_visit)


def measure_speed(
    adapted: Adapted,
    recipe: Recipe,
    chat_format: ChatFormat,
    segments: Sequence[Segment],
    context_tokens: int,
    quoted: float = 0.0,
) -> Speed:
    """Train a few steps on stand-ins for tasks, made of the document's own text; the adapter is spoilt by it.

    Args:
        adapted: the base model with an adapter for this alone.
        quoted: the share of the tasks whose answers are whole sentences of the document.
    """
    texts = [segment.text for segment in segments]

    def stand_in(number: int) -> Task:
        question, source = _stretch(texts, number, _QUESTION_CHARS), texts[(number + 1) % len(texts)]
        is_quote = math.floor((number + 1) * quoted) > math.floor(number * quoted)
        if is_quote:
            return Task(str(number), question, next((sentence for _, sentence in find_sentences(source)), source))
        return Task(str(number), question, _stretch(texts, number + 1, _ANSWER_CHARS))

    batches = [
        [encode_task(stand_in(n), chat_format, context_tokens) for n in range(start, start + recipe.tasks_per_step)]
        for start in (0, recipe.tasks_per_step)
    ]
    with Trainer(adapted, recipe) as trainer:

        def seconds(batch: int) -> float:
            started = time.monotonic()
            trainer.step(batches[batch])
            trainer.take_losses()
            return (time.monotonic() - started) / recipe.tasks_per_step

        seconds(0)  # warms up
        later = (seconds(0) + seconds(0)) / 2
        return Speed(first_visit=max(later, seconds(1)), later_visit=later)


def fit_recipe(speed: Speed, n_segments: int, seconds: float, recipe: Recipe) -> Recipe:
    """`recipe` with as many visits as `seconds` of training allow, and no more than it asks for itself.

    Passes go first, down to two; then quotes and tasks per segment; the second pass last.

    Raises:
        RecipeError: not even one task a segment and one pass fit.
    """
    allowed = seconds * (1 - _RESERVE)
    least = min(_LEAST_GOOD_EPOCHS, recipe.epochs)
    all_tasks, all_quotes = recipe.tasks_per_segment, recipe.quotes_per_segment
    fewer = [(all_tasks, quotes) for quotes in range(all_quotes, 0, -1)] + [(n, 0) for n in range(all_tasks, 0, -1)]
    for tasks, quotes in fewer:
        for epochs in range(recipe.epochs, least - 1, -1):
            if speed.total((tasks + quotes) * n_segments, epochs) <= allowed:
                return recipe.replace(tasks_per_segment=tasks, quotes_per_segment=quotes, epochs=epochs)
    if speed.total(n_segments, 1) <= allowed:
        return recipe.replace(tasks_per_segment=1, quotes_per_segment=0, epochs=1)
    needed = speed.total(n_segments, 1) / (1 - _RESERVE)
    raise RecipeError(
        f"one task for each of {n_segments} segments takes about {needed:.0f} s of training, more than the budget's "
        f"{seconds:.0f} s; give a larger --budget, or larger segments (--set segment=paragraph)"
    )


def seconds_to_spare(speed: Speed, n_segments: int, seconds: float, recipe: Recipe) -> float:
    """What training by `recipe`, which fits into `seconds`, leaves of them."""
    return max(0.0, seconds * (1 - _RESERVE) - speed.total(recipe.expected_tasks(n_segments), recipe.epochs))


def _stretch(texts: Sequence[str], number: int, characters: int) -> str:
    """So many characters of the document, other ones for every number."""
    text = texts[number % len(texts)]
    return (text * (characters // max(1, len(text)) + 1))[:characters]
