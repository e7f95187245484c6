"""Tiny random models of several families, settings small enough to bite, and separate sequences to compare with."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from torch.nn import functional
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    Gemma3TextConfig,
    LlamaConfig,
    MistralConfig,
    Phi3Config,
    Qwen2Config,
    Qwen3Config,
)

from lift.training.attention import use_packed_attention
from lift.training.encoding import EncodedTask
from lift.training.objective import pack_loss
from lift.training.packing import pack_tasks

N_LAYERS = 2
SIZES: dict[str, Any] = {
    "vocab_size": 97,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": N_LAYERS,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "pad_token_id": 0,
}
# A window smaller than the sequences, so that it bites, within branches and across the prefix.
WINDOW = 5
LLAMA = LlamaConfig(**SIZES)
MISTRAL = MistralConfig(**SIZES, sliding_window=WINDOW)
# Soft-capping that bites: scores of this model are larger than the cap.
GEMMA2 = Gemma2Config(
    **SIZES,
    head_dim=8,
    sliding_window=WINDOW,
    attn_logit_softcapping=0.02,
    final_logit_softcapping=0.5,
    query_pre_attn_scalar=8,
    layer_types=["sliding_attention", "full_attention"],
)
GEMMA3 = Gemma3TextConfig(
    **SIZES,
    head_dim=8,
    sliding_window=WINDOW,
    query_pre_attn_scalar=8,
    layer_types=["sliding_attention", "full_attention"],
)
# Its window begins with the second layer.
QWEN2 = Qwen2Config(**SIZES, use_sliding_window=True, sliding_window=WINDOW, max_window_layers=1)
QWEN3 = Qwen3Config(**SIZES, head_dim=8)
PHI3 = Phi3Config(**SIZES, sliding_window=WINDOW, bos_token_id=1, eos_token_id=2)
FAMILIES = [LLAMA, QWEN2, QWEN3, GEMMA2, GEMMA3, MISTRAL, PHI3]


def build(config: Any, dtype: torch.dtype = torch.float32, trained_layers: Sequence[int] = range(N_LAYERS)) -> Any:
    """A model of `config` with a random adapter in `trained_layers`."""
    torch.manual_seed(0)
    # Gemma 2's soft-capping is refused by sdpa.
    model = AutoModelForCausalLM.from_config(config, dtype=dtype, attn_implementation="eager")
    others = set(range(N_LAYERS)) - set(trained_layers)
    adapted = get_peft_model(
        model,
        LoraConfig(
            r=4,
            lora_alpha=8,
            target_modules="all-linear",
            exclude_modules=rf".*\.layers\.({'|'.join(map(str, others))})\..*" if others else None,
        ),
        autocast_adapter_dtype=False,
    )
    if dtype == torch.float64:
        for module in adapted.modules():
            if type(module).__name__.endswith("RMSNorm"):
                module.forward = partial(_rms_norm, module)
    for name, parameter in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    return adapted


def _rms_norm(module: Any, states: torch.Tensor) -> torch.Tensor:
    """transformers' norms compute in float32, and round gradients to it, whatever the model's dtype."""
    gemma = type(module).__name__.startswith("Gemma")
    eps = module.eps if gemma else module.variance_epsilon
    normed = states * torch.rsqrt(states.pow(2).mean(-1, keepdim=True) + eps)
    return normed * (1 + module.weight if gemma else module.weight)


def some_tasks(prefix: int, count: int, seed: int = 0) -> list[EncodedTask]:
    """Random tasks that have exactly `prefix` token ids in common."""
    rng = random.Random(seed)
    head = tuple(rng.randrange(3, 97) for _ in range(prefix))

    def ids(least: int, most: int) -> tuple[int, ...]:
        return tuple(rng.randrange(3, 97) for _ in range(rng.randint(least, most)))

    return [EncodedTask(str(n), (*head, n + 3, *ids(0, 9)), ids(1, 12)) for n in range(count)]


def packed(model: Any, tasks: Sequence[EncodedTask], pack_tokens: int = 4096, norm: Any = "token") -> torch.Tensor:
    """The loss of a step over `tasks`, computed in packs; gradients are added up."""
    labels = sum(len(task.answer_ids) for task in tasks)
    total = torch.zeros((), dtype=next(model.parameters()).dtype)
    with use_packed_attention(model.get_base_model()):
        for pack in pack_tasks(tasks, pack_tokens):
            loss = pack_loss(model, pack, norm, step_tasks=len(tasks), step_labels=labels)
            loss.backward()
            total += loss.detach()
    return total


def separate(model: Any, tasks: Sequence[EncodedTask], norm: str = "token") -> torch.Tensor:
    """The same from one unpadded sequence a task, with stock attention."""
    labels = sum(len(task.answer_ids) for task in tasks)
    total = torch.zeros((), dtype=next(model.parameters()).dtype)
    for task in tasks:
        logits = model(input_ids=torch.tensor([task.ids]), use_cache=False).logits[0]
        wanted = logits[len(task.prompt_ids) - 1 : -1]
        loss = functional.cross_entropy(wanted, torch.tensor(task.answer_ids), reduction="sum")
        loss = loss / labels if norm == "token" else loss / len(task.answer_ids) / len(tasks)
        loss.backward()
        total += loss.detach()
    return total


def gradients(model: Any) -> dict[str, torch.Tensor]:
    """Every trained tensor's gradient, which is taken away from it."""
    found = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    assert found.keys() == {name for name, p in model.named_parameters() if p.requires_grad}
    assert all(gradient.norm() > 0 for gradient in found.values())
    return found


def worst_difference(ours: dict[str, torch.Tensor], reference: dict[str, torch.Tensor]) -> float:
    """The largest relative difference of a tensor, as norm of the difference over norm."""
    assert ours.keys() == reference.keys()
    return max(float((ours[name] - reference[name]).norm() / reference[name].norm()) for name in reference)
