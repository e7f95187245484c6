"""Several processes that train one adapter together, data parallel: each computes some packs of every step.

All of them deal the same steps, since the schedule is a pure function of the seed and of what has arrived, and make
the same update, since gradients are summed before it. Only the first one, the leader, has a generator and writes files.
"""

from __future__ import annotations

import atexit
import json
from collections.abc import Sequence
from typing import Any, TypeVar

import torch
from torch import distributed

from lift.launched import rank_and_count

__all__ = ["Processes"]

Part = TypeVar("Part")


class Processes:
    """This process among those that train together; alone where nobody launched several.

    Attributes:
        rank: this process's number.
        count: how many there are.
    """

    def __init__(self) -> None:
        self.rank, self.count = rank_and_count()
        self._device = torch.device("cpu")

    def join(self, device: torch.device) -> None:
        """Meet the others; called in every process before anything is shared.

        Args:
            device: where this process computes.
        """
        self._device = device
        if self.count > 1 and not distributed.is_initialized():
            distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
            # Threads of the group that outlive the interpreter make C++ abort the process now and then.
            atexit.register(_leave)

    @property
    def leads(self) -> bool:
        """Whether this is the one that generates and writes."""
        return self.rank == 0

    def sum(self, tensor: torch.Tensor) -> None:
        """Add the other processes' tensors to this one, in place."""
        if self.count > 1:
            distributed.all_reduce(tensor)

    def share(self, value: Any = None) -> Any:
        """The leader's `value`, plain JSON, in every process."""
        if self.count == 1:
            return value
        data = torch.frombuffer(bytearray(json.dumps(value).encode()), dtype=torch.uint8) if self.leads else None
        size = torch.tensor([0 if data is None else len(data)], device=self._device)
        distributed.broadcast(size, src=0)
        buffer = torch.empty(int(size), dtype=torch.uint8) if data is None else data
        buffer = buffer.to(self._device)
        distributed.broadcast(buffer, src=0)
        return json.loads(bytes(buffer.cpu().numpy()))

    def shares(self, parts: Sequence[Part], sizes: Sequence[int]) -> list[list[Part]]:
        """Each process's share of `parts`: the largest first, each to the process that has least so far."""
        if self.count == 1:
            return [list(parts)]
        loads = [0] * self.count
        shares: list[list[Part]] = [[] for _ in loads]
        for size, number in sorted(zip(sizes, range(len(parts)), strict=True), key=lambda item: (-item[0], item[1])):
            least = loads.index(min(loads))
            loads[least] += size
            shares[least].append(parts[number])
        return shares


def _leave() -> None:
    if distributed.is_initialized():
        distributed.destroy_process_group()
