from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import lift
from lift.attaching import attach_adapter
from lift.document import Document
from lift.errors import RecipeError
from lift.recipe import Recipe
from lift.splitting import split_document
from lift.training.budget import Speed, fit_recipe, measure_speed, seconds_to_spare
from lift.training.encoding import EncodedTask
from lift.training.trainer import Trainer

SPEED = Speed(step=0.0, first_visit=0.2, later_visit=0.1)
RECIPE = Recipe(tasks_per_segment=10, epochs=5)


@pytest.mark.parametrize(
    ("seconds", "tasks", "epochs"),
    [
        (10_000, 10, 5),  # more than it needs: as the recipe says
        (500, 10, 3),  # 1,000 tasks for 425 s
        (360, 10, 2),
        (200, 5, 2),
        (40, 1, 2),
        (25, 1, 1),
    ],
)
def test_passes_go_first_then_tasks_then_the_second_pass(seconds: float, tasks: int, epochs: int) -> None:
    fitted = fit_recipe(SPEED, 100, seconds, RECIPE)
    assert (fitted.tasks_per_segment, fitted.epochs) == (tasks, epochs)
    assert SPEED.seconds(fitted, 100) <= 0.85 * seconds


def test_a_budget_that_nothing_fits_into_says_what_would() -> None:
    with pytest.raises(RecipeError, match=r"100 segments takes about 24 s.*larger --budget"):
        fit_recipe(SPEED, 100, 20, RECIPE)


@pytest.mark.parametrize(("seconds", "quotes", "tasks"), [(10_000, 4, 10), (480, 3, 10), (370, 0, 10), (200, 0, 5)])
def test_quotes_go_before_tasks(seconds: float, quotes: int, tasks: int) -> None:
    fitted = fit_recipe(SPEED, 100, seconds, RECIPE.replace(quotes_per_segment=4))
    assert (fitted.quotes_per_segment, fitted.tasks_per_segment) == (quotes, tasks)
    assert SPEED.seconds(fitted, 100) <= 0.85 * seconds


def test_the_many_small_steps_of_a_short_document_count() -> None:
    speed = Speed(step=0.5, first_visit=0.1, later_visit=0.1)
    recipe = Recipe(tasks_per_segment=5, epochs=4, tasks_per_step=16, min_steps=100)
    assert speed.seconds(recipe, 20) == pytest.approx(100 * 0.5 + 400 * 0.1)  # 100 steps of 4 instead of 25 of 16
    assert speed.seconds(recipe, 200) == pytest.approx(250 * 0.5 + 4000 * 0.1)
    assert fit_recipe(speed, 20, 110, recipe) == recipe
    larger = fit_recipe(speed, 20, 100, recipe)
    assert (larger.epochs, larger.min_steps) == (4, 40)
    assert speed.seconds(larger, 20) == pytest.approx(40 * 0.5 + 400 * 0.1)
    assert fit_recipe(speed, 20, 60, recipe).epochs == 3


def test_what_training_leaves_is_to_spare() -> None:
    assert seconds_to_spare(SPEED, 100, 1000, RECIPE) == pytest.approx(850 - 600)
    fitted = fit_recipe(SPEED, 100, 360, RECIPE)
    assert 0 <= seconds_to_spare(SPEED, 100, 360, fitted) < 10


def test_a_recipe_of_one_pass_keeps_it() -> None:
    assert fit_recipe(SPEED, 100, 100, RECIPE.replace(epochs=1)).tasks_per_segment == 4


def test_the_speed_is_measured(tiny_model: Path, picardo: Document) -> None:
    base = lift.load_base_model(tiny_model, device="cpu", dtype="float32")
    recipe = lift.load_recipe("cpu", {"rank": 4})
    adapted = attach_adapter(base, recipe)
    segments = split_document(picardo, recipe)
    speed = measure_speed(adapted, recipe, base.chat_format(recipe.prompt_template, "T"), segments, base.context_tokens)
    assert 0 < speed.later_visit <= speed.first_visit < 5
    assert 0 <= speed.step < 5


@pytest.fixture
def lengths(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """Tokens of the answers of every step."""
    seen: list[list[int]] = []
    step = Trainer.step

    def watched(trainer: Trainer, tasks: Sequence[EncodedTask], **options: Any) -> None:
        seen.append([len(task.answer_ids) for task in tasks])
        step(trainer, tasks, **options)

    monkeypatch.setattr(Trainer, "step", watched)
    return seen


def timed(base: lift.BaseModel, recipe: Recipe, quoted: float = 0.0) -> None:
    """Measure the speed for tasks about one long sentence."""
    text = "The old mill stands by the river, " * 8 + "and turns. " + "It turns no more. " * 3
    segments = split_document(Document.from_text(text, "M"), recipe)
    adapted = attach_adapter(base, recipe)
    measure_speed(adapted, recipe, base.chat_format("{question}", "M"), segments[:1], base.context_tokens, quoted)
    base.take_off(adapted)


def test_quotes_are_timed_as_the_sentences_that_they_are(tiny_model: Path, lengths: list[list[int]]) -> None:
    base = lift.load_base_model(tiny_model, device="cpu", dtype="float32")
    for quoted in (0.0, 0.5, 1.0):
        timed(base, Recipe(rank=2, tasks_per_step=8), quoted)
    plain, half, whole = lengths[0], lengths[7], lengths[14]
    assert max(plain) < min(whole)
    assert sorted(half) == sorted(plain[:4] + whole[:4])


def test_what_is_recited_is_timed_with_the_answers(tiny_model: Path, lengths: list[list[int]]) -> None:
    base = lift.load_base_model(tiny_model, device="cpu", dtype="float32")
    for recite in (False, True):
        timed(base, Recipe(rank=2, tasks_per_step=8, recite=recite))
    timed(base, Recipe(rank=2, tasks_per_step=8), 1.0)
    plain, reciting, passages = lengths[0], lengths[7], lengths[14]
    assert min(reciting) > max(passages) > max(plain)
