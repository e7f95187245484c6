from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lift.training.schedule import Schedule


def run(schedule: Schedule, arrivals: list[int]) -> list[list[int]]:
    """Steps dealt when `arrivals[i]` tasks arrive before step i, and the end is known after the last."""
    steps, arrived = [], 0
    for count in arrivals:
        schedule.arrive(range(arrived, arrived + count))
        arrived += count
        if step := schedule.next_step():
            steps.append(step)
    schedule.close()
    while step := schedule.next_step():
        steps.append(step)
    return steps


ARRIVALS = st.lists(st.sampled_from([0, 0, 1, 3, 10]), max_size=30)


@given(ARRIVALS, st.integers(1, 5), st.integers(1, 8), st.integers(0, 3))
def test_every_task_is_visited_exactly_epochs_times(arrivals: list[int], epochs: int, batch: int, seed: int) -> None:
    schedule = Schedule(epochs=epochs, tasks_per_step=batch, seed=seed)
    steps = run(schedule, arrivals)
    assert Counter(task for step in steps for task in step) == dict.fromkeys(range(sum(arrivals)), epochs)
    assert all(len(set(step)) == len(step) <= batch for step in steps)
    assert schedule.visits == epochs * sum(arrivals)
    assert schedule.visits_left == 0


@given(ARRIVALS, st.integers(0, 3))
def test_a_pure_function_of_seed_and_arrivals(arrivals: list[int], seed: int) -> None:
    first, second = (run(Schedule(epochs=3, tasks_per_step=4, seed=seed), arrivals) for _ in range(2))
    assert first == second


def test_all_tasks_there_gives_plain_shuffled_epochs() -> None:
    steps = run(Schedule(epochs=3, tasks_per_step=10, seed=0), [100])
    order = [task for step in steps for task in step]
    passes = [order[start : start + 100] for start in (0, 100, 200)]
    assert all(sorted(one) == list(range(100)) for one in passes)
    assert passes[0] != passes[1] != passes[2]


def test_no_visits_in_neighbouring_steps() -> None:
    steps = run(Schedule(epochs=5, tasks_per_step=10, seed=1), [5, 20, 0, 0, 0, 0, 25, 0, 50])
    assert not any(set(a) & set(b) for a, b in pairwise(steps[3:]))


def test_while_the_generator_is_behind_tasks_are_revisited_but_once() -> None:
    schedule = Schedule(epochs=4, tasks_per_step=4, seed=0)
    schedule.arrive(range(8))
    visits = Counter(task for _ in range(20) for task in schedule.next_step())
    assert visits == dict.fromkeys(range(8), 3)  # one visit of each is kept back
    schedule.arrive([8, 9, 10, 11])
    assert sorted(schedule.next_step()) == [8, 9, 10, 11]  # fresh tasks first
    schedule.close()
    rest: Counter[int] = Counter()
    while step := schedule.next_step():
        rest.update(step)
    assert rest == {**dict.fromkeys(range(8), 1), **dict.fromkeys(range(8, 12), 3)}


@pytest.mark.parametrize(("epochs", "kept", "before_the_end"), [(4, 2, 2), (4, 3, 1), (4, 9, 1), (1, 2, 1)])
def test_visits_kept_back(epochs: int, kept: int, before_the_end: int) -> None:
    schedule = Schedule(epochs=epochs, tasks_per_step=4, seed=0, kept_visits=kept)
    schedule.arrive(range(8))
    assert Counter(task for _ in range(20) for task in schedule.next_step()) == dict.fromkeys(range(8), before_the_end)
    schedule.close()
    rest = Counter(task for _ in range(20) for task in schedule.next_step())
    assert all(rest[task] == epochs - before_the_end for task in range(8))


def test_steps_are_full_until_all_tasks_are_in() -> None:
    schedule = Schedule(epochs=2, tasks_per_step=4, seed=0)
    schedule.arrive([0, 1, 2])
    assert schedule.next_step() == []
    schedule.close()
    assert sorted(schedule.next_step()) == [0, 1, 2]


def test_the_learning_rate_falls_over_the_last_share() -> None:
    schedule = Schedule(epochs=2, tasks_per_step=1, seed=0, decay_share=0.5)
    schedule.arrive(range(10))
    schedule.close()
    scales = []
    while schedule.next_step():
        scales.append(schedule.lr_scale)
    assert scales[:10] == [1.0] * 10
    assert scales[10:] == pytest.approx([0.95, 0.85, 0.75, 0.65, 0.55, 0.45, 0.35, 0.25, 0.15, 0.05])


def test_no_decay_before_all_tasks_are_in_and_no_jump_after() -> None:
    schedule = Schedule(epochs=4, tasks_per_step=1, seed=0, decay_share=0.9)
    schedule.arrive(range(4))
    while schedule.next_step():
        assert schedule.lr_scale == 1.0
    schedule.close()
    scales = []
    while schedule.next_step():
        scales.append(schedule.lr_scale)
    assert scales == pytest.approx([0.875, 0.625, 0.375, 0.125])
