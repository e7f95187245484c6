"""Tasks as token ids, with labels on the answer only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lift.chat_format import ChatFormat
from lift.errors import TrainingError
from lift.tasks import Task

__all__ = ["EncodedTask", "TaskEncoder", "encode_task"]


@dataclass(frozen=True, slots=True)
class EncodedTask:
    """One task for the trainer.

    Attributes:
        task_id: the id of the `Task`.
        prompt_ids: token ids up to where the answer begins; the same as in use.
        answer_ids: token ids of the answer and of the token that ends the turn; these are the labels.
    """

    task_id: str
    prompt_ids: tuple[int, ...]
    answer_ids: tuple[int, ...]

    @property
    def ids(self) -> tuple[int, ...]:
        return self.prompt_ids + self.answer_ids

    def __len__(self) -> int:
        return len(self.prompt_ids) + len(self.answer_ids)


def encode_task(task: Task, chat_format: ChatFormat, max_tokens: int) -> EncodedTask:
    """Encode `task` with the format that is also used for answering.

    Raises:
        TrainingError: the task is longer than `max_tokens`, the model's context window.
    """
    prompt_ids, answer_ids = chat_format.task_ids(task.question, task.answer)
    encoded = EncodedTask(task.id, tuple(prompt_ids), tuple(answer_ids))
    if len(encoded) > max_tokens:
        raise TrainingError(f"task {task.id} has {len(encoded)} tokens; the model's context window has {max_tokens}")
    return encoded


class TaskEncoder:
    """Encodes tasks as they arrive, without those that are too long.

    Args:
        chat_format: the format that is also used for answering.
        max_tokens: the model's context window.

    Attributes:
        too_long: tasks that were left out.
    """

    def __init__(self, chat_format: ChatFormat, max_tokens: int) -> None:
        self._format = chat_format
        self._max_tokens = max_tokens
        self.too_long = 0

    def encode(self, tasks: Iterable[Task]) -> Iterator[EncodedTask]:
        for task in tasks:
            try:
                yield encode_task(task, self._format, self._max_tokens)
            except TrainingError:
                self.too_long += 1
