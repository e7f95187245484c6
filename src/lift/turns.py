"""One device, several threads: who may compute now."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition

__all__ = ["Turns"]


class Turns:
    """Turns at a model, first come, first served.

    A plain lock would not do: the trainer takes it again a moment after it let it go, and the generator that
    waits for it would starve.

    Attributes:
        urgent: somebody waits who ends the run; who has a long turn should cut it short.
    """

    def __init__(self) -> None:
        self._changed = Condition()
        self._line: deque[object] = deque()
        self.urgent = False

    @contextmanager
    def turn(self, *, urgent: bool = False) -> Iterator[None]:
        """Waits until it is this caller's turn; it ends with the context. Not reentrant."""
        ticket = object()
        self.urgent = self.urgent or urgent
        with self._changed:
            self._line.append(ticket)
        try:
            with self._changed:
                self._changed.wait_for(lambda: self._line[0] is ticket)
            if urgent:
                self.urgent = False
            yield
        finally:
            # Also for who was interrupted while waiting.
            with self._changed:
                self._line.remove(ticket)
                self._changed.notify_all()
