"""Base models that do not fit one device: every process holds a part of each layer's weights (FSDP2).

A layer's weights are gathered from all processes when its turn comes, and let go after it. Only frozen weights are
divided: adapters, embeddings and the output layer are whole everywhere, so that the optimizer, and what is saved, are
as without. Gathering takes all processes at once: each has to compute as many packs as the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from torch import nn

from lift.errors import ModelError
from lift.launched import rank_and_count
from lift.processes import Processes

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["is_sharded", "shard"]


def shard(network: PreTrainedModel, device: torch.device) -> None:
    """Divide the layers of `network` among the processes, and move it to `device`, a layer at a time.

    Args:
        network: in this process's main memory, its weights frozen.
        device: where this process computes.

    Raises:
        ModelError: this process is alone.
    """
    processes = Processes()
    if processes.count == 1:
        raise ModelError("there is nobody to divide the model with; --shard goes with --processes N")
    # FSDP takes half a second to import, which the commands that never shard need not wait for.
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    processes.join(device)
    mesh = init_device_mesh(device.type, (processes.count,))
    for layer in network.get_decoder().layers:
        fully_shard(layer, mesh=mesh)
    cast(nn.Module, network).to(device)


def is_sharded(network: nn.Module) -> bool:
    """Whether the layers of `network` are divided; alone, nobody's are."""
    if rank_and_count()[1] == 1:
        return False
    from torch.distributed.fsdp import FSDPModule

    return any(isinstance(module, FSDPModule) for module in network.modules())
