"""An adapter worn for a moment: the same update as peft's, and no trace afterwards."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from lift.attaching import attach_adapter
from lift.errors import AdapterError
from lift.model import load_base_model
from lift.overlay import Overlay
from lift.recipe import Recipe

RECIPE = Recipe(rank=3, alpha=12)


@pytest.fixture
def base(tiny_model: Path) -> Any:
    return load_base_model(tiny_model, dtype="float32")


@pytest.fixture(params=["folded", "hooks"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small models on the CPU are folded; hooks are for others."""
    if request.param == "hooks":
        monkeypatch.setattr("lift.overlay.MOST_BYTES", 0)


@pytest.fixture
def folder(base: Any, tmp_path: Path) -> Path:
    """An adapter with random weights."""
    adapted = attach_adapter(base, RECIPE)
    torch.manual_seed(0)
    for name, weight in adapted.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(weight, std=0.2)
    adapted.save_pretrained(tmp_path)
    base.take_off(adapted)
    return tmp_path


def logits(network: Any) -> torch.Tensor:
    with torch.no_grad():
        result: torch.Tensor = network(input_ids=torch.arange(3, 20)[None]).logits
    return result


def test_the_same_as_peft(base: Any, folder: Path) -> None:
    from peft import PeftModel

    plain = logits(base.network)
    overlay = Overlay(folder, base.network)
    with overlay.worn():
        worn = logits(base.network)
    assert torch.equal(logits(base.network), plain)
    peft_model = PeftModel.from_pretrained(base.network, str(folder))
    assert torch.allclose(worn, logits(peft_model), atol=1e-4)
    assert not torch.allclose(worn, plain, atol=1e-2)


def test_over_an_adapter_in_training(base: Any, folder: Path) -> None:
    """It goes on layers that peft has wrapped, and leaves that adapter and its gradients alone."""
    with (alone := Overlay(folder, base.network)).worn():
        expected = logits(base.network)
    assert alone
    adapted = attach_adapter(base, Recipe(rank=2, alpha=4))
    for name, weight in adapted.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight)
    trained = [name for name, weight in adapted.named_parameters() if weight.requires_grad]
    before = logits(adapted)
    overlay = Overlay(folder, base.network)
    with base.wearing(None), overlay.worn():
        assert torch.allclose(logits(base.network), expected, atol=1e-5)
    assert torch.equal(logits(adapted), before)
    assert [name for name, weight in adapted.named_parameters() if weight.requires_grad] == trained


def test_over_weights_in_training(base: Any, folder: Path) -> None:
    """It goes on the base model's own weights, not on those that are trained at their place."""
    with Overlay(folder, base.network).worn():
        expected = logits(base.network)
    adapted = attach_adapter(base, Recipe(adapter="none"))
    with torch.no_grad():
        for weight in adapted.parameters():
            weight += 0.1
    before = logits(base.network)
    overlay = Overlay(folder, base.network)
    with base.wearing(None), overlay.worn():
        assert torch.allclose(logits(base.network), expected, atol=1e-5)
    assert torch.equal(logits(base.network), before)
    assert not torch.allclose(before, expected, atol=1e-2)


def test_taken_off_after_an_error(base: Any, folder: Path) -> None:
    plain = logits(base.network)
    with pytest.raises(KeyboardInterrupt), Overlay(folder, base.network).worn():
        raise KeyboardInterrupt
    assert torch.equal(logits(base.network), plain)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"use_dora": True}, "only plain LoRA"),
        ({"bias": "all"}, "only plain LoRA"),
        ({"r": 0}, "holds no LoRA adapter"),
    ],
)
def test_other_kinds_are_refused(base: Any, folder: Path, change: dict[str, Any], message: str) -> None:
    path = folder / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(AdapterError, match=message):
        Overlay(folder, base.network)


def test_another_model(folder: Path) -> None:
    with pytest.raises(AdapterError, match="another model: no layer"):
        Overlay(folder, load_base_model(dtype="float32").network)


def test_no_adapter(base: Any, tmp_path: Path) -> None:
    with pytest.raises(AdapterError, match="holds no LoRA adapter"):
        Overlay(tmp_path / "none", base.network)
