"""RMS norms whose gradient is computed in one go, for norms that are not trained themselves.

A model's own norm is a chain of small operations, of which autograd keeps wide float32 copies and walks each again. A
closed form of the gradient reads and writes a third less (docs/benchmarks.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import torch
from torch import nn

__all__ = ["lean_norms"]

# How families write x / rms(x) times the weight: what is added to the weight, and whether the quotient is rounded to
# the input's dtype before the weight multiplies it.
_FORMS: Final = ((0.0, True), (1.0, False), (0.0, False))  # Llama, Mistral, Qwen, Phi; Gemma; OLMo 2


@dataclass(frozen=True)
class _Norm:
    """What an RMS norm computes."""

    weight: torch.Tensor
    eps: float
    offset: float
    rounds_first: bool

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        output: torch.Tensor = _RMSNorm.apply(x, self)  # type: ignore[no-untyped-call]
        return output


@contextmanager
def lean_norms(network: nn.Module) -> Iterator[int]:
    """Within, the RMS norms of `network` on the CPU use the closed form while they train; yields how many do."""
    with ExitStack() as stack:
        found = [(module, norm) for module in network.modules() if (norm := _norm_of(module))]
        for module, norm in found:
            module.forward = partial(_forward, module, norm, module.forward)
            stack.callback(delattr, module, "forward")
        yield len(found)


def _forward(
    module: nn.Module, norm: _Norm, stock: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor
) -> torch.Tensor:
    # Answers in between are somebody else's turn; in two dtypes families differ once more.
    return norm(x) if module.training and x.dtype == norm.weight.dtype else stock(x)


def _norm_of(module: nn.Module) -> _Norm | None:
    """What gives the same as `module`; None for other modules, and for norms that are trained."""
    eps = getattr(module, "variance_epsilon", getattr(module, "eps", None))
    parameters = dict(module.named_parameters())
    if not type(module).__name__.endswith("RMSNorm") or eps is None or list(parameters) != ["weight"]:
        return None
    weight = parameters["weight"]
    if weight.requires_grad or weight.device.type != "cpu":
        return None
    x = torch.randn(4, len(weight), generator=torch.Generator().manual_seed(0)).to(weight.dtype)
    rounding = 4 * torch.finfo(weight.dtype).eps
    with torch.no_grad():
        wanted = module(x)
        norms = (_Norm(weight, eps, *form) for form in _FORMS)
        return next((norm for norm in norms if torch.allclose(norm(x), wanted, rounding, rounding)), None)


class _RMSNorm(torch.autograd.Function):
    """Computed in float32 or wider, with the gradient of x alone."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, norm: _Norm) -> torch.Tensor:
        quotient = _widened(x)
        scale = torch.linalg.vector_norm(quotient, dim=-1, keepdim=True)
        scale = scale.square_().div_(x.shape[-1]).add_(norm.eps).rsqrt_()
        ctx.save_for_backward(x, scale)
        ctx.norm = norm
        quotient.mul_(scale)
        if norm.rounds_first:
            return quotient.to(x.dtype).mul_(norm.weight)
        return quotient.mul_(norm.weight.to(quotient.dtype) + norm.offset).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: torch.Tensor) -> tuple[torch.Tensor, None]:
        x, scale = ctx.saved_tensors
        gradient = _widened(grad_outputs[0]).mul_(ctx.norm.weight.to(scale.dtype) + ctx.norm.offset)
        quotient = _widened(x).mul_(scale)
        # Along x itself the norm is flat.
        along = torch.linalg.vecdot(gradient, quotient).div_(-x.shape[-1])[..., None]
        return quotient.mul_(along).add_(gradient).mul_(scale).to(x.dtype), None


def _widened(tensor: torch.Tensor) -> torch.Tensor:
    """A copy in float32 or wider, to compute in: a product of two dtypes would make more of them."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32), copy=True)
