"""The whole network trained (`adapter: none`), put on a base model and taken off again as an adapter is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

import torch
from torch import nn

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from lift.model import BaseModel

__all__ = ["FullTuning"]


class FullTuning(nn.Module):
    """The base model with other weights; its own are kept and come back with `unload`, bit by bit.

    It has what lift uses of a `peft.PeftModel`, by the same names. In memory are both: the weights as they were, and
    the ones in training.

    Args:
        base: the model; only its trained weights are replaced.
        layers_below: layers that stay as they are; where there are some, so do the embeddings.
        weights: the weights to put on, by name; None are copies of the base model's, to be trained.
    """

    def __init__(
        self, base: BaseModel, *, layers_below: int = 0, weights: Mapping[str, torch.Tensor] | None = None
    ) -> None:
        super().__init__()
        self.network = base.network
        self._base = base
        trained = _trained(base.network, layers_below)
        self._parameters_by_name = trained
        self._originals = {name: parameter.data for name, parameter in trained.items()}
        for name, parameter in trained.items():
            parameter.data = parameter.data.clone() if weights is None else weights[name].to(parameter)
            parameter.requires_grad_(weights is None)
        base.tunings.append(self)

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

    def get_decoder(self) -> Any:
        return self.network.get_decoder()

    def get_output_embeddings(self) -> Any:
        return self.network.get_output_embeddings()

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

    @contextmanager
    def disable_adapter(self) -> Iterator[None]:
        """Within, the base model's own weights answer."""
        tuned = {name: parameter.data for name, parameter in self._parameters_by_name.items()}
        self._put_on(self._originals)
        try:
            yield
        finally:
            self._put_on(tuned)

    def unload(self) -> None:
        """The base model is as it was."""
        self._put_on(self._originals)
        for parameter in self._parameters_by_name.values():
            parameter.requires_grad_(False)
            parameter.grad = None
        self._base.tunings.remove(self)

    def _put_on(self, weights: Mapping[str, torch.Tensor]) -> None:
        for name, parameter in self._parameters_by_name.items():
            parameter.data = weights[name]


def _trained(network: PreTrainedModel, layers_below: int) -> dict[str, nn.Parameter]:
    """The weights that training changes, by name; tied ones once."""
    embeddings = (network.get_input_embeddings(), network.get_output_embeddings()) if layers_below else ()
    frozen = [*network.get_decoder().layers[:layers_below], *(module for module in embeddings if module is not None)]
    out = {id(parameter) for module in frozen for parameter in module.parameters()}
    return {name: parameter for name, parameter in network.named_parameters() if id(parameter) not in out}
