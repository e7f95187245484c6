"""When a generator will be done, from what it has done so far."""

from __future__ import annotations

__all__ = ["Pace"]


class Pace:
    """An estimate of the time that is left, for requests of about the same length.

    Requests that run side by side end together, so the rate is read off where the latest one ended: between two such
    moments a naive rate falls, though nothing slows down.

    Args:
        now: when the first one was sent, in seconds.
    """

    def __init__(self, now: float) -> None:
        self._started = self._latest = now
        self._done = 0

    def seconds_left(self, done: int, left: int, now: float) -> float | None:
        """Estimate of the seconds until all are done; 0 where that is overdue, None before one is.

        Args:
            done: requests that have ended.
            left: requests that have not.
            now: the time, on the clock of the first call.
        """
        if done > self._done:
            self._done, self._latest = done, now
        if not self._done:
            return None
        seconds = (self._latest - self._started) / self._done * left
        return max(0.0, seconds - (now - self._latest))
