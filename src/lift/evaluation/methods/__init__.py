"""Methods: ways of answering questions about a document; none of them knows a benchmark.

A new method is one class here with a line in `METHODS`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

from lift.errors import BenchmarkError, MissingExtraError
from lift.evaluation.methods.base import Method, Setting

__all__ = ["METHODS", "Method", "MethodSpec", "Setting", "parse_method"]

# Imported at first use: they bring torch.
METHODS: Final[Mapping[str, str]] = {
    "base": "reading.NoContext",
    "icl": "reading.TruncatedContext",
    "rag": "reading.Retrieval",
    "embed": "reading.EmbeddingRetrieval",
    "llmlingua": "reading.Compressed",
    "raw": "raw.RawText",
    "temp-lora": "raw.TempLora",
    "lift": "lifting.Lift",
    "lift+icl": "lifting.LiftWithContext",
    "lift+rag": "lifting.LiftWithRetrieval",
    "lift+recall": "lifting.LiftWithRecall",
}
_SEEDLESS: Final = frozenset({"base", "icl", "rag", "embed", "llmlingua"})
# Those that have a model of their own, for which the user may name another, and the package that they need.
_HELPED: Final = {"embed": "sentence-transformers", "llmlingua": "llmlingua"}


class MethodSpec:
    """A method with knobs of its own, as the user writes it: `lift`, `raw:lr=1e-3`, `lift+rag:adapter_scale=0.75`.

    Attributes:
        text: as written; its name in results.
        name: of the method.
        knobs: of the recipe, as `key=value`.
        helper: the embedding or compression model; None is the method's default, or that it has none.
        adapter_scale: how much of what it trained counts in answers; None is lift's default.
        training: what it trains; methods with the same one, on the same document, can share it.
        trains: whether seeds and knobs of training make a difference.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.name, _, knobs = text.partition(":")
        self.knobs = [knob for knob in knobs.split(":") if knob]
        if self.name not in METHODS:
            hint = "; knobs are joined with colons: lift:epochs=8:rank=128" if "=" in self.name else ""
            raise BenchmarkError(f"no method {self.name!r}; there are {', '.join(METHODS)}{hint}")
        self.training = self.name.partition("+")[0]
        self.trains = self.name not in _SEEDLESS
        self.helper = self._take("model") if self.name in _HELPED else None
        scale = self._take("adapter_scale") if self.trains else None
        self.adapter_scale = None if scale is None else _factor(scale)

    def _take(self, name: str) -> str | None:
        """The value of a knob that is not the recipe's."""
        for knob in self.knobs:
            if knob.startswith(f"{name}="):
                self.knobs.remove(knob)
                return knob.partition("=")[2]
        return None

    def check_installed(self) -> None:
        """Raises MissingExtraError where the method needs a package that is not there."""
        package = _HELPED.get(self.name)
        if package and find_spec(package.replace("-", "_")) is None:
            raise MissingExtraError(f"the method {self.name}", f"pip install {package}")

    def open(self, setting: Setting) -> Method:
        """The method, not yet prepared."""
        module, _, kind = METHODS[self.name].partition(".")
        build: Callable[[Setting], Any] = getattr(import_module(f"{__name__}.{module}"), kind)
        method: Method = build(setting)
        return method


def _factor(scale: str) -> float:
    try:
        factor = float(scale)
    except ValueError:
        factor = math.nan
    if not 0 <= factor < math.inf:
        raise BenchmarkError(f"adapter_scale={scale}: say how much counts; 1 is the whole adapter, 0.5 half of it")
    return factor


def parse_method(text: str) -> MethodSpec:
    """A method by its name, with knobs after colons.

    Raises:
        BenchmarkError: there is no such method.
    """
    return MethodSpec(text.strip())
