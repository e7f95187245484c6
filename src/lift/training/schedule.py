"""Which tasks the next optimizer step visits: work-conserving, seeded, every task visited `epochs` times."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterable

__all__ = ["Schedule", "straight_fall"]


class Schedule:
    """Deals arriving tasks into steps (DESIGN, decision 5).

    Fresh tasks come first. While the generator is behind, steps go on with further visits of the tasks that
    are there, but for the last visits of each, which are kept back until all tasks are in. Among tasks to
    revisit, those with the fewest visits come first, in random order, and none that the step before had
    where there are others. Once all tasks are in, what is left are passes over all of them.

    A pure function of the seed and of the calls made: the same arrivals at the same steps give the same
    schedule.

    Args:
        epochs: visits of every task.
        tasks_per_step: tasks in a step; the last ones may be smaller.
        seed: of the order.
        decay_share: the last share of all visits over which the learning rate falls.
        kept_visits: visits of every task that are kept back; the first one never is.
    """

    def __init__(
        self, *, epochs: int, tasks_per_step: int, seed: int, decay_share: float = 0.0, kept_visits: int = 1
    ) -> None:
        self._epochs = epochs
        self._allowed_at_first = max(1, epochs - kept_visits)
        self._decay_share = decay_share
        self._decay_visits = 0.0
        self._tasks_per_step = tasks_per_step
        self._random = random.Random(seed)
        self._fresh: deque[int] = deque()
        # Shuffled tasks by the visits they have had; a step's tasks are put back only after the next step.
        self._visited: list[list[int]] = [[] for _ in range(epochs)]
        self._last: list[tuple[int, int]] = []
        self._closed = False
        self.visits = 0
        self.tasks = 0

    @property
    def visits_left(self) -> int:
        """Visits still to come for the tasks known now."""
        return self.tasks * self._epochs - self.visits

    def visits_before_the_last(self, tasks: int) -> int:
        """Visits still to come of `tasks` tasks in all that need not wait for the last one to arrive."""
        return max(tasks, self.tasks) * self._allowed_at_first - self.visits

    @property
    def lr_scale(self) -> float:
        """Factor of the learning rate for the step dealt last: 1, then a straight fall towards 0.

        The fall begins no earlier than the number of tasks is known, and has no jump where that is late.
        """
        if not self._decay_visits:
            return 1.0
        # The middle of the step, so that the last one still counts.
        left = self.visits_left + len(self._last) / 2
        return min(1.0, left / self._decay_visits)

    def arrive(self, tasks: Iterable[int]) -> None:
        """Tasks, by number, that may be visited from now on."""
        for task in tasks:
            self._fresh.append(task)
            self.tasks += 1

    def close(self) -> None:
        """All tasks are in."""
        if self._closed:
            return
        self._closed = True
        self._decay_visits = min(self._decay_share * self.tasks * self._epochs, self.visits_left)
        shuffled = list(self._fresh)
        self._random.shuffle(shuffled)
        self._fresh = deque(shuffled)

    def next_step(self) -> list[int]:
        """The tasks of the next step.

        Empty where there is nothing to do: at the end, or until more tasks arrive. Steps are full until all
        tasks are in.
        """
        allowed = self._epochs if self._closed else self._allowed_at_first
        ready = len(self._fresh) + sum(map(len, self._visited[1:allowed]))
        waiting = sum(visits < allowed for _, visits in self._last)
        # The tasks of the step before may come at once again only where there are no others.
        few = not self._closed and self.tasks < 2 * self._tasks_per_step
        if ready + (waiting if few or self._closed else 0) < (1 if self._closed else self._tasks_per_step):
            return []
        step: list[tuple[int, int]] = []
        self._take(step, allowed)
        if len(step) < self._tasks_per_step and (few or not step):
            self._put_back()
            self._take(step, allowed)
        self._put_back()
        self._last = step
        self.visits += len(step)
        return [task for task, _ in step]

    def _take(self, step: list[tuple[int, int]], allowed: int) -> None:
        """Fill `step`: fresh tasks, then those with the fewest visits."""
        while self._fresh and len(step) < self._tasks_per_step:
            step.append((self._fresh.popleft(), 1))
        for visits, pool in enumerate(self._visited[1:allowed], start=1):
            while pool and len(step) < self._tasks_per_step:
                step.append((pool.pop(), visits + 1))

    def _put_back(self) -> None:
        """Make the tasks of the step before visitable again."""
        for task, visits in self._last:
            if visits < self._epochs:
                pool = self._visited[visits]
                pool.insert(self._random.randint(0, len(pool)), task)
        self._last = []


def straight_fall(step: int, steps: int, decay_share: float) -> float:
    """Factor of the learning rate where the number of steps is known from the start.

    Args:
        step: its number, from 0.
        steps: how many there will be.
        decay_share: the last share of them, over which the rate falls.
    """
    return min(1.0, (steps - step) / max(1.0, steps * decay_share))
