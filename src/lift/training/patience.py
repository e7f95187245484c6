"""Whether training may wait for a slow generator.

Tasks that are visited several times while few others are there are forgotten by the end (docs/benchmarks.md), and a
generator that takes longer than training leaves time to begin later, when more are there, and still end as early.
"""

from __future__ import annotations

from typing import Final

__all__ = ["may_wait"]

# Estimates of both times are off by so much now and then.
_MARGIN: Final = 1.2


def may_wait(generation_left: float | None, training_left: float) -> bool:
    """Whether training ends as early if it does nothing now.

    Args:
        generation_left: seconds until the last task arrives; None is unknown.
        training_left: seconds of training that do not need the last task.
    """
    return generation_left is not None and generation_left > _MARGIN * training_left
