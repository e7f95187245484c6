"""Which models can be trained on packs: the families that tests cover, and what proves itself at the start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

import torch
from transformers import PreTrainedModel

from lift.training.attention import use_packed_attention
from lift.training.encoding import EncodedTask
from lift.training.objective import pack_loss
from lift.training.packing import pack_tasks
from lift.training.padding import padded_loss

if TYPE_CHECKING:
    from lift.model import Adapted

__all__ = ["why_not_packs"]

# tests/training/test_exactness.py proves these, by transformers' `model_type`.
_PROVEN: Final = frozenset({"llama", "mistral", "qwen2", "qwen3", "gemma2", "gemma3_text", "phi3"})
# Layers that carry a state from token to token, which would leak from one branch into the next.
_RECURRENT: Final = ("mamba", "linear_attention", "conv", "recurrent", "rwkv", "hybrid")
# A wrong mask or position changes gradients by more than a tenth; rounding does not, in any dtype.
_TOLERANCE: Final = 0.1


def why_not_packs(adapted: Adapted) -> str | None:
    """Why packs would not be exact for this model, in words; None if they are.

    Recurrent layers rule them out. For a family that no test covers, the gradient of one pack of two tasks is
    compared with that of separate sequences (DESIGN, decision 2).
    """
    base = cast(PreTrainedModel, adapted.get_base_model())
    config = base.config.get_text_config()
    kinds = {str(kind) for kind in getattr(config, "layer_types", None) or ()}
    if getattr(base, "_is_stateful", False) or any(word in kind for kind in kinds for word in _RECURRENT):
        return "it has recurrent layers"
    if config.model_type in _PROVEN:
        return None
    if not getattr(base, "_supports_attention_backend", False):
        return "its attention cannot be exchanged"
    try:
        difference = _difference(adapted, base)
    except (TypeError, ValueError, RuntimeError, AttributeError, NotImplementedError) as error:
        return f"it does not take them ({type(error).__name__})"
    return None if difference < _TOLERANCE else f"they gave another gradient (by {difference:.0%})"


def _difference(adapted: Adapted, base: PreTrainedModel) -> float:
    """How far the adapter's gradient from a pack is from that of separate sequences, norm over norm."""
    size = min(base.config.get_text_config().vocab_size, 1000)
    prompt, other = tuple(n * 7 % size for n in range(3, 15)), tuple(n * 11 % size for n in range(3, 9))
    tasks = [
        EncodedTask("a", (*prompt, 5), tuple(n * 13 % size for n in range(2, 10))),
        EncodedTask("b", (*prompt, *other), tuple(n * 17 % size for n in range(2, 6))),
    ]
    labels = sum(len(task.answer_ids) for task in tasks)
    with use_packed_attention(base):
        for pack in pack_tasks(tasks, 4096):
            pack_loss(adapted, pack, "token", step_tasks=2, step_labels=labels).backward()
    ours = _gradient(adapted)
    for task in tasks:
        padded_loss(adapted, [task], "token", step_tasks=2, step_labels=labels).backward()
    reference = _gradient(adapted)
    return float((ours - reference).norm() / reference.norm())


def _gradient(adapted: Adapted) -> torch.Tensor:
    """The adapter's gradient as one vector; it is taken away. LoRA's B is zero at the start, so A has none."""
    found = [parameter.grad.flatten().float() for parameter in adapted.parameters() if parameter.grad is not None]
    adapted.zero_grad()
    return torch.cat(found)
