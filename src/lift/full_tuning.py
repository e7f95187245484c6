"""The whole network trained (`adapter: none`), put on a base model and taken off again as an adapter is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

import torch
from torch import nn

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from lift.model import BaseModel

__all__ = ["FullTuning", "OtherWeights"]


class FullTuning(nn.Module):
    """The base model with other weights; its own are kept and come back bit by bit when these are taken off.

    It has what lift uses of a `peft.PeftModel`, by the same names. In memory are both: the weights as they were, and
    the ones in training.

    Args:
        base: the model, with nothing on; only its trained weights are replaced.
        layers_below: layers that stay as they are; where there are some, so do the embeddings.
        weights: the weights to put on, by name; None are copies of the base model's, to be trained.

    Attributes:
        outfit: the other weights.
    """

    def __init__(
        self, base: BaseModel, *, layers_below: int = 0, weights: Mapping[str, torch.Tensor] | None = None
    ) -> None:
        super().__init__()
        self.network = base.network
        self._base = base
        replaced = _trained(base.network, layers_below)
        others = [
            parameter.data.clone() if weights is None else weights[name].to(parameter)
            for name, parameter in replaced.items()
        ]
        self.outfit = OtherWeights(list(replaced.values()), others, trainable=weights is None)
        self.outfit.put_on()

    @classmethod
    def load(cls, base: BaseModel, folder: Path) -> Self:
        """The model that `save_pretrained` wrote, on `base`."""
        from transformers import AutoModelForCausalLM

        saved = AutoModelForCausalLM.from_pretrained(folder, dtype=base.dtype)
        return cls(base, weights={name: parameter.data for name, parameter in saved.named_parameters()})

    def forward(self, *arguments: Any, **options: Any) -> Any:
        return self.network(*arguments, **options)

    def generate(self, *arguments: Any, **options: Any) -> Any:
        return cast(Any, self.network).generate(*arguments, **options)

    @property
    def config(self) -> Any:
        return self.network.config

    @property
    def dtype(self) -> torch.dtype:
        return self.network.dtype

    @property
    def device(self) -> torch.device:
        return self.network.device

    def get_base_model(self) -> PreTrainedModel:
        return self.network

    def save_pretrained(self, folder: str) -> None:
        """A full model with its tokenizer, for transformers, vLLM and others."""
        self.network.save_pretrained(folder)
        self._base.tokenizer.save_pretrained(folder)


class OtherWeights:
    """Other values of a network's parameters, put on and taken off without a copy.

    Args:
        parameters: of the network, with its own values.
        values: one for each.
        trainable: whether these get gradients while they are on.
    """

    def __init__(self, parameters: Sequence[nn.Parameter], values: Sequence[torch.Tensor], *, trainable: bool) -> None:
        self._parameters = parameters
        self._values = values
        self._gradients: Sequence[torch.Tensor | None] = [None for _ in parameters]
        self._originals = [parameter.data for parameter in parameters]
        self._trainable = trainable

    def put_on(self) -> None:
        self._swap(self._values, requires_grad=self._trainable)
        for parameter, gradient in zip(self._parameters, self._gradients, strict=True):
            parameter.grad = gradient

    def take_off(self) -> None:
        # An optimizer may have put them elsewhere, and gradients beside them.
        self._values = [parameter.data for parameter in self._parameters]
        self._gradients = [parameter.grad for parameter in self._parameters]
        self._swap(self._originals, requires_grad=False)
        for parameter in self._parameters:
            parameter.grad = None

    @contextmanager
    def scaled(self, scale: float) -> Iterator[None]:
        """Within, the weights lie between the originals (0) and the other values (1), which come back as they were."""
        whole = [parameter.data for parameter in self._parameters]
        between = [torch.lerp(original, value, scale) for original, value in zip(self._originals, whole, strict=True)]
        self._swap(between, requires_grad=self._trainable)
        try:
            yield
        finally:
            self._swap(whole, requires_grad=self._trainable)

    def _swap(self, values: Sequence[torch.Tensor], *, requires_grad: bool) -> None:
        for parameter, value in zip(self._parameters, values, strict=True):
            parameter.data = value
            parameter.requires_grad_(requires_grad)


def _trained(network: PreTrainedModel, layers_below: int) -> dict[str, nn.Parameter]:
    """The weights that training changes, by name; tied ones once."""
    embeddings = (network.get_input_embeddings(), network.get_output_embeddings()) if layers_below else ()
    frozen = [*network.get_decoder().layers[:layers_below], *(module for module in embeddings if module is not None)]
    out = {id(parameter) for module in frozen for parameter in module.parameters()}
    return {name: parameter for name, parameter in network.named_parameters() if id(parameter) not in out}
