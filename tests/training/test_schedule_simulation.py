"""The schedule never waits (DESIGN, decision 5): simulated clocks of generator and trainer prove its bounds."""

from collections import Counter
from collections.abc import Callable
from itertools import pairwise

import pytest

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


def simulate(arrives: Callable[[int], float], kept_visits: int = 1) -> tuple[float, float, list[list[int]]]:
    """The total time, the time spent waiting, and the steps."""
    schedule = Schedule(epochs=EPOCHS, tasks_per_step=BATCH, seed=0, kept_visits=kept_visits)
    clock = waited = 0.0
    arrived, steps = 0, []
    while True:
        while arrived < TASKS and arrives(arrived) <= clock:
            schedule.arrive([arrived])
            arrived += 1
        if arrived == TASKS:
            schedule.close()
        if step := schedule.next_step():
            clock += len(step) * VISIT
            steps.append(step)
        elif arrived == TASKS:
            return clock, waited, steps
        else:
            waited += arrives(arrived) - clock
            clock = arrives(arrived)


@pytest.mark.parametrize("name", GENERATORS)
@pytest.mark.parametrize("kept_visits", [1, 2])
def test_it_takes_as_long_as_the_slower_of_the_two_and_the_visits_kept_back(name: str, kept_visits: int) -> None:
    arrives = GENERATORS[name]
    total, _, steps = simulate(arrives, kept_visits)
    generation = arrives(TASKS - 1)
    assert total <= 1.05 * max(generation, TRAINING) + kept_visits * TASKS * VISIT
    assert Counter(task for step in steps for task in step) == dict.fromkeys(range(TASKS), EPOCHS)
    # Right at the start there is nothing but the tasks of the step before.
    assert not any(set(one) & set(other) for one, other in pairwise(steps) if max(other) >= 2 * BATCH)


@pytest.mark.parametrize("name", ["all there", "four times faster", "equally fast"])
def test_a_generator_that_keeps_up_is_waited_for_no_longer_than_the_visit_kept_back(name: str) -> None:
    _, waited, _ = simulate(GENERATORS[name])
    assert waited <= TASKS * VISIT + 0.05 * TRAINING


def test_first_pass_only_overlap_would_take_longer() -> None:
    """The paper's way overlaps generation with the first of five epochs alone."""
    total, _, _ = simulate(GENERATORS["equally fast"])
    generation = GENERATORS["equally fast"](TASKS - 1)
    papers = max(generation, TRAINING / EPOCHS) + TRAINING * (EPOCHS - 1) / EPOCHS
    assert total < 0.72 * papers
