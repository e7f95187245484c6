"""Where a trainer's tasks come from."""

from __future__ import annotations

from typing import Protocol

from lift.tasks import Task

__all__ = ["TaskSource"]


class TaskSource(Protocol):
    """Tasks, as they arrive."""

    def take(self, timeout: float | None = None) -> list[Task]:
        """The tasks that have arrived since the last call; waits at most `timeout` seconds for a first one.

        Raises:
            EOFError: all tasks have been taken and there will be none.
        """
        ...
