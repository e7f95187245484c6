"""Models that packs do not fit are found out and trained on padded batches, with the same loss and gradients."""

from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import (
    AutoModelForCausalLM,
    BloomConfig,
    GPT2Config,
    Lfm2Config,
    MambaConfig,
    Olmo2Config,
)

from lift.errors import LiftWarning
from lift.recipe import Recipe
from lift.training import attention
from lift.training.fitness import why_not_packs
from lift.training.padding import padded_batches, padded_loss
from lift.training.trainer import Trainer
from tests.training.families import FAMILIES, SIZES, build, separate, some_tasks, worst_difference

MAMBA = MambaConfig(vocab_size=97, hidden_size=32, num_hidden_layers=2, state_size=4)
HYBRID = Lfm2Config(**SIZES, full_attn_idxs=[1])
ALIBI = BloomConfig(vocab_size=97, hidden_size=32, n_layer=2, n_head=4)
OLMO = Olmo2Config(**SIZES)
GPT2 = GPT2Config(vocab_size=97, n_embd=32, n_layer=2, n_head=4, resid_pdrop=0, embd_pdrop=0, attn_pdrop=0)


def adapted(config: Any, dtype: torch.dtype = torch.float32) -> Any:
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config, dtype=dtype)
    # peft adapts only these of mamba's.
    targets = ["in_proj", "x_proj"] if config.model_type == "mamba" else "all-linear"
    model = get_peft_model(model, LoraConfig(r=4, target_modules=targets), autocast_adapter_dtype=False)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    return model


@pytest.mark.parametrize("config", FAMILIES, ids=lambda config: config.model_type)
def test_families_that_tests_cover_need_no_check(config: Any) -> None:
    assert why_not_packs(build(config)) is None


@pytest.mark.parametrize(
    ("config", "reason"), [(MAMBA, "recurrent"), (HYBRID, "recurrent"), (ALIBI, "cannot be exchanged")]
)
def test_what_packs_do_not_fit(config: Any, reason: str) -> None:
    assert reason in str(why_not_packs(adapted(config)))


@pytest.mark.parametrize("config", [OLMO, GPT2], ids=lambda config: config.model_type)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_family_that_no_test_covers_proves_itself(config: Any, dtype: torch.dtype) -> None:
    assert why_not_packs(adapted(config, dtype)) is None


def test_or_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """An attention that is not what the family needs gives another gradient."""
    exact = attention.packed_attention

    def broken(module: Any, query: Any, key: Any, value: Any, mask: Any, **given: Any) -> Any:
        key = key.clone()
        key[:, :, : given["pack_layout"].prefix_length] = 0
        return exact(module, query, key, value, mask, **given)

    monkeypatch.setitem(attention.AttentionInterface._global_mapping, attention.PACKED_ATTENTION, broken)
    assert "another gradient" in str(why_not_packs(adapted(OLMO)))


def test_the_check_leaves_no_gradient_behind() -> None:
    model = adapted(OLMO)
    why_not_packs(model)
    assert all(parameter.grad is None for parameter in model.parameters())
    assert model.get_base_model().config._attn_implementation == "sdpa"


@pytest.mark.parametrize("config", [MAMBA, HYBRID, ALIBI], ids=lambda config: config.model_type)
@pytest.mark.parametrize("norm", ["token", "task"])
def test_padded_batches_equal_separate_sequences(config: Any, norm: Any) -> None:
    model = adapted(config, torch.float64)
    tasks = some_tasks(5, 7)
    labels = sum(len(task.answer_ids) for task in tasks)
    total = torch.zeros((), dtype=torch.float64)
    for batch in padded_batches(tasks, 60):
        loss = padded_loss(model, batch, norm, step_tasks=len(tasks), step_labels=labels)
        loss.backward()
        total += loss.detach()
    ours = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    reference = separate(model, tasks, norm)
    torch.testing.assert_close(total, reference, rtol=1e-6, atol=0)
    theirs = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    # transformers' norms and scans compute in float32 whatever the model's dtype.
    assert worst_difference(ours, theirs) < 1e-4


def test_padded_batches_are_bounded_and_complete() -> None:
    tasks = some_tasks(5, 30)
    batches = padded_batches(tasks, 64)
    assert sorted(task.task_id for batch in batches for task in batch) == sorted(task.task_id for task in tasks)
    assert all(len(batch) == 1 or len(batch) * max(map(len, batch)) <= 64 for batch in batches)


def test_the_trainer_says_so_and_trains() -> None:
    model = adapted(HYBRID)
    recipe = Recipe(rank=4, lr=5e-2)
    with pytest.warns(LiftWarning, match=r"lfm2 is trained on padded batches.*recurrent"):
        trainer = Trainer(model, recipe)
    with trainer:
        for _ in range(40):
            trainer.step(some_tasks(5, 4))
        losses = trainer.take_losses()
    assert losses[-1] < losses[0] - 0.1
