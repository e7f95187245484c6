"""A run of training: takes tasks as they arrive and trains until every task has had all its visits."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from lift.chat_format import ChatFormat
from lift.processes import Processes
from lift.progress import REPORT_SECONDS, Progress
from lift.recipe import Recipe
from lift.training.checkpoint import Checkpoint, CheckpointFolder
from lift.training.encoding import TaskEncoder
from lift.training.patience import may_wait
from lift.training.schedule import Schedule
from lift.training.shelf import TaskShelf
from lift.training.source import SharedSource, TaskSource
from lift.training.trainer import Trainer, first_and_last, latest
from lift.turns import Turns

if TYPE_CHECKING:
    from lift.model import Adapted

__all__ = ["TrainingRun"]


class TrainingRun:
    """Trains the adapter of `adapted` on the tasks of `source`.

    Args:
        adapted: a base model with a fresh adapter.
        recipe: schedule, optimizer, packs.
        chat_format: how tasks are encoded, the same as for answering.
        source: tasks, as they arrive; None in processes that the leader shares its own with.
        max_tokens: the model's context window; longer tasks are left out and counted.
        expected_tasks: how many tasks to reckon with while they still arrive.
        turns: where other threads compute with the model as well.
        checkpoints: where the run's state is kept while it goes on, and found again by the next run.
        identity: what a checkpoint must belong to.
        processes: who trains along; None is nobody.

    Attributes:
        tasks: tasks that have arrived.
        all_in: whether these are all.
        seconds: time spent in optimizer steps.
    """

    def __init__(
        self,
        adapted: Adapted,
        recipe: Recipe,
        chat_format: ChatFormat,
        source: TaskSource | None,
        *,
        max_tokens: int,
        expected_tasks: int,
        turns: Turns | None = None,
        checkpoints: CheckpointFolder | None = None,
        identity: Mapping[str, Any] | None = None,
        processes: Processes | None = None,
    ) -> None:
        self._encoder = TaskEncoder(chat_format, max_tokens)
        self._processes = processes or Processes()
        self._processes.join(adapted.device)
        self._source = SharedSource(source, self._processes)
        self._trainer = Trainer(adapted, recipe, turns, self._processes)
        self._encoded = TaskShelf()
        self._losses: list[float] = []
        self._reported = 0.0
        self._expected_tasks = expected_tasks
        self.all_in = False
        self.seconds = 0.0
        while self._take(timeout=None):
            pass
        self._recipe = recipe
        self._checkpoints = checkpoints
        self._saved = time.monotonic()
        expected = len(self._encoded) if self.all_in else expected_tasks
        found = checkpoints.read(identity or {}, adapted.device) if checkpoints else None
        self._log = found or Checkpoint(identity or {}, recipe.tasks_in_a_step(expected))
        self._schedule = Schedule(
            epochs=recipe.epochs,
            tasks_per_step=self._log.tasks_per_step,
            seed=recipe.seed,
            decay_share=recipe.decay_share,
            kept_visits=recipe.kept_visits,
        )

    @property
    def tasks(self) -> int:
        return len(self._encoded)

    @property
    def visits(self) -> int:
        """Task visits trained on."""
        return self._schedule.visits

    @property
    def visits_total(self) -> int:
        """Visits in the end; an estimate until all tasks are in."""
        tasks = self.tasks if self.all_in else max(self.tasks, self._expected_tasks)
        return tasks * self._recipe.epochs

    @property
    def seconds_left(self) -> float | None:
        """Estimate of the training time that is left; None before the first step."""
        return self.seconds / self.visits * (self.visits_total - self.visits) if self.visits else None

    @property
    def steps(self) -> int:
        return self._trainer.steps

    @property
    def tokens_per_second(self) -> float:
        """The tasks' tokens trained on, every visit counted, per second of training."""
        return self._trainer.tokens / self.seconds if self.seconds else 0.0

    def until_done(self) -> Generator[Literal["training", "generating"], None, None]:
        """Train until everything has been visited; yields what it is doing, a few times a second.

        Closing the generator ends training and leaves the model ready to answer.

        Raises:
            TrainingError: the loss is not finite.
            LiftError: what `source` raises.
        """
        with self._trainer:
            if self._log.steps:
                self._go_on(self._log)
            while True:
                self._let_in()
                step = [] if self._waits() else self._schedule.next_step()
                begun = time.monotonic()
                if step:
                    self._trainer.step([self._encoded[number] for number in step], lr_scale=self._schedule.lr_scale)
                elif self.all_in:
                    break
                report = begun - self._reported > REPORT_SECONDS
                if report:
                    # Reading a loss waits for the device, so not at every step.
                    self._losses += self._trainer.take_losses()
                    self._reported = time.monotonic()
                self.seconds += time.monotonic() - begun
                if step:
                    self._save_if_due()
                if report:
                    yield "training" if step else "generating"
                if not self.all_in:
                    self._take(timeout=None if step else REPORT_SECONDS)
            self._losses += self._trainer.take_losses()

    def progress(self, generation: Progress) -> Progress:
        """A snapshot of training on top of one of generation."""
        return replace(
            generation,
            visits=self.visits,
            visits_total=self.visits_total,
            steps=self.steps,
            tokens_per_second=self.tokens_per_second,
            loss=latest(self._losses),
            seconds_left=self.seconds_left,
        )

    def counts(self) -> dict[str, Any]:
        """For the manifest."""
        return {
            "tasks": len(self._encoded),
            "tasks too long for the context window": self._encoder.too_long,
            "steps": self._trainer.steps,
            "visits": self._schedule.visits,
            "tokens": self._trainer.tokens,
            "tokens_per_second": round(self.tokens_per_second, 1),
        }

    def losses(self) -> dict[str, float]:
        """For the manifest."""
        return first_and_last(self._losses)

    def _let_in(self) -> None:
        """Tell the schedule what has arrived, and the log, from which a resumed run replays it."""
        arrived = len(self._encoded)
        if arrived > self._schedule.tasks:
            self._schedule.arrive(range(self._schedule.tasks, arrived))
            self._log.arrivals.append((self.steps, arrived))
        if self.all_in and self._log.closed_before is None:
            self._schedule.close()
            self._log.closed_before = self.steps

    def _waits(self) -> bool:
        """Whether to do nothing yet: the leader's clock decides for all."""
        if self.all_in or not self.visits:
            return False
        training = self.seconds / self.visits * self._schedule.visits_before_the_last(self._expected_tasks)
        return bool(self._processes.share(may_wait(self._source.seconds_left, training)))

    def _go_on(self, found: Checkpoint) -> None:
        """Deal the steps that were done once more, without training, and take over what they made.

        The trunk sees every step again, in the same packs: its states depend on them by a rounding.
        """
        arrived = dict(found.arrivals)
        while not self.all_in and len(self._encoded) < max(arrived.values()):
            self._take(timeout=REPORT_SECONDS)
        for done in range(found.steps + 1):
            if done in arrived:
                self._schedule.arrive(range(self._schedule.tasks, arrived[done]))
            if found.closed_before == done:
                self._schedule.close()
            if done < found.steps:
                self._trainer.see(self._encoded[number] for number in self._schedule.next_step())
        self._trainer.restore(found.tensors, steps=found.steps, tokens=found.tokens)
        self.seconds, self._losses = found.seconds, list(found.losses)

    def _save_if_due(self) -> None:
        every = self._recipe.checkpoint_seconds
        if not self._checkpoints or not self._processes.leads or not every or time.monotonic() - self._saved < every:
            return
        self._losses += self._trainer.take_losses()
        log = self._log
        log.steps, log.tokens, log.seconds, log.losses = self.steps, self._trainer.tokens, self.seconds, self._losses
        log.tensors = self._trainer.state()
        self._checkpoints.write(log)
        self._saved = time.monotonic()

    def _take(self, timeout: float | None) -> bool:
        """Encode what has arrived; whether anything has."""
        try:
            arrived = self._source.take(timeout)
            for task in self._encoder.encode(arrived):
                self._encoded.append(task)
            return bool(arrived)
        except EOFError:
            self.all_in = True
            return False
