"""`adapter: none`: the weights themselves are trained, and the base model still comes back bit by bit."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

import lift
from lift.cli.info import engines
from lift.document import Document
from lift.errors import AdapterError, RecipeError
from tests.conftest import RECORDED

KNOBS: dict[str, Any] = {"adapter": "none", "lr": 1e-2, "epochs": 2, "tasks_per_segment": 5, "tasks_per_step": 4}
QUESTION = "Where was José Luis Picardo born?"


@pytest.fixture
def base(tiny_model: Path) -> lift.BaseModel:
    return lift.load_base_model(tiny_model, device="cpu", dtype="float32")


def digest(base: lift.BaseModel) -> str:
    sha = hashlib.sha256()
    for name, weight in sorted(base.network.state_dict().items()):
        sha.update(name.encode() + weight.numpy().tobytes())
    return sha.hexdigest()


def absorbed(document: Document, base: lift.BaseModel, **more: Any) -> lift.LiftedModel:
    out = more.pop("out", None)
    return lift.absorb(document, model=base, generator=f"recorded:{RECORDED}", recipe=KNOBS | more, out=out)


def test_the_base_model_answers_in_between_and_comes_back(short: Document, base: lift.BaseModel) -> None:
    before = digest(base)
    other = lift.absorb(short, model=base, generator=f"recorded:{RECORDED}", recipe={"rank": 2, "epochs": 1})
    plain = other.ask(QUESTION, without_adapter=True, max_new_tokens=8)
    other.close()
    lifted = absorbed(short, base)
    assert lifted.manifest.losses["last"] < lifted.manifest.losses["first"]
    assert digest(base) != before
    assert lifted.ask(QUESTION, without_adapter=True, max_new_tokens=8) == plain
    assert lifted.ask(QUESTION, max_new_tokens=8) != plain
    with base.wearing(None):  # what a generator in this process computes with
        assert digest(base) == before
    lifted.close()
    assert digest(base) == before
    assert not any(parameter.requires_grad for parameter in base.network.parameters())


def test_it_is_saved_as_a_full_model(short: Document, base: lift.BaseModel, tmp_path: Path) -> None:
    lifted = absorbed(short, base, out=tmp_path / "full")
    expected = lifted.ask(QUESTION, max_new_tokens=8)
    ids = torch.tensor([[5, 6, 7]])
    plain = AutoModelForCausalLM.from_pretrained(tmp_path / "full")  # as any tool loads it
    torch.testing.assert_close(plain(ids).logits, lifted.adapted(input_ids=ids).logits)
    lifted.close()
    loaded = lift.load(tmp_path / "full", model=base)
    assert loaded.ask(QUESTION, max_new_tokens=8) == expected
    assert set(loaded.manifest.files) >= {"config.json", "model.safetensors", "tokenizer.json"}
    assert engines(loaded.manifest, tmp_path / "full")["vLLM"] == f"vllm serve {tmp_path / 'full'}"
    with pytest.raises(AdapterError, match="full model already"):
        loaded.save(tmp_path / "merged", merged=True)
    loaded.close()
    # Another kind of result in the same folder leaves nothing of it.
    lora = {"out": tmp_path / "full", "overwrite": True, "recipe": {"rank": 2, "epochs": 1}}
    lift.absorb(short, model=base, generator=f"recorded:{RECORDED}", **lora).close()
    assert not (tmp_path / "full" / "model.safetensors").exists()
    lift.load(tmp_path / "full", model=base).close()


def test_the_top_layers_alone(short: Document, base: lift.BaseModel) -> None:
    frozen = base.network.get_decoder().layers[0].mlp.up_proj.weight.clone()
    embeddings = base.network.get_input_embeddings().weight.clone()
    lifted = absorbed(short, base, trained_share=0.5)
    layers = base.network.get_decoder().layers
    assert torch.equal(layers[0].mlp.up_proj.weight, frozen)
    assert torch.equal(base.network.get_input_embeddings().weight, embeddings)
    assert lifted.manifest.losses["last"] < lifted.manifest.losses["first"]
    lifted.close()


def test_a_writer_has_to_be_lora(short: Document, base: lift.BaseModel, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="plain LoRA"):
        lift.train_writer([(short, RECORDED)], out=tmp_path / "w", model=base, recipe={"adapter": "none"})
