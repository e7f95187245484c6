"""When a generator will be done, from what it has done so far."""

from __future__ import annotations

__all__ = ["Pace"]


class Pace:
    """An estimate of the time that is left.

    The rate is read off where the latest progress was made: where a server answers many requests side by side and each
    as a whole, a naive rate falls between two rounds of answers, though nothing slows down.
    """

    def __init__(self) -> None:
        self._done = 0.0
        self._latest = 0.0

    def seconds_left(self, done: float, total: float, elapsed: float) -> float | None:
        """Estimate of the seconds until all is done; 0 where that is overdue, None before anything is.

        Args:
            done: requests that have ended, and parts of others.
            total: requests in all.
            elapsed: seconds since the first one was sent.
        """
        if done > self._done:
            self._done, self._latest = done, elapsed
        if not self._done:
            return None
        seconds = self._latest / self._done * (total - self._done)
        return max(0.0, seconds - (elapsed - self._latest))
