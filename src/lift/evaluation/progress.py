"""How far an evaluation is, and how long it will still take."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from lift.progress import Progress

__all__ = ["GridProgress", "TimeLeft"]


@dataclass(frozen=True)
class GridProgress:
    """A snapshot of an evaluation.

    Attributes:
        done, total: cells (a method on a document with a seed).
        doing: the cell that is computed now.
        errors: answers without a score so far.
        seconds_left: estimate; None before the first cell is done, or says how long its training takes.
        training: how far the training of this cell is; None where there is none, or none any more.
    """

    done: int
    total: int
    doing: str
    errors: int
    seconds_left: float | None
    training: Progress | None = None


class TimeLeft:
    """Foretells how long cells take from those of the same method, or else from all."""

    def __init__(self) -> None:
        self._took: dict[str, list[float]] = defaultdict(list)

    def note(self, method: str, seconds: float) -> None:
        """A cell of `method` took so long."""
        self._took[method].append(seconds)

    def seconds(self, methods: Sequence[str], elapsed: float, training: Progress | None) -> float | None:
        """An estimate; None where nothing is known yet.

        Args:
            methods: those of the cells that are left, the one that is computed now first.
            elapsed: seconds that this one has taken.
            training: how far its training is.
        """
        known = {method: fmean(times) for method, times in self._took.items()}
        if training and training.seconds_left is not None:
            known.setdefault(methods[0], elapsed + training.seconds_left)
        if not known:
            return None
        average = fmean(known.values())
        return max(0.0, sum(known.get(method, average) for method in methods) - elapsed)
