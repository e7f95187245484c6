"""Loss and gradients of a pack equal those of separate sequences (DESIGN, decision 2).

LoRA's B is filled with random numbers first: at zero, every gradient of A is zero and would prove nothing.
Gradients are compared tensor by tensor, as the norm of the difference over the norm.
"""

import random
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch.nn import functional
from transformers import AutoModelForCausalLM, Gemma2Config, LlamaConfig, MistralConfig

from lift.training import attention
from lift.training.attention import use_packed_attention
from lift.training.encoding import EncodedTask
from lift.training.packing import pack_tasks, shared_prefix_length
from lift.training.trainer import pack_loss

SIZES: dict[str, Any] = {
    "vocab_size": 97,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "pad_token_id": 0,
}
LLAMA = LlamaConfig(**SIZES)
# A window smaller than the sequences, so that it bites, within branches and across the prefix.
MISTRAL = MistralConfig(**SIZES, sliding_window=5)
# Soft-capping that bites: scores of this model are larger than the cap.
GEMMA2 = Gemma2Config(
    **SIZES,
    head_dim=8,
    sliding_window=5,
    attn_logit_softcapping=0.02,
    final_logit_softcapping=0.5,
    query_pre_attn_scalar=8,
    layer_types=["sliding_attention", "full_attention"],
)


@pytest.fixture(autouse=True)
def softmax_in_full_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """transformers' eager attention rounds its softmax to float32, which would hide errors below 1e-7."""
    stock = functional.softmax

    def softmax(states: torch.Tensor, dim: int | None = None, dtype: torch.dtype | None = None) -> torch.Tensor:
        return stock(states, dim=dim, dtype=states.dtype if states.dtype == torch.float64 else dtype)

    monkeypatch.setattr(functional, "softmax", softmax)


def build(config: Any, dtype: torch.dtype = torch.float32) -> Any:
    torch.manual_seed(0)
    # Gemma 2's soft-capping is refused by sdpa.
    model = AutoModelForCausalLM.from_config(config, dtype=dtype, attn_implementation="eager")
    adapted = get_peft_model(
        model, LoraConfig(r=4, lora_alpha=8, target_modules="all-linear"), autocast_adapter_dtype=False
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
    rng = random.Random(seed)
    head = tuple(rng.randrange(3, 97) for _ in range(prefix))

    def ids(least: int, most: int) -> tuple[int, ...]:
        return tuple(rng.randrange(3, 97) for _ in range(rng.randint(least, most)))

    return [EncodedTask(str(n), (*head, n + 3, *ids(0, 9)), ids(1, 12)) for n in range(count)]


def packed(model: Any, tasks: Sequence[EncodedTask], pack_tokens: int = 4096, norm: Any = "token") -> torch.Tensor:
    labels = sum(len(task.answer_ids) for task in tasks)
    total = torch.zeros((), dtype=next(model.parameters()).dtype)
    with use_packed_attention(model.get_base_model()):
        for pack in pack_tasks(tasks, pack_tokens):
            loss = pack_loss(model, pack, norm, step_tasks=len(tasks), step_labels=labels)
            loss.backward()
            total += loss.detach()
    return total


def separate(model: Any, tasks: Sequence[EncodedTask], norm: str = "token") -> torch.Tensor:
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
    found = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    assert len(found) == 2 * 7 * 2  # A and B of seven linear layers in two blocks
    assert all(gradient.norm() > 0 for gradient in found.values())
    return found


def worst_difference(model: Any, tasks: Sequence[EncodedTask], **options: Any) -> float:
    loss = packed(model, tasks, **options)
    ours = gradients(model)
    reference_loss = separate(model, tasks, norm=options.get("norm", "token"))
    reference = gradients(model)
    differences = [float((ours[name] - reference[name]).norm() / reference[name].norm()) for name in reference]
    return max(float(abs(loss - reference_loss) / reference_loss), *differences)


@pytest.mark.parametrize("config", [LLAMA, MISTRAL, GEMMA2], ids=lambda config: config.model_type)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
@pytest.mark.parametrize("prefix", [0, 7])
def test_a_pack_equals_separate_sequences(config: Any, dtype: torch.dtype, tolerance: float, prefix: int) -> None:
    model = build(config, dtype)
    tasks = some_tasks(prefix, 6)
    assert shared_prefix_length(tasks) == prefix
    assert worst_difference(model, tasks) < tolerance


@pytest.mark.parametrize("pack_tokens", [1, 40, 100])
@pytest.mark.parametrize("norm", ["token", "task"])
def test_the_size_of_a_pack_changes_nothing(pack_tokens: int, norm: str) -> None:
    assert worst_difference(build(LLAMA, torch.float64), some_tasks(7, 9), pack_tokens=pack_tokens, norm=norm) < 1e-10


def test_one_question_with_two_answers() -> None:
    """The prefix must leave each branch the last prompt token, whose logit predicts the first label."""
    prompt = (5, 6, 7, 8)
    tasks = [EncodedTask("a", prompt, (9, 10, 11)), EncodedTask("b", prompt, (9, 12))]
    assert shared_prefix_length(tasks) == 3
    assert worst_difference(build(LLAMA, torch.float64), tasks) < 1e-10


def test_with_activation_checkpointing() -> None:
    model = build(LLAMA, torch.float64)
    model.train()
    model.get_base_model().activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})
    assert worst_difference(model, some_tasks(7, 6)) < 1e-10


