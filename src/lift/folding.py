"""LoRA folded into the weights for a step or an answer: one matrix product a layer and direction instead of three.

W + s B A is computed once; the layer's output and its input's gradient are then products with that sum alone. The
factors' gradients need two products with narrow results each, as before. What this saves are a LoRA layer's additions
and scalings of tensors as large as its output, which on a CPU take longer than its products (docs/benchmarks.md).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final, TypeGuard, cast

import torch
from peft.tuners.lora.layer import Linear as LoraLinear
from torch import nn
from torch.nn.functional import linear

from lift.sharding import is_sharded

__all__ = ["FoldedLora"]

# Folded weights are a copy of all that is trained on top of.
MOST_BYTES: Final = 1024**3
_FIRST_STEPS: Final = 10


class FoldedLora:
    """The LoRA layers of `network` that can be folded.

    Those are plain ones without dropout on linear layers on the CPU. In a narrow dtype the sum is rounded, so a
    layer is left as it is where rounding would swallow what is added: in training, where the learning rate is so low
    that the optimizer's first steps would be; for answers, where the layer has learned hardly anything. All are where
    copies of them would not fit `most_bytes` (a large model's weights are not even looked at), and where layers are
    divided among processes.

    Args:
        lr: the learning rate of training; AdamW's first steps change every weight by as much. None for answers.
    """

    def __init__(self, network: nn.Module, lr: float | None, most_bytes: int = MOST_BYTES) -> None:
        found = [] if is_sharded(network) else [_Layer(module) for module in network.modules() if _is_plain(module)]
        fit = sum(layer.weight.nbytes for layer in found) <= most_bytes
        self._layers = [layer for layer in found if layer.survives_rounding(lr)] if fit else []

    def __len__(self) -> int:
        return len(self._layers)

    @contextmanager
    def in_training(self) -> Iterator[None]:
        """Within, the layers compute with folded weights while they train; `fold` before every step."""
        with self._in_use(training=True):
            yield

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Within, the layers compute with the weights of now, folded, while they answer."""
        with self._in_use(training=False):
            self.fold()
            yield

    @contextmanager
    def _in_use(self, *, training: bool) -> Iterator[None]:
        with ExitStack() as stack:
            for layer in self._layers:
                stack.enter_context(layer.in_use(training))
            yield

    @torch.no_grad()
    def fold(self) -> None:
        """Take in what the optimizer did last."""
        for layer in self._layers:
            layer.fold()


class _Layer:
    """A LoRA layer: W [O, I], A [R, I], B [O, R] and the factor s of their product."""

    def __init__(self, module: LoraLinear) -> None:
        (name,) = module.active_adapters
        self._module = module
        base = cast(nn.Linear, module.get_base_layer())
        self.weight: torch.Tensor = base.weight
        self._bias: torch.Tensor | None = base.bias
        self._down = cast(torch.Tensor, module.lora_A[name].weight)
        self._up = cast(torch.Tensor, module.lora_B[name].weight)
        self._name = name
        self._folded = torch.empty(0)

    @property
    def _scale(self) -> float:
        """Of now: for an answer it may be another one than in training."""
        return float(self._module.scaling[self._name])

    def survives_rounding(self, lr: float | None) -> bool:
        """Whether most of the rounded weights are moved: by the first steps, after each of which B is larger by `lr`,
        or without a learning rate by A and B as they are.
        """
        if lr is None:
            moved = self._scale * _rms_of_product(self._up, self._down)
        else:
            moved = _FIRST_STEPS * self._scale * lr * math.sqrt(len(self._down)) * _rms(self._down)
        return moved >= torch.finfo(self.weight.dtype).eps / 2 * _rms(self.weight)

    def fold(self) -> None:
        torch.addmm(self.weight, self._up, self._down, alpha=self._scale, out=self._folded)

    @contextmanager
    def in_use(self, training: bool) -> Iterator[None]:
        module = self._module
        stock: Callable[..., torch.Tensor] = module.forward

        def forward(x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
            if module.disable_adapters or module.training is not training:  # somebody else's turn
                return stock(x, *args, **kwargs)
            if not training:  # no gradients, and no time lost on keeping what they need
                return linear(x, self._folded, self._bias)
            output: torch.Tensor = _FoldedLinear.apply(  # type: ignore[no-untyped-call]
                x, self._down, self._up, self._folded, self._bias, self._scale
            )
            return output

        self._folded = torch.empty_like(self.weight)
        module.forward = forward  # type: ignore[method-assign]
        try:
            yield
        finally:
            del module.forward
            self._folded = torch.empty(0)


class _FoldedLinear(torch.autograd.Function):
    """x W'^T + b for W' = W + s B A, with gradients of x, A and B."""

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        down: torch.Tensor,
        up: torch.Tensor,
        folded: torch.Tensor,
        bias: torch.Tensor | None,
        scale: float,
    ) -> torch.Tensor:
        ctx.save_for_backward(x, down, up, folded)
        ctx.scale = scale
        return linear(x, folded, bias)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, down, up, folded = ctx.saved_tensors
        (wide,) = grad_outputs
        x_gradient = wide @ folded if ctx.needs_input_grad[0] else None
        x, wide = x.flatten(0, -2), wide.flatten(0, -2)
        # The scale goes where tensors are narrow.
        down_gradient = (wide @ up).mul_(ctx.scale).T @ x
        up_gradient = wide.T @ linear(x, down).mul_(ctx.scale)
        return x_gradient, down_gradient, up_gradient, None, None, None


def _rms(tensor: torch.Tensor) -> float:
    wide = torch.promote_types(tensor.dtype, torch.float32)
    return float(torch.linalg.vector_norm(tensor.detach(), dtype=wide)) / math.sqrt(tensor.numel())


def _rms_of_product(up: torch.Tensor, down: torch.Tensor) -> float:
    """Of B A, from B'B and A A' alone: the squared norm is the sum of their products, entry by entry."""
    wide = torch.promote_types(up.dtype, torch.float32)
    up, down = up.detach().to(wide), down.detach().to(wide)
    squares = float(((up.T @ up) * (down @ down.T)).sum())
    return math.sqrt(max(0.0, squares) / (len(up) * down.shape[1]))


def _is_plain(module: nn.Module) -> TypeGuard[LoraLinear]:
    if type(module) is not LoraLinear or type(module.get_base_layer()) is not nn.Linear:
        return False
    adapters = module.active_adapters
    return (
        len(adapters) == 1
        and adapters[0] in module.lora_A
        and not module.lora_variant
        and not module.fan_in_fan_out
        and not module.lora_bias[adapters[0]]
        and isinstance(module.lora_dropout[adapters[0]], nn.Identity)
        and module.get_base_layer().weight.device.type == "cpu"
    )
