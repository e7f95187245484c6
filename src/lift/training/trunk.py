"""The layers below the lowest one that is trained: computed once per task, not at every visit.

What they make of a task does not change in training, so it is kept and later visits begin at the first
trained layer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Final, cast

import torch
from torch import nn
from transformers import PreTrainedModel

from lift.training.encoding import EncodedTask
from lift.training.packing import Pack

__all__ = ["FrozenTrunk"]

# Hidden states beyond this are computed again at every visit.
MOST_BYTES: Final = 2 * 1024**3


class FrozenTrunk:
    """Hidden states of tasks where they enter the first trained layer.

    Args:
        base: the model, with adapters in its top layers alone and switched to packed attention.
        n_layers: layers below the first one that is trained.
        most_bytes: hidden states kept.
    """

    def __init__(self, base: PreTrainedModel, n_layers: int, most_bytes: int = MOST_BYTES) -> None:
        self._decoder = base.get_decoder()
        layers = cast(Sequence[nn.Module], self._decoder.layers)
        self._below, self._trained = layers[:n_layers], layers[n_layers:]
        self._kept: dict[EncodedTask, torch.Tensor] = {}
        self._device = base.device
        self._room = most_bytes

    @classmethod
    def of(cls, base: PreTrainedModel, most_bytes: int = MOST_BYTES) -> FrozenTrunk | None:
        """The trunk of `base` with its adapter; None where training begins in the first layer or below."""
        layers = base.get_decoder().layers
        n_layers = next((number for number, layer in enumerate(layers) if _is_trained(layer)), 0)
        return cls(base, n_layers, most_bytes) if n_layers and not _is_trained(base.get_input_embeddings()) else None

    def states(self, pack: Pack) -> torch.Tensor:
        """What enters the first trained layer for `pack`: [1, T, hidden size]."""
        missing = tuple(task for task in pack.tasks if task not in self._kept)
        fresh = dict(zip(missing, self._compute(Pack(missing, pack.prefix_length)), strict=True)) if missing else {}
        states = [fresh[task] if task in fresh else self._kept[task] for task in pack.tasks]
        for task, state in fresh.items():
            size = state.numel() * state.element_size()
            if size <= self._room:
                self._room -= size
                self._kept[task] = state
        prefix = pack.prefix_length
        return torch.cat([states[0][:prefix], *(state[prefix:] for state in states)])[None]

    @contextmanager
    def replaced_by(self, states: torch.Tensor) -> Iterator[None]:
        """A forward pass within begins at the first trained layer, with `states`."""

        def enter(module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
            return (states, *inputs[1:])

        with _passed_through(self._below):
            handle = self._trained[0].register_forward_pre_hook(enter)
            try:
                yield
            finally:
                handle.remove()

    @torch.no_grad()
    def _compute(self, pack: Pack) -> list[torch.Tensor]:
        """The states of each of the pack's tasks, [its length, hidden size]."""
        caught: list[torch.Tensor] = []
        handle = self._trained[0].register_forward_pre_hook(lambda module, inputs: caught.append(inputs[0]))
        batch = pack.tensors(self._device)
        try:
            with _passed_through(self._trained):
                self._decoder(
                    input_ids=batch.input_ids,
                    position_ids=batch.position_ids,
                    pack_layout=batch.layout,
                    use_cache=False,
                )
        finally:
            handle.remove()
        prefix, *branches = caught[0][0].split([pack.prefix_length, *(len(t) - pack.prefix_length for t in pack.tasks)])
        return [torch.cat([prefix, branch]) for branch in branches]


def _is_trained(module: nn.Module) -> bool:
    return any(parameter.requires_grad for parameter in module.parameters())


@contextmanager
def _passed_through(layers: Sequence[nn.Module]) -> Iterator[None]:
    """`layers` hand on what they get; they stay in their places, which some models look up settings by."""
    with ExitStack() as stack:
        for layer in layers:
            layer.forward = _hand_on
            stack.callback(delattr, layer, "forward")
        yield


def _hand_on(hidden_states: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
    return hidden_states
