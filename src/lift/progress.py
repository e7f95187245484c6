"""What a run tells while it goes on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["REPORT_SECONDS", "Phase", "Progress"]

# At least so long between two snapshots.
REPORT_SECONDS: Final = 0.25

Phase = Literal["loading", "generating", "training", "done"]


@dataclass(frozen=True)
class Progress:
    """A snapshot of a run.

    Attributes:
        phase: `loading` the base model, `generating` (training waits for tasks), `training`, `done`.
        segments, segments_total: answered by the generator, and all.
        failed: segments that gave up.
        tasks: tasks that have arrived.
        generator_tokens: prompt and completion tokens that the generator was paid or run for.
        visits, visits_total: task visits trained on, and expected (an estimate until all tasks are in).
        steps: optimizer steps.
        tokens_per_second: the tasks' tokens trained on per second of training, every visit counted.
        loss: mean over the latest steps; None before the first.
        seconds_left: estimate of the training time that is left; None where there is none yet.
    """

    phase: Phase
    segments: int = 0
    segments_total: int = 0
    failed: int = 0
    tasks: int = 0
    generator_tokens: int = 0
    visits: int = 0
    visits_total: int = 0
    steps: int = 0
    tokens_per_second: float = 0.0
    loss: float | None = None
    seconds_left: float | None = None
