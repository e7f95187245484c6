"""Several adapters of one base model, of which it has one on at a time, or none."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Protocol
from weakref import WeakKeyDictionary

from lift.errors import AdapterError
from lift.full_tuning import FullTuning

if TYPE_CHECKING:
    from peft import PeftModel

    from lift.model import Adapted

__all__ = ["LoraLayers", "Outfit", "Wardrobe"]


class Outfit(Protocol):
    """What an adapter changes in the base model."""

    def put_on(self) -> None:
        """The base model computes with it, which has nothing on."""

    def take_off(self) -> None:
        """The base model is as it was; also where somebody has taken it off already."""

    def scaled(self, scale: float) -> AbstractContextManager[None]:
        """Within, with it on, what it changes counts `scale` times."""


class LoraLayers:
    """The layers of a peft adapter, in the places of the base model's own.

    peft could hold several adapters in one layer each, but then they would be saved, trained and taken off together.

    Args:
        adapted: the adapter, just put on.
    """

    def __init__(self, adapted: PeftModel) -> None:
        from peft.tuners.tuners_utils import BaseTunerLayer

        self._network = adapted.get_base_model()
        self._config = self._network.peft_config
        self._places = []  # the module around each layer, the layer's name there, and the layer
        for path, layer in self._network.named_modules():
            if isinstance(layer, BaseTunerLayer):
                parent, _, name = path.rpartition(".")
                self._places.append((self._network.get_submodule(parent), name, layer))

    def put_on(self) -> None:
        for parent, name, layer in self._places:
            setattr(parent, name, layer)
        self._network.peft_config = self._config

    def take_off(self) -> None:
        for parent, name, layer in self._places:
            setattr(parent, name, layer.get_base_layer())
        # With it left behind, peft would take the next adapter for a second one of this.
        vars(self._network).pop("peft_config", None)

    def scaled(self, scale: float) -> AbstractContextManager[None]:
        from peft.helpers import rescale_adapter_scale

        return rescale_adapter_scale(self._network, scale)


class Wardrobe:
    """The adapters that belong to one base model. Whoever calls it has the turn at the model.

    An adapter that nobody holds any more is forgotten.
    """

    def __init__(self) -> None:
        self._outfits: WeakKeyDictionary[Adapted, Outfit] = WeakKeyDictionary()
        self._on: Outfit | None = None

    def add(self, adapted: Adapted) -> None:
        """Take note of an adapter that was put on a model with nothing on."""
        self._on = adapted.outfit if isinstance(adapted, FullTuning) else LoraLayers(adapted)
        self._outfits[adapted] = self._on

    def remove(self, adapted: Adapted) -> None:
        """Take an adapter off for good."""
        outfit = self._outfits.pop(adapted, None)
        if outfit is self._on:
            self._change(None)

    @contextmanager
    def wearing(self, adapted: Adapted | None) -> Iterator[None]:
        """Within, the model has `adapted` on, or nothing; then what it had before.

        Raises:
            AdapterError: `adapted` was taken off for good.
        """
        if adapted is not None and adapted not in self._outfits:
            raise AdapterError("this adapter was taken off its base model (`close`); load it again")
        before = self._on
        self._change(self._outfits[adapted] if adapted is not None else None)
        try:
            yield
        finally:
            self._change(before)

    @contextmanager
    def scaled(self, scale: float) -> Iterator[None]:
        """Within, what is on counts `scale` times: 0 is the base model, 1 the adapter as it was trained.

        Raises:
            AdapterError: `scale` is negative or not finite.
        """
        if not 0 <= scale < math.inf:
            raise AdapterError(f"an adapter cannot count {scale} times; 1 is all of it, 0.5 half, 0 the base model")
        with self._on.scaled(scale) if self._on and scale != 1 else nullcontext():
            yield

    def empty(self) -> None:
        """Nothing is on, until it is asked for."""
        self._change(None)

    @contextmanager
    def emptied(self) -> Iterator[None]:
        """Within, nothing is on at first; then what was on before, if anything was."""
        before = self._on
        self._change(None)
        try:
            yield
        finally:
            self._change(before or self._on)

    def _change(self, outfit: Outfit | None) -> None:
        if outfit is self._on:
            return
        if self._on:
            self._on.take_off()
        if outfit:
            outfit.put_on()
        self._on = outfit
