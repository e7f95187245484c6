"""`--dtype nf4`: LoRA on frozen weights in 4 bits (QLoRA, bitsandbytes)."""

from pathlib import Path
from typing import Any

import pytest
import torch

import lift
from lift.adapter import save_merged
from lift.attaching import attach_adapter
from lift.document import Document
from lift.errors import AdapterError, BaseModelMismatchError, MissingExtraError, RecipeError
from tests.conftest import RECORDED

KNOBS: dict[str, Any] = {"rank": 4, "alpha": 8, "lr": 0.01, "epochs": 2, "tasks_per_segment": 5, "tasks_per_step": 4}
QUESTION = "Where was José Luis Picardo born?"


@pytest.fixture
def base(tiny_model: Path) -> lift.BaseModel:
    return lift.load_base_model(tiny_model, device="cpu", dtype="nf4")


def test_layers_have_4_bits_and_adapters_do_not(base: lift.BaseModel) -> None:
    layer = base.network.get_decoder().layers[0].mlp.up_proj
    assert layer.weight.dtype == torch.uint8
    assert layer.weight.numel() == layer.in_features * layer.out_features / 2
    assert (base.dtype_name, base.dtype) == ("nf4", torch.bfloat16)
    adapted = attach_adapter(base, lift.load_recipe(KNOBS))
    trained = {parameter.dtype for parameter in adapted.parameters() if parameter.requires_grad}
    assert trained == {torch.bfloat16}
    base.take_off(adapted)


def test_a_document_is_absorbed_and_loaded(short: Document, base: lift.BaseModel, tmp_path: Path) -> None:
    options: dict[str, Any] = {"generator": f"recorded:{RECORDED}", "recipe": KNOBS}
    lifted = lift.absorb(short, model=base, out=tmp_path / "a", **options)
    assert lifted.manifest.losses["last"] < lifted.manifest.losses["first"]
    assert lifted.manifest.base_model["dtype"] == "nf4"
    answer = lifted.ask(QUESTION, max_new_tokens=8)
    assert answer != lifted.ask(QUESTION, without_adapter=True, max_new_tokens=8)
    lifted.close()
    # Left alone, bitsandbytes packs the weights for answering, and training after that goes wrong silently.
    again = lift.absorb(short, model=base, **options)
    assert again.manifest.losses == lifted.manifest.losses
    assert again.ask(QUESTION, max_new_tokens=8) == answer
    again.close()
    with pytest.raises(AdapterError, match="4 bits"):
        save_merged(base, tmp_path / "a", tmp_path / "merged")
    loaded = lift.load(tmp_path / "a", device="cpu")  # in 4 bits by itself
    assert loaded.ask(QUESTION, max_new_tokens=8) == answer
    with pytest.raises(BaseModelMismatchError, match="--dtype nf4"):
        lift.load(tmp_path / "a", device="cpu", dtype="bfloat16")


def test_what_4_bits_cannot(base: lift.BaseModel, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RecipeError, match="4-bit"):
        attach_adapter(base, lift.load_recipe({"adapter": "none"}))
    monkeypatch.setattr("lift.model.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"lift-llm\[qlora\]"):
        lift.load_base_model(tiny_model, device="cpu", dtype="nf4")
