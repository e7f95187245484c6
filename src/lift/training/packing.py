"""Packs: many tasks computed at once, the prefix that they share held once (DESIGN, decision 2)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import torch

from lift.prefix import shared_prefix
from lift.training.attention import PackLayout
from lift.training.encoding import EncodedTask

__all__ = ["Pack", "PackTensors", "pack_tasks"]

# Tokens that tasks must share beyond what all tasks of a step do, to get packs of their own.
_WORTH_A_PACK = 64


@dataclass(frozen=True)
class Pack:
    """Tasks whose first `prefix_length` token ids are equal.

    In the pack's token sequence the prefix stands once, then each task's branch (all that follows the
    prefix). A branch sees the prefix and itself, at the positions that it has in its own sequence.
    """

    tasks: tuple[EncodedTask, ...]
    prefix_length: int

    @property
    def n_tokens(self) -> int:
        """Tokens that the model computes for this pack."""
        return self.prefix_length + sum(len(task) - self.prefix_length for task in self.tasks)

    def tensors(self, device: torch.device) -> PackTensors:
        """The forward pass's input."""
        prefix_length = self.prefix_length
        lengths = [len(task) - prefix_length for task in self.tasks]
        ids = chain(self.tasks[0].ids[:prefix_length], *(task.ids[prefix_length:] for task in self.tasks))
        positions = chain(range(prefix_length), *(range(prefix_length, len(task)) for task in self.tasks))
        label_positions: list[int] = []
        start = prefix_length
        for task, length in zip(self.tasks, lengths, strict=True):
            # The logit of a label stands one position before it.
            first = start + length - len(task.answer_ids) - 1
            label_positions.extend(range(first, first + len(task.answer_ids)))
            start += length
        return PackTensors(
            input_ids=torch.tensor([list(ids)], device=device),
            position_ids=torch.tensor([list(positions)], device=device),
            label_positions=torch.tensor(label_positions, device=device),
            labels=torch.tensor([label for task in self.tasks for label in task.answer_ids], device=device),
            layout=PackLayout.of(prefix_length, lengths, device),
        )


@dataclass(frozen=True)
class PackTensors:
    """A pack on a device, T tokens and N labels.

    Attributes:
        input_ids, position_ids: [1, T].
        label_positions: [N], where the logits are needed that predict the labels.
        labels: [N] token ids, task by task.
        layout: what the attention function needs.
    """

    input_ids: torch.Tensor
    position_ids: torch.Tensor
    label_positions: torch.Tensor
    labels: torch.Tensor
    layout: PackLayout


def _prompt_prefix(tasks: Sequence[EncodedTask]) -> int:
    """Tokens that the prompts of `tasks` begin with; every task keeps its last prompt token.

    That token's logit predicts the first label, so it has to be in the branch.
    """
    return shared_prefix([task.prompt_ids for task in tasks])


def pack_tasks(tasks: Sequence[EncodedTask], pack_tokens: int) -> list[Pack]:
    """Deal `tasks` into packs of at most `pack_tokens` tokens (a longer task gets a pack of its own).

    Tasks of like length share a pack, longest first: attention pads branches to the longest of a pack.
    Packs are of like size: a small one costs nearly as much overhead as a full one.
    """
    return [pack for family in _families(tasks) for pack in _pack_family(family, pack_tokens)]


def _families(tasks: Sequence[EncodedTask]) -> list[list[EncodedTask]]:
    """Tasks that share much more than all of them do (many questions about one long text) apart from the others."""
    everywhere = _prompt_prefix(tasks)
    families: list[list[EncodedTask]] = []
    for task in sorted(tasks, key=lambda task: task.prompt_ids):
        if families and _prompt_prefix([families[-1][0], task]) - everywhere >= _WORTH_A_PACK:
            families[-1].append(task)
        else:
            families.append([task])
    others = [family[0] for family in families if len(family) == 1]
    return [family for family in families if len(family) > 1] + ([others] if others else [])


def _pack_family(tasks: Sequence[EncodedTask], pack_tokens: int) -> list[Pack]:
    prefix_length = _prompt_prefix(tasks)
    total = sum(len(task) - prefix_length for task in tasks)
    most = max(1, pack_tokens - prefix_length)
    enough = total / math.ceil(total / most)
    packs: list[list[EncodedTask]] = []
    size = 0
    for task in sorted(tasks, key=len, reverse=True):
        length = len(task) - prefix_length
        if not packs or size >= enough or size + length > most:
            packs.append([])
            size = 0
        packs[-1].append(task)
        size += length
    return [Pack(tuple(pack), prefix_length) for pack in packs]
