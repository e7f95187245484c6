"""The loss of a step: cross entropy at the label positions, weighted so that packs add up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch.nn import functional

from lift.training.encoding import EncodedTask
from lift.training.packing import Pack

__all__ = ["label_loss", "label_weights", "pack_loss"]

# Rows of logits in float32 at one time.
_CHUNK_ROWS = 128


def label_weights(
    tasks: Sequence[EncodedTask], loss_norm: Literal["token", "task"], *, step_tasks: int, step_labels: int
) -> list[float]:
    """The weight of every label of `tasks`, in order, in the loss of a step.

    Args:
        tasks: the tasks of one pack.
        loss_norm: `token`: every label of the step weighs the same; `task`: every task of it does.
        step_tasks, step_labels: what the whole step holds, over all packs and processes.
    """
    if loss_norm == "token":
        return [1 / step_labels] * sum(len(task.answer_ids) for task in tasks)
    return [1 / (step_tasks * len(task.answer_ids)) for task in tasks for _ in task.answer_ids]


def label_loss(logits: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Weighted sum of cross entropies, computed in float32 a chunk of rows at a time.

    Args:
        logits: [N, V] in any dtype; labels: [N]; weights: [N] in float32.

    Returns:
        A float32 scalar. Its gradient is kept in the logits' dtype, one copy of them.
    """
    loss: torch.Tensor = _LabelLoss.apply(logits, labels, weights)  # type: ignore[no-untyped-call]
    return loss


def pack_loss(
    network: torch.nn.Module, pack: Pack, loss_norm: Literal["token", "task"], *, step_tasks: int, step_labels: int
) -> torch.Tensor:
    """What `pack` adds to the loss of a step of `step_tasks` tasks with `step_labels` labels.

    Args:
        network: the model with its adapter, switched to packed attention.
    """
    device = next(network.parameters()).device
    batch = pack.tensors(device)
    weights = label_weights(pack.tasks, loss_norm, step_tasks=step_tasks, step_labels=step_labels)
    logits = network(
        input_ids=batch.input_ids,
        position_ids=batch.position_ids,
        logits_to_keep=batch.label_positions,
        pack_layout=batch.layout,
        use_cache=False,
    ).logits[0]
    dtype = torch.promote_types(logits.dtype, torch.float32)
    return label_loss(logits, batch.labels, torch.tensor(weights, dtype=dtype, device=device))


class _LabelLoss(torch.autograd.Function):
    """The gradient is known as soon as the loss is: softmax minus one-hot, times the weight."""

    @staticmethod
    def forward(ctx: Any, logits: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        loss = torch.zeros((), device=logits.device)
        gradient = torch.empty_like(logits)
        for start in range(0, len(labels), _CHUNK_ROWS):
            rows = slice(start, start + _CHUNK_ROWS)
            target, weight = labels[rows, None], weights[rows, None]
            log_probs = functional.log_softmax(
                logits[rows], dim=-1, dtype=torch.promote_types(logits.dtype, torch.float32)
            )
            loss = loss - (log_probs.gather(1, target) * weight).sum()
            probs = log_probs.exp_()
            probs.scatter_add_(1, target, -torch.ones_like(probs[:, :1]))
            gradient[rows] = probs.mul_(weight)
        ctx.save_for_backward(gradient)
        return loss

    @staticmethod
    def backward(ctx: Any, *grad_outputs: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * grad_outputs[0], None, None
