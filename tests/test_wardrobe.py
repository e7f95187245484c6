"""Several adapters on one base model: each answers, trains and is saved as if it were alone."""

import dataclasses
import gc
import weakref
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import torch

import lift
from lift.attaching import attach_adapter
from lift.decoding import decode_batch
from lift.document import Document
from lift.errors import AdapterError, ModelError
from lift.recipe import Recipe
from lift.training.trainer import Trainer
from tests.conftest import RECORDED
from tests.training.test_trainer import adapter, tasks

QUESTION = "Where was José Luis Picardo born?"
RECIPE = Recipe(rank=4, alpha=8, lr=1e-2)
KINDS: dict[str, dict[str, Any]] = {
    "lora": {"rank": 2, "lr": 0.1, "epochs": 1, "min_steps": 8},
    "another lora": {"rank": 4, "lr": 0.1, "epochs": 1, "min_steps": 8, "trained_share": 0.5},
    "full": {"adapter": "none", "lr": 0.02, "epochs": 1, "min_steps": 8},
}


@pytest.fixture
def base(tiny_model: Path) -> lift.BaseModel:
    return lift.load_base_model(tiny_model, device="cpu", dtype="float32")


def absorbed(document: Document, base: lift.BaseModel, kind: str) -> lift.LiftedModel:
    return lift.absorb(document, model=base, generator=f"recorded:{RECORDED}", recipe=KINDS[kind])


def answers(lifted: lift.LiftedModel) -> list[str]:
    return [lifted.ask(QUESTION, without_adapter=plain, max_new_tokens=12) for plain in (False, True)]


def saved_weights(lifted: lift.LiftedModel, folder: Path) -> dict[str, str]:
    lifted.save(folder)
    return dict(lifted.manifest.files)


def plain_weights(base: lift.BaseModel) -> dict[str, torch.Tensor]:
    return {name: weight.clone() for name, weight in base.network.state_dict().items()}


@pytest.mark.parametrize("kinds", [("lora", "another lora"), ("lora", "full"), ("full", "lora"), ("full", "full")])
def test_each_answers_and_is_saved_as_if_it_were_alone(
    kinds: tuple[str, str], short: Document, base: lift.BaseModel, tmp_path: Path
) -> None:
    before = plain_weights(base)
    alone = []
    for number, kind in enumerate(kinds):
        lifted = absorbed(short, base, kind)
        alone.append((answers(lifted), saved_weights(lifted, tmp_path / f"alone-{number}")))
        lifted.close()
    assert alone[0][0][0] != alone[1][0][0] or kinds[0] == kinds[1]
    both = [absorbed(short, base, kind) for kind in kinds]
    for _ in range(2):
        assert [answers(lifted) for lifted in both] == [expected for expected, _ in alone]
    for number, lifted in enumerate(both):
        assert saved_weights(lifted, tmp_path / f"both-{number}") == alone[number][1]
    both[0].close()
    assert answers(both[1]) == alone[1][0]
    both[1].close()
    after = base.network.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], weight) for name, weight in before.items())
    assert not any(parameter.requires_grad for parameter in base.network.parameters())


def test_loaded_beside_another(short: Document, base: lift.BaseModel, tmp_path: Path) -> None:
    for kind in ("lora", "full"):
        lifted = absorbed(short, base, kind)
        lifted.save(tmp_path / kind)
        lifted.close()
    first = lift.load(tmp_path / "lora", model=base)
    ids = torch.tensor([[5, 6, 7]])
    logits = first.adapted(input_ids=ids).logits
    alone = answers(first)
    second = lift.load(tmp_path / "full", model=base)
    assert answers(first) == alone
    assert answers(second)[0] != alone[0]
    # The first one is the one that is on for whoever computes with the network itself.
    assert torch.equal(first.adapted(input_ids=ids).logits, logits)
    with base.wearing(second.adapted):
        assert not torch.equal(second.adapted(input_ids=ids).logits, logits)


def test_an_answer_in_between_leaves_training_alone(base: lift.BaseModel, short: Document) -> None:
    def trained(other: lift.LiftedModel | None) -> dict[str, torch.Tensor]:
        model = attach_adapter(base, RECIPE)
        with Trainer(model, RECIPE, base.turns) as trainer:
            for _ in range(3):
                trainer.step(tasks(8))
                if other:
                    assert answers(other) == expected
        weights = adapter(model)
        base.take_off(model)
        return weights

    plain = trained(None)
    for kind in ("lora", "full"):
        other = absorbed(short, base, kind)
        expected = answers(other)
        disturbed = trained(other)
        assert plain.keys() == disturbed.keys()
        assert all(torch.equal(disturbed[name], weight) for name, weight in plain.items())
        assert answers(other) == expected
        other.close()


