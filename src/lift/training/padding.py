"""Padded batches: what every model family takes, for those that packs do not fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch

from lift.training.encoding import EncodedTask
from lift.training.objective import label_loss, label_weights

__all__ = ["padded_batches", "padded_loss"]


def padded_batches(tasks: Sequence[EncodedTask], most_tokens: int) -> list[list[EncodedTask]]:
    """Deal `tasks` into batches of like length that have at most `most_tokens` tokens, padding counted."""
    batches: list[list[EncodedTask]] = []
    for task in sorted(tasks, key=len, reverse=True):
        # The first one of a batch is its longest.
        if not batches or (len(batches[-1]) + 1) * len(batches[-1][0]) > most_tokens:
            batches.append([])
        batches[-1].append(task)
    return batches


def padded_loss(
    network: torch.nn.Module,
    tasks: Sequence[EncodedTask],
    loss_norm: Literal["token", "task"],
    *,
    step_tasks: int,
    step_labels: int,
) -> torch.Tensor:
    """What `tasks` add to the loss of a step of `step_tasks` tasks with `step_labels` labels.

    Padding stands on the right, where nothing that is read comes after it: no state leaks from it.

    Args:
        network: the model with its adapter and its stock attention.
    """
    device = next(network.parameters()).device
    longest = max(map(len, tasks))
    ids = torch.tensor([[*task.ids, *[0] * (longest - len(task))] for task in tasks], device=device)
    mask = torch.tensor([[1] * len(task) + [0] * (longest - len(task)) for task in tasks], device=device)
    # Logits from the first position on that predicts a label of any task.
    first = min(len(task.prompt_ids) for task in tasks) - 1
    kept = torch.arange(first, longest, device=device)
    logits = network(input_ids=ids, attention_mask=mask, logits_to_keep=kept, use_cache=False).logits
    places = [
        row * len(kept) + position - first
        for row, task in enumerate(tasks)
        for position in range(len(task.prompt_ids) - 1, len(task) - 1)
    ]
    picked = logits.flatten(0, 1)[torch.tensor(places, device=device)]
    weights = label_weights(tasks, loss_norm, step_tasks=step_tasks, step_labels=step_labels)
    labels = torch.tensor([label for task in tasks for label in task.answer_ids], device=device)
    dtype = torch.promote_types(logits.dtype, torch.float32)
    return label_loss(picked, labels, torch.tensor(weights, dtype=dtype, device=device))
