"""How many requests run at once: more while the server answers promptly, half when it says that it is too many."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncIterator
from typing import Final

__all__ = ["AdaptiveLimit"]

_FIRST_LIMIT: Final = 16
# A first token within this many times the best one, and this many seconds: nothing waits in a queue.
_PROMPT_FACTOR: Final = 2.0
_PROMPT_SLACK: Final = 0.1


class AdaptiveLimit:
    """A bound on requests in flight that finds its own height, between 1 and `most`.

    The time to the first token tells whether the server still begins at once what it is asked: while it
    does, more requests mean more throughput, and every prompt first token raises the limit by one (it
    doubles a round trip). Requests that queue in the server gain nothing, so then it stays. An overload
    halves it, once for all requests that were in flight together, and from then on it rises by one a
    round trip.

    Attributes:
        limit: requests allowed at once.
        active: requests in flight.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self.limit = float(min(_FIRST_LIMIT, most))
        self.active = 0
        self._halvings = 0
        self._best = float("inf")
        self._waiting: deque[asyncio.Future[None]] = deque()

    @contextlib.asynccontextmanager
    async def slot(self) -> AsyncIterator[Slot]:
        """Waits until a request may run; it runs within the context."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self._admit()
        try:
            await turn
            yield Slot(self, self._halvings)
        finally:
            # Cancelled while it waited, it never had a place.
            if not turn.cancelled():
                self.active -= 1
            self._admit()

    def prompt(self, seconds: float) -> None:
        """A first token arrived after `seconds`."""
        self._best = min(self._best, seconds)
        in_use = self.active >= int(self.limit)
        if in_use and seconds <= self._best * _PROMPT_FACTOR + _PROMPT_SLACK:
            self.limit = min(float(self._most), self.limit + (1 / self.limit if self._halvings else 1))
            self._admit()

    def halve(self, halvings_before: int) -> None:
        """The server said that it is too much, to a request that began when there had been so many halvings."""
        if halvings_before == self._halvings:
            self.limit = max(1.0, self.limit / 2)
            self._halvings += 1

    def _admit(self) -> None:
        while self._waiting and self.active < int(self.limit):
            turn = self._waiting.popleft()
            if not turn.done():
                self.active += 1
                turn.set_result(None)


class Slot:
    """A request's place in flight, through which it reports."""

    def __init__(self, limit: AdaptiveLimit, halvings: int) -> None:
        self._limit = limit
        self._halvings = halvings
        self._begun = asyncio.get_running_loop().time()
        self._answered = False

    def token(self) -> None:
        """A piece of the answer arrived; the first one counts."""
        if not self._answered:
            self._answered = True
            self._limit.prompt(asyncio.get_running_loop().time() - self._begun)

    def overloaded(self) -> None:
        """The server said that it is too much."""
        self._limit.halve(self._halvings)
