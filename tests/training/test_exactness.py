"""Loss and gradients of a pack equal those of separate sequences (DESIGN, decision 2).

LoRA's B is filled with random numbers first: at zero, every gradient of A is zero and would prove nothing.
Gradients are compared tensor by tensor, as the norm of the difference over the norm.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import LlamaConfig

from lift.chat_format import ChatFormat
from lift.full_tuning import FullTuning
from lift.model import BaseModel, load_base_model
from lift.prefix import shared_prefix
from lift.tasks import Task
from lift.training import attention
from lift.training.attention import use_packed_attention
from lift.training.encoding import EncodedTask, encode_task
from lift.training.packing import Pack
from tests.conftest import RECORDED
from tests.test_chat_format import PROMPT, TEMPLATES
from tests.training.families import (
    FAMILIES,
    GEMMA2,
    GEMMA3,
    LLAMA,
    MISTRAL,
    SIZES,
    build,
    gradients,
    packed,
    separate,
    some_tasks,
    worst_difference,
)


def error_of_packs(model: Any, tasks: Sequence[EncodedTask], **options: Any) -> float:
    """The largest relative error of the loss and of any gradient."""
    loss = packed(model, tasks, **options)
    ours = gradients(model)
    reference_loss = separate(model, tasks, norm=options.get("norm", "token"))
    return max(float(abs(loss - reference_loss) / reference_loss), worst_difference(ours, gradients(model)))


@pytest.mark.parametrize("config", FAMILIES, ids=lambda config: config.model_type)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
@pytest.mark.parametrize("prefix", [0, 7])
def test_a_pack_equals_separate_sequences(config: Any, dtype: torch.dtype, tolerance: float, prefix: int) -> None:
    model = build(config, dtype)
    tasks = some_tasks(prefix, 6)
    assert shared_prefix([task.prompt_ids for task in tasks]) == prefix
    assert error_of_packs(model, tasks) < tolerance


@pytest.mark.parametrize("pack_tokens", [1, 40, 100])
@pytest.mark.parametrize("norm", ["token", "task"])
def test_the_size_of_a_pack_changes_nothing(pack_tokens: int, norm: str) -> None:
    assert error_of_packs(build(LLAMA, torch.float64), some_tasks(7, 9), pack_tokens=pack_tokens, norm=norm) < 1e-10


def test_one_question_with_two_answers() -> None:
    """The prefix must leave each branch the last prompt token, whose logit predicts the first label."""
    prompt = (5, 6, 7, 8)
    tasks = [EncodedTask("a", prompt, (9, 10, 11)), EncodedTask("b", prompt, (9, 12))]
    assert shared_prefix([task.prompt_ids for task in tasks]) == 3
    assert error_of_packs(build(LLAMA, torch.float64), tasks) < 1e-10


def test_with_activation_checkpointing() -> None:
    model = build(LLAMA, torch.float64)
    model.train()
    model.get_base_model().activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})
    assert error_of_packs(model, some_tasks(7, 6)) < 1e-10


@pytest.mark.parametrize("template", ["own", *TEMPLATES, "none"])
def test_with_any_chat_template(template: str) -> None:
    """Without a system role, with thoughts, without a template at all: recorded tasks, as a user's run encodes them."""
    tokenizer = load_base_model().tokenizer
    if template != "own":
        tokenizer.chat_template = TEMPLATES.get(template)
    chat_format = ChatFormat(tokenizer, PROMPT, "José Luis Picardo")
    record = json.loads(RECORDED.read_text(encoding="utf-8").splitlines()[0])
    tasks = [
        encode_task(Task(str(n), pair["question"], pair["answer"]), chat_format, 512)
        for n, pair in enumerate(record["tasks"])
    ]
    model = build(LlamaConfig(**SIZES | {"vocab_size": len(tokenizer), "max_position_embeddings": 512}), torch.float64)
    assert error_of_packs(model, tasks) < 1e-10


@pytest.mark.parametrize("config", [LLAMA, GEMMA2], ids=lambda config: config.model_type)
def test_with_all_weights_in_training(config: Any) -> None:
    base = BaseModel(build(config, torch.float64).merge_and_unload(), None, "eager", "tiny", None, "")  # type: ignore[arg-type]  # no tokenizer needed
    assert error_of_packs(FullTuning(base), some_tasks(7, 6)) < 1e-10


def test_with_torch_compile() -> None:
    """Traced by dynamo, with forward and backward graphs of their own; not compiled to machine code, for time."""
    compiled, plain = build(GEMMA2, torch.float64), build(GEMMA2, torch.float64)
    for layer in compiled.get_base_model().get_decoder().layers:
        layer.compile(backend="aot_eager", dynamic=True)
    for seed in range(2):  # of other shapes
        tasks = some_tasks(7, 6, seed)
        torch.testing.assert_close(packed(compiled, tasks), separate(plain, tasks))
        assert worst_difference(gradients(compiled), gradients(plain)) < 1e-10


Break = Callable[[dict[str, Any]], dict[str, Any]]
BREAKS: dict[str, tuple[Any, Break]] = {
    "no sliding window": (MISTRAL, lambda given: given | {"sliding_window": None}),
    "a window one too long": (MISTRAL, lambda given: given | {"sliding_window": 6}),
    "no window in the layers that have one": (GEMMA3, lambda given: given | {"sliding_window": None}),
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
    assert error_of_packs(model, tasks) > 1e-4


def test_wrong_positions_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Positions that run through the pack instead of restarting after the prefix."""
    exact = Pack.tensors

    def running(self: Pack, device: torch.device) -> Any:
        batch = exact(self, device)
        batch.position_ids.copy_(torch.arange(batch.position_ids.shape[1])[None])
        return batch

    monkeypatch.setattr(Pack, "tensors", running)
    assert error_of_packs(build(LLAMA, torch.float64), some_tasks(7, 6)) > 1e-4


def test_stock_attention_is_back_after_training() -> None:
    base = build(LLAMA).get_base_model()
    with use_packed_attention(base):
        assert base.config._attn_implementation == attention.PACKED_ATTENTION
    assert base.config._attn_implementation == "eager"


ANSWERS = st.lists(st.integers(3, 96), min_size=1, max_size=12).map(tuple)
# Shorter ones leave attention no choice, and its gradients are zero.
PROMPTS = st.lists(st.integers(3, 96), min_size=3, max_size=12, unique=True).map(tuple)


@settings(max_examples=40, deadline=None)
@given(
    prefix=st.lists(st.integers(3, 96), max_size=9).map(tuple),
    branches=st.lists(st.tuples(PROMPTS, ANSWERS), min_size=1, max_size=8),
    pack_tokens=st.integers(1, 120),
    norm=st.sampled_from(["token", "task"]),
    family=st.sampled_from([LLAMA, MISTRAL, GEMMA2]),
)
def test_any_tasks_of_any_length_in_packs_of_any_size(
    prefix: tuple[int, ...],
    branches: list[tuple[tuple[int, ...], tuple[int, ...]]],
    pack_tokens: int,
    norm: str,
    family: Any,
) -> None:
    tasks = [EncodedTask(str(n), prefix + prompt, answer) for n, (prompt, answer) in enumerate(branches)]
    assert error_of_packs(build(family, torch.float64), tasks, pack_tokens=pack_tokens, norm=norm) < 1e-10
