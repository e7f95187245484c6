"""Fine-tuning on the document's own text: in random order, and chunk by chunk as it is read (Temp-LoRA)."""

from __future__ import annotations

import math
import random
import time
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import Final

from lift.attaching import attach_adapter
from lift.document import Document
from lift.evaluation.methods.base import Method
from lift.splitting import split_document
from lift.training.encoding import EncodedTask
from lift.training.straight import train_straight
from lift.training.trainer import Trainer

__all__ = ["RawText", "TempLora"]

_CHUNK_TOKENS: Final = 256
# Chunks of a step of `raw`: about as many tokens as LIFT's steps have.
_CHUNKS_A_STEP: Final = 4


class _TextTraining(Method):
    """Trains the recipe's adapter on all tokens of the text, with at least as many optimizer steps as LIFT."""

    @abstractmethod
    def batches(self, chunks: Sequence[EncodedTask], steps: int) -> Iterator[list[EncodedTask]]:
        """What each of at least `steps` steps is trained on."""

    @abstractmethod
    def encode(self, number: int, chunks: Sequence[Sequence[int]]) -> EncodedTask:
        """Chunk `number` as something to learn."""

    def prepare(self, document: Document) -> None:
        base, recipe = self.setting.base, self.setting.recipe
        ids: list[int] = base.tokenizer(document.text, add_special_tokens=False, verbose=False)["input_ids"]
        pieces = [ids[start : start + _CHUNK_TOKENS] for start in range(0, len(ids), _CHUNK_TOKENS)]
        chunks = [self.encode(number, pieces) for number in range(len(pieces))]
        tasks = recipe.expected_tasks(len(split_document(document, recipe)))
        batches = list(self.batches(chunks, math.ceil(tasks * recipe.epochs / recipe.tasks_per_step)))
        self.adapted = attach_adapter(base, recipe)
        started = time.monotonic()
        with Trainer(self.adapted, recipe, base.turns) as trainer:
            losses = train_straight(trainer, batches, recipe.decay_share, self.setting.on_progress)
        self.costs = {
            "steps": trainer.steps,
            "tokens": trainer.tokens,
            "training_seconds": round(time.monotonic() - started, 2),
            "loss": round(losses[-1], 4),
        }

    def contexts(self, document: Document, questions: Sequence[str]) -> Sequence[str | None]:
        return [None] * len(questions)

    def _start(self) -> tuple[int, ...]:
        """What stands before the first token of a text."""
        tokenizer = self.setting.base.tokenizer
        start = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
        return (int(start),)


class RawText(_TextTraining):
    """`raw`: the paper's Finetune-Raw, chunks of 256 tokens in random order."""

    def encode(self, number: int, chunks: Sequence[Sequence[int]]) -> EncodedTask:
        return EncodedTask(f"chunk-{number}", self._start(), tuple(chunks[number]))

    def batches(self, chunks: Sequence[EncodedTask], steps: int) -> Iterator[list[EncodedTask]]:
        shuffled, order = random.Random(self.setting.recipe.seed), list(chunks)
        given = 0
        while given < steps:
            shuffled.shuffle(order)
            for start in range(0, len(order), _CHUNKS_A_STEP):
                given += 1
                yield order[start : start + _CHUNKS_A_STEP]


class TempLora(_TextTraining):
    """`temp-lora`: chunk by chunk in reading order, the chunk before it as context, the loss on the chunk."""

    def encode(self, number: int, chunks: Sequence[Sequence[int]]) -> EncodedTask:
        before = tuple(chunks[number - 1]) if number else ()
        return EncodedTask(f"chunk-{number}", self._start() + before, tuple(chunks[number]))

    def batches(self, chunks: Sequence[EncodedTask], steps: int) -> Iterator[list[EncodedTask]]:
        times = math.ceil(steps / len(chunks))
        yield from ([chunk] for chunk in chunks for _ in range(times))
