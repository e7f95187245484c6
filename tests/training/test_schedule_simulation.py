"""Training beside a generator ends as early as it can (DESIGN, decision 5), shown on simulated clocks of both."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import pytest

from lift.synthesis.pace import Pace
from lift.training.patience import may_wait
from lift.training.schedule import Schedule

TASKS, EPOCHS, BATCH = 800, 5, 16
# Seconds of training a visit; a whole run trains for 800 * 5 * 0.1 = 400 s.
VISIT = 0.1
TRAINING = TASKS * EPOCHS * VISIT


def steady(total: float) -> Callable[[int], float]:
    """When task n arrives if all arrive evenly over `total` seconds."""
    return lambda n: (n + 1) * total / TASKS


def bursts(total: float, count: int) -> Callable[[int], float]:
    """The same in `count` bursts, each at the end of its share of the time."""
    return lambda n: (n * count // TASKS + 1) * total / count


GENERATORS: dict[str, Callable[[int], float]] = {
    "all there": lambda n: 0.0,
    "four times faster": steady(TRAINING / 4),
    "equally fast": steady(TRAINING),
    "four times slower": steady(TRAINING * 4),
    "bursty, equally fast": bursts(TRAINING, 20),
    "bursty and slow": bursts(TRAINING * 3, 8),
}


# How often a trainer that waits looks at the clock, in seconds.
TICK = 0.25


@dataclass
class Simulated:
    """A run on simulated clocks.

    Attributes:
        total: seconds until the last step was done.
        waited: seconds without a step.
        steps: the tasks of each.
        begun: how many tasks were there at the second step.
    """

    total: float
    waited: float
    steps: list[list[int]]
    begun: int


def simulate(
    arrives: Callable[[int], float], kept_visits: int = 1, *, expected: int = TASKS, patient: bool = True
) -> Simulated:
    """What `TrainingRun` does beside a generator whose task n arrives at `arrives(n)`."""
    schedule = Schedule(epochs=EPOCHS, tasks_per_step=BATCH, seed=0, kept_visits=kept_visits)
    pace = Pace()
    clock = waited = 0.0
    arrived = begun = 0
    steps: list[list[int]] = []
    while True:
        while arrived < TASKS and arrives(arrived) <= clock:
            schedule.arrive([arrived])
            arrived += 1
        if arrived == TASKS:
            schedule.close()
        generation_left = pace.seconds_left(arrived, TASKS, clock)
        training_left = schedule.visits_before_the_last(expected) * VISIT
        waits = patient and bool(steps) and arrived < TASKS and may_wait(generation_left, training_left)
        if step := [] if waits else schedule.next_step():
            begun = begun or (arrived if steps else 0)
            clock += len(step) * VISIT
            steps.append(step)
        elif arrived == TASKS:
            return Simulated(clock, waited, steps, begun)
        else:
            waited += TICK
            clock += TICK


@pytest.mark.parametrize("name", GENERATORS)
@pytest.mark.parametrize("kept_visits", [1, 2])
@pytest.mark.parametrize("expected", [TASKS, 2 * TASKS])
def test_it_takes_as_long_as_the_slower_of_the_two_and_the_visits_kept_back(
    name: str, kept_visits: int, expected: int
) -> None:
    arrives = GENERATORS[name]
    run = simulate(arrives, kept_visits, expected=expected)
    generation = arrives(TASKS - 1)
    assert run.total <= 1.05 * max(generation, TRAINING) + kept_visits * TASKS * VISIT
    assert Counter(task for step in run.steps for task in step) == dict.fromkeys(range(TASKS), EPOCHS)
    # Right at the start there is nothing but the tasks of the step before.
    assert not any(set(one) & set(other) for one, other in pairwise(run.steps) if max(other) >= 2 * BATCH)


@pytest.mark.parametrize("name", GENERATORS)
def test_patience_costs_no_time(name: str) -> None:
    patient, eager = (simulate(GENERATORS[name], patient=patient) for patient in (True, False))
    assert patient.total <= 1.01 * eager.total


def test_beside_a_slow_generator_training_begins_when_most_tasks_are_there() -> None:
    assert simulate(GENERATORS["four times slower"]).begun > 0.7 * TASKS
    assert simulate(GENERATORS["four times slower"], patient=False).begun < 0.05 * TASKS


@pytest.mark.parametrize("name", ["all there", "four times faster", "equally fast"])
def test_a_generator_that_keeps_up_is_waited_for_no_longer_than_the_visit_kept_back(name: str) -> None:
    assert simulate(GENERATORS[name]).waited <= TASKS * VISIT + 0.05 * TRAINING


def test_first_pass_only_overlap_would_take_longer() -> None:
    """The paper's way overlaps generation with the first of five epochs alone."""
    total = simulate(GENERATORS["equally fast"]).total
    generation = GENERATORS["equally fast"](TASKS - 1)
    papers = max(generation, TRAINING / EPOCHS) + TRAINING * (EPOCHS - 1) / EPOCHS
    assert total < 0.72 * papers
