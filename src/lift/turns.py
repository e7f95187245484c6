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
    """

    def __init__(self) -> None:
        self._changed = Condition()
        self._line: deque[object] = deque()
        self._urgent: set[object] = set()  # those in the line that are

    @property
    def urgent(self) -> bool:
        """Somebody waits who ends the run; who has a long turn should cut it short."""
        return bool(self._urgent)

    @contextmanager
    def turn(self, *, urgent: bool = False) -> Iterator[None]:
        """Waits until it is this caller's turn; it ends with the context. Not reentrant."""
        ticket = object()
        with self._changed:
            self._line.append(ticket)
            if urgent:
                self._urgent.add(ticket)
        try:
            with self._changed:
                self._changed.wait_for(lambda: self._line[0] is ticket)
            self._urgent.discard(ticket)
            yield
        finally:
            # Also for who was interrupted while waiting.
            with self._changed:
                self._urgent.discard(ticket)
                self._line.remove(ticket)
                self._changed.notify_all()
