"""Tasks for other people's training loops: a dataset that goes on while tasks are still being written."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any, Final

import torch
from torch.utils.data import IterableDataset
from transformers import TrainerCallback

from lift.chat_format import ChatFormat
from lift.training.encoding import EncodedTask, TaskEncoder
from lift.training.shelf import TaskShelf
from lift.training.source import TaskSource

__all__ = ["TaskDataset"]

_POLL_SECONDS: Final = 0.25
_NO_LABEL: Final = -100


class _StopWithTheTasks(TrainerCallback):
    """`transformers.Trainer` begins another epoch of a dataset without a length until its `max_steps`."""

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        control.should_training_stop = True


class TaskDataset(IterableDataset[dict[str, list[int]]]):
    """Tokenised tasks of a document, each as it arrives, then again in random order.

    For `transformers.Trainer` and whoever else takes an `IterableDataset`. One iteration is a whole run of all
    passes: give the trainer a large `max_steps`, `collate` as the collator and `stop` as a callback.

    Args:
        source: tasks, as they arrive.
        chat_format: how they are encoded, the same as for answering.
        epochs: passes over all tasks; the first is in order of arrival.
        max_tokens: the model's context window; longer tasks are left out and counted.
        pad_token_id: for `collate`.
        seed: of the order of the further passes.

    Attributes:
        stop: ends a `transformers.Trainer` with the last pass.
    """

    def __init__(
        self,
        source: TaskSource,
        chat_format: ChatFormat,
        *,
        epochs: int,
        max_tokens: int,
        pad_token_id: int,
        seed: int = 0,
    ) -> None:
        self._source = source
        self._encoder = TaskEncoder(chat_format, max_tokens)
        self._epochs = epochs
        self._pad_token_id = pad_token_id
        self._random = random.Random(seed)
        self.stop = _StopWithTheTasks()

    @property
    def too_long(self) -> int:
        """Tasks that were left out."""
        return self._encoder.too_long

    def __iter__(self) -> Iterator[dict[str, list[int]]]:
        """Labels are -100 on the prompt.

        Raises:
            LiftError: what the generator raises.
        """
        shelf = TaskShelf()
        for task in self._arriving():
            shelf.append(task)
            yield _example(task)
        for _ in range(self._epochs - 1):
            order = list(range(len(shelf)))
            self._random.shuffle(order)
            for number in order:
                yield _example(shelf[number])

    def _arriving(self) -> Iterator[EncodedTask]:
        while True:
            try:
                arrived = self._source.take(timeout=_POLL_SECONDS)
            except EOFError:
                return
            yield from self._encoder.encode(arrived)

    def collate(self, examples: Sequence[dict[str, list[int]]]) -> dict[str, torch.Tensor]:
        """A batch padded on the right."""
        longest = max(len(example["input_ids"]) for example in examples)

        def padded(name: str, fill: int) -> torch.Tensor:
            return torch.tensor([[*row[name], *[fill] * (longest - len(row[name]))] for row in examples])

        ids = padded("input_ids", self._pad_token_id)
        lengths = torch.tensor([[len(example["input_ids"])] for example in examples])
        mask = (torch.arange(longest)[None] < lengths).long()
        return {"input_ids": ids, "attention_mask": mask, "labels": padded("labels", _NO_LABEL)}


def _example(task: EncodedTask) -> dict[str, list[int]]:
    return {
        "input_ids": list(task.ids),
        "labels": [_NO_LABEL] * len(task.prompt_ids) + list(task.answer_ids),
    }
