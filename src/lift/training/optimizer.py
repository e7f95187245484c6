"""AdamW on float32 masters of parameters that compute in another dtype (DESIGN, decision 4)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import torch

__all__ = ["MasterAdamW"]

_STRETCH: Final = 2**20
_MOMENTS: Final = ("exp_avg", "exp_avg_sq")


class MasterAdamW:
    """AdamW whose weights, gradients and moments are float32, whatever dtype the model computes in.

    The parameters become views into one flat buffer, so that a step is a handful of kernels however many
    there are. Gradients of several backward passes are summed in float32.

    Args:
        parameters: trainable parameters of one dtype on one device.
        lr: the learning rate after the warm-up.
        warmup_steps: steps over which it rises to `lr`.
        weight_decay: AdamW's.
        max_grad_norm: larger gradients are scaled down to this norm; 0 leaves them alone.
    """

    def __init__(
        self,
        parameters: Iterable[torch.nn.Parameter],
        *,
        lr: float,
        warmup_steps: int = 0,
        weight_decay: float = 0.0,
        max_grad_norm: float = 0.0,
    ) -> None:
        self._parameters = list(parameters)
        with torch.no_grad():
            self._compute = torch.cat([parameter.flatten() for parameter in self._parameters])
            self._gradient = torch.zeros_like(self._compute)
            start = 0
            for parameter in self._parameters:
                place = slice(start, start + parameter.numel())
                parameter.data = self._compute[place].view_as(parameter)
                # A backward pass adds into an existing gradient in place.
                parameter.grad = self._gradient[place].view_as(parameter)
                start = place.stop
            self._master = torch.nn.Parameter(
                self._compute.to(torch.promote_types(self._compute.dtype, torch.float32), copy=True)
            )
            self._master.grad = torch.zeros_like(self._master)
        self._optimizer = torch.optim.AdamW(
            [self._master], lr=lr, weight_decay=weight_decay, fused=self._master.device.type in ("cpu", "cuda")
        )
        self._lr, self._warmup_steps, self._max_grad_norm = lr, warmup_steps, max_grad_norm
        self.steps = 0

    @property
    def gradient(self) -> torch.Tensor:
        """The flat float32 gradient gathered for the next step."""
        assert self._master.grad is not None
        return self._master.grad

    @torch.no_grad()
    def gather(self) -> None:
        """Add the parameters' gradients to the float32 sum and clear them; call it after every backward pass."""
        # Adding across dtypes copies the whole into the wider one first: better a stretch at a time.
        for total, part in zip(self.gradient.split(_STRETCH), self._gradient.split(_STRETCH), strict=True):
            total.add_(part)
        self._gradient.zero_()

    @torch.no_grad()
    def step(self, lr_scale: float = 1.0) -> None:
        """One update of the masters from the gathered gradients; the parameters follow."""
        self.steps += 1
        lr = self._lr * lr_scale * min(1.0, self.steps / (self._warmup_steps + 1))
        for group in self._optimizer.param_groups:
            group["lr"] = lr
        if self._max_grad_norm:
            torch.nn.utils.clip_grad_norm_(self._master, self._max_grad_norm)
        self._optimizer.step()
        self.gradient.zero_()
        self._compute.copy_(self._master)

    def state(self) -> dict[str, torch.Tensor]:
        """What the next steps depend on: masters and moments, as float32 tensors; `steps` is apart."""
        moments = self._optimizer.state[self._master]
        return {"master": self._master.detach(), **{name: moments[name] for name in _MOMENTS if name in moments}}

    @torch.no_grad()
    def restore(self, state: Mapping[str, torch.Tensor], steps: int) -> None:
        """Go on from `state` after so many steps; the parameters follow.

        Raises:
            ValueError: it is the state of other parameters.
        """
        if state["master"].shape != self._master.shape:
            raise ValueError("the state belongs to another adapter")
        self._master.copy_(state["master"])
        self._compute.copy_(self._master)
        moments = {name: state[name].to(self._master.device, copy=True) for name in _MOMENTS if name in state}
        if moments:
            self._optimizer.state[self._master] = {
                "step": torch.tensor(float(steps), device=self._master.device),
                **moments,
            }
        self.steps = steps

    def release(self) -> None:
        """Let go of the gradients, for a model that only answers from now on."""
        for parameter in self._parameters:
            parameter.grad = None
