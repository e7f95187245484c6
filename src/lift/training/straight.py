"""Training on steps that are known beforehand, one after the other: for text and for the writer's lessons."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from lift.progress import REPORT_SECONDS, Progress
from lift.training.encoding import EncodedTask
from lift.training.schedule import straight_fall
from lift.training.trainer import Trainer, latest

__all__ = ["train_straight"]


def train_straight(
    trainer: Trainer,
    steps: Sequence[Sequence[EncodedTask]],
    decay_share: float,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> list[float]:
    """Train on every step once, in order, the learning rate falling over their last `decay_share`.

    Args:
        trainer: fresh.
        steps: what each optimizer step is trained on.
        decay_share: of the steps.
        on_progress: called with a `Progress` a few times a second, and after the last step.

    Returns:
        The loss of every step.

    Raises:
        TrainingError: the loss is not finite.
    """
    losses: list[float] = []
    total = sum(map(len, steps))
    visits, started = 0, time.monotonic()
    told = started
    for done, step in enumerate(steps, start=1):
        trainer.step(step, lr_scale=straight_fall(done - 1, len(steps), decay_share))
        visits += len(step)
        if done == len(steps) or time.monotonic() - told > REPORT_SECONDS:
            # Reading a loss waits for the device, so not at every step.
            losses += trainer.take_losses()
            told = time.monotonic()
            seconds = told - started
            on_progress(
                Progress(
                    "training",
                    visits=visits,
                    visits_total=total,
                    steps=done,
                    tokens_per_second=trainer.tokens / seconds,
                    loss=latest(losses),
                    seconds_left=seconds / done * (len(steps) - done),
                )
            )
    return losses
