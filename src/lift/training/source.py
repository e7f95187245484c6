"""Where a trainer's tasks come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Protocol

from lift.document import Segment
from lift.errors import GenerationError
from lift.processes import Processes
from lift.recipe import Recipe
from lift.recitation import recited
from lift.sentences import find_sentences
from lift.tasks import Task

__all__ = ["RecitingSource", "SharedSource", "TaskSource", "as_trained"]


class TaskSource(Protocol):
    """Tasks, as they arrive."""

    def take(self, timeout: float | None = None) -> list[Task]:
        """The tasks that have arrived since the last call; waits at most `timeout` seconds for a first one.

        Raises:
            EOFError: all tasks have been taken and there will be none.
        """
        ...

    @property
    def seconds_left(self) -> float | None:
        """Estimate of the time until the last task; None where there is none yet.

        Infinite where tasks and training are made by the same device in turn: none is written while it trains.
        """
        ...


class RecitingSource:
    """The tasks of another source, their answers after the passages that they come from (`recite`).

    Outlines, which are about many segments, stay as they are, and so do answers that are the passage or a sentence of
    it, as quotes are.

    Args:
        source: the tasks.
        segments: what they are about.
    """

    def __init__(self, source: TaskSource, segments: Sequence[Segment]) -> None:
        self._source = source
        self._segments = segments

    def take(self, timeout: float | None = None) -> list[Task]:
        return [self._reciting(task) for task in self._source.take(timeout)]

    @property
    def seconds_left(self) -> float | None:
        return self._source.seconds_left

    def _reciting(self, task: Task) -> Task:
        passages = [self._segments[place].text for place in task.segments]
        if task.kind == "outline" or not passages or _is_quoted(task.answer, passages[0]):
            return task
        return replace(task, answer=recited(passages, task.answer))


def _is_quoted(answer: str, passage: str) -> bool:
    return answer in passage and answer in (passage, *(sentence for _, sentence in find_sentences(passage)))


def as_trained(source: TaskSource, segments: Sequence[Segment], recipe: Recipe) -> TaskSource:
    """The tasks of `source`, which are about `segments`, as `recipe` has them trained on."""
    return RecitingSource(source, segments) if recipe.recite else source


class SharedSource:
    """The leader's tasks, in all processes at the same time.

    Args:
        source: the leader's own source; None in the other processes.
        processes: who listens.
    """

    def __init__(self, source: TaskSource | None, processes: Processes) -> None:
        self._source = source
        self._processes = processes

    def take(self, timeout: float | None = None) -> list[Task]:
        """What `TaskSource.take` gives the leader; what it raises there, all raise.

        Raises:
            GenerationError: the leader's source failed.
        """
        if self._processes.count == 1 and self._source:
            return self._source.take(timeout)
        if self._source is None:
            message = self._processes.share()
        else:
            try:
                message = {"tasks": [asdict(task) for task in self._source.take(timeout)]}
            except EOFError:
                message = {"end": True}
            except BaseException as error:
                self._processes.share({"error": str(error)})
                raise
            self._processes.share(message)
        if "error" in message:
            raise GenerationError(f"the leading process failed: {message['error']}")
        if "end" in message:
            raise EOFError
        return [Task(**{**task, "segments": tuple(task["segments"])}) for task in message["tasks"]]

    @property
    def seconds_left(self) -> float | None:
        """The leader's estimate; None in the other processes."""
        return self._source.seconds_left if self._source else None