Break = Callable[[dict[str, Any]], dict[str, Any]]
BREAKS: dict[str, tuple[Any, Break]] = {
    "no sliding window": (MISTRAL, lambda given: given | {"sliding_window": None}),
    "a window one too long": (MISTRAL, lambda given: given | {"sliding_window": 6}),
    "no soft-capping": (GEMMA2, lambda given: given | {"softcap": None}),
    "another scaling": (LLAMA, lambda given: given | {"scaling": given["scaling"] * 1.01}),
    "queries see the key after them": (LLAMA, lambda given: given | {"causal_slip": 1}),
    "branches cut off the prefix": (LLAMA, lambda given: given | {"no_prefix": True}),
    "branches share one row": (LLAMA, lambda given: given | {"mix_rows": True}),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_deliberate_break_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    config, change = BREAKS[name]
    exact = attention.packed_attention

    def broken(module: Any, query: Any, key: Any, value: Any, mask: Any, **given: Any) -> Any:
        given = change(given)
        layout = given["pack_layout"]
        if given.pop("no_prefix", False):
            key = key.clone()
            key[:, :, : layout.prefix_length] = 0
        if given.pop("mix_rows", False):
            key = key.roll(1, dims=2)
        if given.pop("causal_slip", 0):
            value = value.roll(-1, dims=2)
        return exact(module, query, key, value, mask, **given)

    monkeypatch.setitem(attention.AttentionInterface._global_mapping, attention.PACKED_ATTENTION, broken)
    model = build(config, torch.float64)
    tasks = some_tasks(7, 6)
    packed(model, tasks)
    ours = gradients(model)
    separate(model, tasks)
    reference = gradients(model)
    assert max(float((ours[k] - reference[k]).norm() / reference[k].norm()) for k in reference) > 1e-4


def test_wrong_positions_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Positions that run through the pack instead of restarting after the prefix."""
    from lift.training.packing import Pack

    exact = Pack.tensors

    def running(self: Pack, device: torch.device) -> Any:
        batch = exact(self, device)
        batch.position_ids.copy_(torch.arange(batch.position_ids.shape[1])[None])
        return batch

    monkeypatch.setattr(Pack, "tensors", running)
    assert worst_difference(build(LLAMA, torch.float64), some_tasks(7, 6)) > 1e-4


def test_stock_attention_is_back_after_training() -> None:
    base = build(LLAMA).get_base_model()
    with use_packed_attention(base):
        assert base.config._attn_implementation == attention.PACKED_ATTENTION
    assert base.config._attn_implementation == "eager"
