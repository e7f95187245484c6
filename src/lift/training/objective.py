"""The loss of a step: cross entropy at the label positions, weighted so that packs add up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

import torch

from lift.training.encoding import EncodedTask
from lift.training.packing import Pack

__all__ = ["label_loss", "label_weights", "pack_loss"]

# Logits in float32 at one time.
_BUFFER_BYTES: Final = 16 * 1024**2


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
        logits: [N, V] in any dtype, overwritten; labels: [N]; weights: [N] in float32.

    Returns:
        A float32 scalar, for one backward pass.
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
    ).logits.flatten(0, 1)  # a view, whose backward pass copies nothing
    dtype = torch.promote_types(logits.dtype, torch.float32)
    return label_loss(logits, batch.labels, torch.tensor(weights, dtype=dtype, device=device))


class _LabelLoss(torch.autograd.Function):
    """The gradient is known as soon as the loss is: softmax minus one-hot, times the weight.

    It is written over the logits, and one small buffer serves all rows: tensors of the vocabulary's width are so large
    that getting fresh memory for them takes longer than what is computed in it.
    """

    @staticmethod
    def forward(ctx: Any, logits: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        gradient = logits.detach()
        loss = torch.zeros((), dtype=weights.dtype, device=logits.device)
        wide = torch.promote_types(logits.dtype, torch.float32)
        most = max(1, _BUFFER_BYTES // (logits.shape[1] * wide.itemsize))
        buffer = torch.empty(min(most, len(labels)), logits.shape[1], dtype=wide, device=logits.device)
        for start in range(0, len(labels), most):
            rows = slice(start, start + most)
            target, weight = labels[rows, None], weights[rows, None]
            scores = buffer[: len(target)].copy_(gradient[rows])
            scores.sub_(scores.amax(dim=1, keepdim=True))
            picked = scores.gather(1, target)
            total = scores.exp_().sum(dim=1, keepdim=True)
            loss += ((total.log() - picked) * weight).sum()
            scores.mul_(weight / total).scatter_add_(1, target, -weight)
            gradient[rows] = scores
        ctx.save_for_backward(gradient)
        return loss

    @staticmethod
    def backward(ctx: Any, *grad_outputs: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient.mul_(grad_outputs[0]), None, None
