"""A run that waits for a slow generator, and one that has no reason to."""

import math
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import lift
from lift.attaching import attach_adapter
from lift.tasks import Task
from lift.training.run import TrainingRun

RECIPE = lift.Recipe(rank=2, alpha=4, lr=1e-3, epochs=3, tasks_per_step=4, min_steps=1)


@dataclass
class Slow:
    """Tasks that arrive four at a time, each batch after `ticks` looks, and an estimate of when the last one does.

    Attributes:
        seconds_left: the estimate.
        seen: how many steps had been made at each look, by `watch`.
    """

    seconds_left: float | None
    batches: int = 5
    ticks: int = 6
    run: TrainingRun | None = None
    seen: list[int] = field(default_factory=list)

    def take(self, timeout: float | None = None) -> list[Task]:
        if self.run is None:
            return []
        self.seen.append(self.run.steps)
        batch, tick = divmod(len(self.seen) - 1, self.ticks)
        if batch == self.batches:
            raise EOFError
        if tick:
            return []
        return [Task(f"{batch}-{n}", f"What is {batch} and {n}?", "No more than that.") for n in range(4)]


@pytest.fixture(scope="module")
def base(tiny_model: Path) -> lift.BaseModel:
    return lift.load_base_model(tiny_model, device="cpu", dtype="float32")


def run_beside(source: Slow, base: lift.BaseModel) -> TrainingRun:
    adapted = attach_adapter(base, RECIPE)
    run = TrainingRun(
        adapted,
        RECIPE,
        base.chat_format(RECIPE.prompt_template, "Sums"),
        source,
        max_tokens=base.context_tokens,
        expected_tasks=20,
    )
    source.run = run
    for _ in run.until_done():
        pass
    base.take_off(adapted)
    return run


@pytest.mark.parametrize("seconds_left", [3600.0, math.inf])
def test_while_there_is_time_it_waits_after_the_first_step(base: lift.BaseModel, seconds_left: float) -> None:
    source = Slow(seconds_left)
    run = run_beside(source, base)
    assert set(source.seen) == {0, 1}
    assert run.visits == run.visits_total == 60
    assert run.steps == 15


@pytest.mark.parametrize("seconds_left", [None, 0.0, 1e-6])
def test_otherwise_it_never_waits(base: lift.BaseModel, seconds_left: float | None) -> None:
    source = Slow(seconds_left)
    run = run_beside(source, base)
    assert source.seen[-1] == 10  # the two visits of all 20 tasks that need not wait for the last one
    assert run.steps == 15
