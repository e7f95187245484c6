from pathlib import Path
from typing import Any

import pytest
import torch

from lift.attaching import attach_adapter
from lift.errors import TrainingError
from lift.model import load_base_model
from lift.recipe import Recipe
from lift.training.encoding import EncodedTask
from lift.training.trainer import Trainer
from lift.training.trunk import FrozenTrunk

RECIPE = Recipe(rank=4, alpha=8, lr=1e-2)


def tasks(count: int) -> list[EncodedTask]:
    return [EncodedTask(str(n), (1, 2, 3, n + 10), tuple(range(20, 22 + n % 4))) for n in range(count)]


def adapter(model: Any) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in model.named_parameters() if "lora_" in name}


def train(
    folder: Path, recipe: Recipe, dtype: str = "float32", steps: int = 4
) -> tuple[dict[str, torch.Tensor], list[float]]:
    base = load_base_model(folder, device="cpu", dtype=dtype)
    model = attach_adapter(base, recipe)
    with Trainer(model, recipe) as trainer:
        for _ in range(steps):
            trainer.step(tasks(8))
        losses = trainer.take_losses()
    return adapter(model), losses


def test_a_step_does_not_depend_on_the_packs(tiny_model: Path) -> None:
    whole, losses = train(tiny_model, RECIPE)
    for changed in (RECIPE.replace(pack_tokens=64), RECIPE.replace(activation_checkpointing=True)):
        parts, other = train(tiny_model, changed)
        assert losses == pytest.approx(other, rel=1e-4)
        for name in whole:
            torch.testing.assert_close(parts[name], whole[name], rtol=1e-3, atol=1e-4)


def test_a_step_equals_one_of_a_plain_padded_batch(tiny_model: Path) -> None:
    base = load_base_model(tiny_model, device="cpu", dtype="float32")
    model = attach_adapter(base, RECIPE)
    torch.manual_seed(1)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.05)
    start = adapter(model)
    batch = tasks(8)
    with Trainer(model, RECIPE) as trainer:
        trainer.step(batch)
    ours = adapter(model)
    for name, parameter in model.named_parameters():
        if name in start:
            parameter.data = start[name].clone()
    longest = max(map(len, batch))
    ids = torch.tensor([task.ids + (0,) * (longest - len(task)) for task in batch])
    mask = torch.tensor([[1] * len(task) + [0] * (longest - len(task)) for task in batch])
    labels = torch.full_like(ids, -100)
    for row, task in enumerate(batch):
        labels[row, len(task.prompt_ids) : len(task)] = torch.tensor(task.answer_ids)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=RECIPE.lr, weight_decay=0)
    model(input_ids=ids, attention_mask=mask, labels=labels).loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), RECIPE.max_grad_norm)
    optimizer.step()
    for name, parameter in model.named_parameters():
        if name in start:
            moved = (ours[name] - start[name]).norm()
            assert (ours[name] - parameter).norm() < 0.01 * moved, name


def test_the_base_model_never_changes(tiny_model: Path) -> None:
    base = load_base_model(tiny_model, device="cpu", dtype="bfloat16")
    before = {name: weight.clone() for name, weight in base.network.state_dict().items()}
    model = attach_adapter(base, RECIPE)
    with Trainer(model, RECIPE) as trainer:
        trainer.step(tasks(8))
    base.take_off(model)
    after = base.network.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_it_learns_in_bfloat16(tiny_model: Path) -> None:
    _, losses = train(tiny_model, RECIPE.replace(lr=0.05), "bfloat16", steps=40)
    assert losses[-1] < 0.6 * losses[0]


def test_float16_is_refused(tiny_model: Path) -> None:
    base = load_base_model(tiny_model, device="cpu", dtype="float16")
    with pytest.raises(TrainingError, match="--dtype bfloat16"):
        Trainer(attach_adapter(base, RECIPE), RECIPE)


def test_a_loss_that_is_not_finite_is_said(tiny_model: Path) -> None:
    base = load_base_model(tiny_model, device="cpu", dtype="float32")
    model = attach_adapter(base, RECIPE)
    base.network.model.norm.weight.data.fill_(float("nan"))
    with Trainer(model, RECIPE) as trainer:
        trainer.step(tasks(2))
        with pytest.raises(TrainingError, match="lower lr"):
            trainer.take_losses()


def test_the_top_share_of_the_layers_is_trained(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = RECIPE.replace(trained_share=0.5)
    kept, losses = train(tiny_model, recipe)
    assert kept
    assert all(".layers.1." in name for name in kept)
    monkeypatch.setattr(FrozenTrunk, "of", lambda base: None)
    computed, other = train(tiny_model, recipe)
    assert losses == pytest.approx(other, rel=1e-5)
    for name in kept:
        torch.testing.assert_close(kept[name], computed[name], rtol=1e-3, atol=1e-4)
