"""A LoRA adapter that a model wears for a moment, whatever else is attached to it, and that leaves no trace."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn
from torch.nn.functional import linear

from lift.errors import AdapterError
from lift.folding import MOST_BYTES

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["Overlay"]

# How peft names weights in a file, and the linear layer inside one of its own layers.
_PREFIX: Final = "base_model.model."
_WRAPPED: Final = ".base_layer"


class Overlay:
    """Plain LoRA weights by the modules that they belong to.

    peft could hold a second adapter beside the one in training, but it would change which weights get gradients,
    stay in the modules that it wraps, and go only together with the other. Here the layers of a small model on the CPU
    compute with other weights meanwhile, to which the adapter is added as in training (`FoldedLora`); others get hooks.

    Args:
        folder: a PEFT folder with a LoRA adapter (no DoRA, no bias).
        network: the model to wear it, with or without peft's layers in it.

    Raises:
        AdapterError: the adapter is of another kind, or for another architecture.
    """

    def __init__(self, folder: Path, network: PreTrainedModel) -> None:
        try:
            config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
            weights = load_file(folder / "adapter_model.safetensors")
            scale = float(config["lora_alpha"]) / float(config["r"])
        except (OSError, ValueError, KeyError, ZeroDivisionError, SafetensorError) as error:
            raise AdapterError(f"{folder} holds no LoRA adapter: {error!r}") from None
        if config.get("use_dora") or config.get("use_rslora") or config.get("bias", "none") != "none":
            raise AdapterError(f"{folder}: only plain LoRA can be worn for a moment")
        layers = {
            name.removesuffix(_WRAPPED): module
            for name, module in network.named_modules()
            if isinstance(module, nn.Linear) and "lora_" not in name
        }
        self._factors: list[tuple[nn.Linear, torch.Tensor, torch.Tensor]] = []
        for key, down in weights.items():
            name, is_down, _ = key.removeprefix(_PREFIX).partition(".lora_A.")
            if not is_down:
                continue
            up, layer = weights[key.replace(".lora_A.", ".lora_B.")] * scale, layers.get(name)
            if layer is None or (up.shape[0], down.shape[1]) != (layer.out_features, layer.in_features):
                raise AdapterError(f"{folder} is an adapter for another model: no layer {name} of its shape")
            down, up = (factor.to(network.device, network.dtype) for factor in (down, up))
            self._factors.append((layer, down, up))
        plain = network.device.type == "cpu" and all(type(layer) is nn.Linear for layer, _, _ in self._factors)
        self._folds = plain and sum(layer.weight.nbytes for layer, _, _ in self._factors) <= MOST_BYTES
        self._folded: list[nn.Parameter] = []

    @contextmanager
    def worn(self) -> Iterator[None]:
        """Within, the layers compute with the adapter's update; it is not trained.

        When first worn, the layers must have their own weights: no others are trained at their place.
        """
        with ExitStack() as stack:
            if self._folds:
                self._folded = self._folded or [_sum(layer.weight, down, up) for layer, down, up in self._factors]
                for (layer, _, _), weight in zip(self._factors, self._folded, strict=True):
                    stack.callback(setattr, layer, "weight", layer.weight)
                    layer.weight = weight
            else:
                for layer, down, up in self._factors:
                    stack.callback(layer.register_forward_hook(_update(down, up)).remove)
            yield


def _sum(weight: torch.Tensor, down: torch.Tensor, up: torch.Tensor) -> nn.Parameter:
    with torch.no_grad():
        return nn.Parameter(torch.addmm(weight, up, down), requires_grad=False)


def _update(down: torch.Tensor, up: torch.Tensor) -> Any:
    def add(module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> torch.Tensor:
        return output + linear(linear(inputs[0], down), up)

    return add
