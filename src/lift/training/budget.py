"""A run that ends in time: passes and tasks per segment from the measured speed of a few steps."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Final

from lift.chat_format import ChatFormat
from lift.document import Segment
from lift.errors import RecipeError
from lift.recipe import Recipe
from lift.recitation import recited
from lift.sentences import find_sentences
from lift.tasks import Task
from lift.training.encoding import EncodedTask, encode_task
from lift.training.trainer import Trainer

if TYPE_CHECKING:
    from lift.model import Adapted

__all__ = ["FITTED_KNOBS", "Speed", "fit_recipe", "measure_speed", "seconds_to_spare"]

# What a budget may change.
FITTED_KNOBS: Final = ("epochs", "tasks_per_segment", "quotes_per_segment", "min_steps", "generator_seconds")

# Like those of strong generators: about 80 and 100 characters.
_QUESTION_CHARS: Final = 80
_ANSWER_CHARS: Final = 100
# Machines are not equally fast all the time.
_RESERVE: Final = 0.15
_LEAST_GOOD_EPOCHS: Final = 2
# More of them, the small ones of a short document, help with numbers alone (docs/results.md, needles).
_ENOUGH_STEPS: Final = 40


@dataclass(frozen=True)
class Speed:
    """Seconds of training that a step takes besides its tasks, and a task at its first visit and at every later one."""

    step: float
    first_visit: float
    later_visit: float

    def seconds(self, recipe: Recipe, n_segments: int) -> float:
        """What training by `recipe` on tasks about so many segments takes."""
        tasks = recipe.expected_tasks(n_segments)
        steps = math.ceil(tasks * recipe.epochs / recipe.tasks_in_a_step(tasks))
        return steps * self.step + tasks * (self.first_visit + (recipe.epochs - 1) * self.later_visit)


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
        answer = _stretch(texts, number + 1, _ANSWER_CHARS)
        return Task(str(number), question, recited([source], answer) if recipe.recite else answer)

    size = recipe.tasks_per_step
    tasks = [encode_task(stand_in(number), chat_format, context_tokens) for number in range(2 * size)]
    with Trainer(adapted, recipe) as trainer:

        def seconds(step: Sequence[EncodedTask]) -> float:
            started = time.monotonic()
            trainer.step(step)
            trainer.take_losses()
            return time.monotonic() - started

        seconds(tasks[:size])  # warms up
        seconds(tasks[:1])
        full = fmean(seconds(tasks[:size]) for _ in range(2))
        single = fmean(seconds(tasks[:1]) for _ in range(2))
        first = seconds(tasks[size:])
    # A full step is made of what any step takes and its tasks; a single task tells the two apart.
    rest = min(max(0.0, (size * single - full) / (size - 1)), full) if size > 1 else 0.0
    later = (full - rest) / size
    return Speed(step=rest, first_visit=max(later, (first - rest) / size), later_visit=later)


def fit_recipe(speed: Speed, n_segments: int, seconds: float, recipe: Recipe) -> Recipe:
    """`recipe` with as many visits as `seconds` of training allow, and no more than it asks for itself.

    A short document's small steps go first; then passes, down to two; quotes and tasks per segment; the second pass
    last.

    Raises:
        RecipeError: not even one task a segment and one pass fit.
    """
    allowed = seconds * (1 - _RESERVE)
    if speed.seconds(recipe, n_segments) <= allowed:
        return recipe
    recipe = recipe.replace(min_steps=min(_ENOUGH_STEPS, recipe.min_steps))
    least = min(_LEAST_GOOD_EPOCHS, recipe.epochs)
    all_tasks, all_quotes = recipe.tasks_per_segment, recipe.quotes_per_segment
    fewer = [(all_tasks, quotes) for quotes in range(all_quotes, 0, -1)] + [(n, 0) for n in range(all_tasks, 0, -1)]
    visits = [(*tasks, epochs) for tasks in fewer for epochs in range(recipe.epochs, least - 1, -1)] + [(1, 0, 1)]
    for tasks, quotes, epochs in visits:
        fitted = recipe.replace(tasks_per_segment=tasks, quotes_per_segment=quotes, epochs=epochs)
        if speed.seconds(fitted, n_segments) <= allowed:
            return fitted
    needed = speed.seconds(fitted, n_segments) / (1 - _RESERVE)
    raise RecipeError(
        f"one task for each of {n_segments} segments takes about {needed:.0f} s of training, more than the budget's "
        f"{seconds:.0f} s; give a larger --budget, or larger segments (--set segment=paragraph)"
    )


def seconds_to_spare(speed: Speed, n_segments: int, seconds: float, recipe: Recipe) -> float:
    """What training by `recipe`, which fits into `seconds`, leaves of them."""
    return max(0.0, seconds * (1 - _RESERVE) - speed.seconds(recipe, n_segments))


def _stretch(texts: Sequence[str], number: int, characters: int) -> str:
    """So many characters of the document, other ones for every number."""
    text = texts[number % len(texts)]
    return (text * (characters // max(1, len(text)) + 1))[:characters]