@pytest.mark.parametrize("kind", ["lora", "full"])
def test_an_adapter_counts_as_much_as_is_asked_for(kind: str, short: Document, base: lift.BaseModel) -> None:
    def logits() -> torch.Tensor:
        with torch.no_grad():
            return base.network(input_ids=torch.tensor([[5, 6, 7]])).logits

    def halve() -> None:
        for name, weight in base.network.named_parameters():
            if kind == "full":
                weight.data = (weight.data + plain_values[name]) / 2
            elif "lora_B" in name:
                weight.data = weight.data / 2

    plain, plain_values = logits(), plain_weights(base)
    lifted = absorbed(short, base, kind)
    with base.wearing(lifted.adapted):
        whole = logits()
        with base.wardrobe.scaled(0.5):
            half = logits()
        with base.wardrobe.scaled(0):
            torch.testing.assert_close(logits(), plain)
        with base.wardrobe.scaled(1):
            assert torch.equal(logits(), whole)
        assert torch.equal(logits(), whole)  # bit by bit as it was
        halve()
        torch.testing.assert_close(logits(), half)
        assert not torch.allclose(half, whole)
    with base.wearing(None), base.wardrobe.scaled(0.5):  # nothing is on, so nothing is scaled
        assert torch.equal(logits(), plain)


@pytest.mark.parametrize("kind", ["lora", "full"])
def test_less_of_it_counts_beside_a_text(
    kind: str, short: Document, base: lift.BaseModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def said(**options: Any) -> str:
        answer = lifted.ask(QUESTION, max_new_tokens=12, **options)
        assert "".join(lifted.stream(QUESTION, max_new_tokens=12, **options)).strip() == answer
        return answer

    scales: list[float] = []
    scaled = base.wardrobe.scaled

    def noted(scale: float) -> AbstractContextManager[None]:
        scales.append(scale)
        return scaled(scale)

    lifted = absorbed(short, base, kind)
    monkeypatch.setattr(base.wardrobe, "scaled", noted)
    assert said() == said(adapter_scale=1)
    assert said(adapter_scale=0) == said(without_adapter=True)
    assert scales == [1, 1, 1, 1]  # asked and streamed; without the adapter nothing is scaled
    text = short.text[:200]
    for scale in (0.5, 1.0):
        manifest = dataclasses.replace(lifted.manifest, scale_beside_text=scale)
        lifted = lift.LiftedModel(base, lifted.adapted, manifest)
        scales.clear()
        assert said(context=text) == said(context=text, adapter_scale=scale)
        assert scales == [scale] * 4
    scales.clear()
    half = lift.LiftedModel(base, lifted.adapted, dataclasses.replace(lifted.manifest, scale_beside_text=0.5))
    find = {QUESTION: text, "Who?": ""}
    # Where nothing was found for a question, it is answered as it is alone.
    some = half.ask_many(list(find), context=find.__getitem__)
    assert scales == [0.5, 1]
    assert some == [half.ask(QUESTION, context=text), half.ask("Who?")]
    # The base model answers both in one batch.
    decoded = Mock(wraps=decode_batch)
    monkeypatch.setattr("lift.asking.decode_batch", decoded)
    plain = half.ask_many(list(find), context=find.__getitem__, without_adapter=True)
    assert decoded.call_count == 1
    assert plain == [half.ask(QUESTION, context=text, without_adapter=True), half.ask("Who?", without_adapter=True)]
    for impossible in (-1, float("nan"), float("inf")):
        with pytest.raises(AdapterError, match=f"cannot count {impossible} times"):
            lifted.ask(QUESTION, adapter_scale=impossible)


def test_two_do_not_train_at_once(base: lift.BaseModel) -> None:
    model = attach_adapter(base, RECIPE)
    with Trainer(model, RECIPE, base.turns) as trainer:
        trainer.step(tasks(4))
        with pytest.raises(ModelError, match="in training for another document"):
            attach_adapter(base, RECIPE)
        trainer.step(tasks(4))


@pytest.mark.parametrize("kind", ["lora", "full"])
def test_a_closed_one_says_so(kind: str, short: Document, base: lift.BaseModel) -> None:
    lifted = absorbed(short, base, kind)
    lifted.close()
    lifted.close()
    with pytest.raises(AdapterError, match="load it again"):
        lifted.ask(QUESTION)


@pytest.mark.parametrize("kind", ["lora", "full"])
def test_one_that_nobody_holds_is_forgotten(kind: str, base: lift.BaseModel) -> None:
    recipe = Recipe.of(KINDS[kind])
    model = attach_adapter(base, recipe)
    gone = weakref.ref(model)
    del model
    kept = attach_adapter(base, recipe)
    gc.collect()
    assert gone() is None
    base.take_off(kept)
