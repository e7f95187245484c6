"""LoRA folded into the weights computes what peft computes, in training and for answers."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from peft.tuners.lora.layer import Linear as LoraLinear
from torch import nn

from lift.folding import FoldedLora

LR = 1e-2


class Two(nn.Module):
    """Two linear layers, one with a bias, and something between that is not linear."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(12, 20), nn.Linear(20, 8, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.second(torch.tanh(self.first(x)))
        return out


def adapted(dtype: torch.dtype = torch.float64, **knobs: Any) -> Any:
    torch.manual_seed(0)
    config = LoraConfig(r=3, lora_alpha=5, target_modules=["first", "second"], **knobs)
    network = get_peft_model(Two(), config, autocast_adapter_dtype=False).to(dtype)
    for name, parameter in network.named_parameters():
        if "lora_B" in name:
            nn.init.normal_(parameter)
    return network.train()


def gradients(network: Any, x: torch.Tensor) -> dict[str, torch.Tensor]:
    x = x.clone().requires_grad_()
    network.zero_grad()
    output = network(x)
    (output**2).sum().backward()
    found = {name: p.grad.clone() for name, p in network.named_parameters() if p.requires_grad}
    return found | {"x": x.grad, "output": output.detach()}


def layers(network: nn.Module) -> list[LoraLinear]:
    return [module for module in network.modules() if isinstance(module, LoraLinear)]


@pytest.mark.parametrize("shape", [(7, 12), (2, 7, 12)])
def test_outputs_and_gradients_are_those_of_peft(shape: tuple[int, ...]) -> None:
    network = adapted()
    x = torch.randn(shape, dtype=torch.float64)
    folded = FoldedLora(network, LR)
    assert len(folded) == 2
    for _ in range(2):
        expected = gradients(network, x)
        with folded.in_training():
            folded.fold()
            found = gradients(network, x)
        assert all("forward" not in vars(layer) for layer in layers(network))
        for name, value in expected.items():
            torch.testing.assert_close(found[name], value, rtol=1e-10, atol=1e-10)
        with torch.no_grad():  # an optimizer step
            for parameter in network.parameters():
                parameter.add_(0.1 if parameter.requires_grad else 0.0)


def test_others_in_between_get_what_they_ask_for() -> None:
    network = adapted()
    x = torch.randn(4, 12, dtype=torch.float64)
    with network.disable_adapter():
        without = network(x)
    answered = network.eval()(x)
    network.train()
    folded = FoldedLora(network, LR)
    with folded.in_training():  # nothing folded yet: whoever computes with that is found out
        with network.disable_adapter():
            assert torch.equal(network(x), without)
        assert torch.equal(network.eval()(x), answered)


def test_answers_are_those_of_peft() -> None:
    network = adapted().eval()
    x = torch.randn(4, 12, dtype=torch.float64)
    with network.disable_adapter():
        without = network(x)
    folded = FoldedLora(network, None)
    assert len(folded) == 2
    for _ in range(2):
        expected = network(x)
        with torch.inference_mode(), folded.answering():
            torch.testing.assert_close(network(x), expected, rtol=1e-10, atol=1e-10)
            assert not torch.equal(network(x), expected)  # folded indeed
            with network.disable_adapter():
                assert torch.equal(network(x), without)
        assert torch.equal(network(x), expected)
        with torch.no_grad():  # trained on
            for layer in layers(network):
                layer.lora_B["default"].weight.add_(0.1)


@pytest.mark.parametrize("knobs", [{"lora_dropout": 0.1}, {"use_dora": True}, {"lora_bias": True}])
def test_other_kinds_are_left_alone(knobs: dict[str, Any]) -> None:
    network = adapted(**knobs)
    assert len(FoldedLora(network, LR)) == 0


def test_low_learning_rates_are_not_rounded_away() -> None:
    network = adapted(torch.bfloat16)
    assert len(FoldedLora(network, 1e-2)) == 2
    assert len(FoldedLora(network, 1e-6)) == 0
    assert len(FoldedLora(adapted(torch.float32), 1e-6)) == 2


def test_what_hardly_was_learned_is_not_rounded_away() -> None:
    for dtype, size, folds in [(torch.bfloat16, 1.0, 2), (torch.bfloat16, 1e-4, 0), (torch.float32, 1e-4, 2)]:
        network = adapted(dtype)
        with torch.no_grad():
            for layer in layers(network):
                layer.lora_B["default"].weight.mul_(size)
        assert len(FoldedLora(network, None)) == folds


def test_there_is_a_limit_to_the_copies() -> None:
    assert len(FoldedLora(adapted(), LR, most_bytes=12 * 20 * 8)) == 0
    assert len(FoldedLora(adapted(), LR, most_bytes=(12 * 20 + 20 * 8) * 8)) == 2


def test_the_trainer_folds(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.training.test_trainer import RECIPE, train

    folds: list[int] = []
    fold = FoldedLora.fold
    monkeypatch.setattr(FoldedLora, "fold", lambda self: (folds.append(len(self)), fold(self)))
    trained, losses = train(tiny_model, RECIPE)
    assert len(folds) == 4
    assert min(folds) > 0
    monkeypatch.setattr("lift.training.trainer.FoldedLora", partial(FoldedLora, most_bytes=0))
    plain, others = train(tiny_model, RECIPE)
    assert losses == pytest.approx(others, rel=1e-5)
    for name in plain:
        torch.testing.assert_close(trained[name], plain[name], rtol=1e-3, atol=1e-4)
