"""Where a model computes, and in which dtype."""

from __future__ import annotations

import os
from typing import Final

import torch

from lift.errors import ModelError

__all__ = ["NF4", "choose_device", "choose_dtype"]

# Linear layers' weights in 4 bits (QLoRA).
NF4: Final = "nf4"


def choose_device(device: str) -> torch.device:
    """The device that `device` names; `auto` takes CUDA, then MPS, then the CPU."""
    if device == "auto":
        if torch.cuda.is_available():
            # One GPU a process where several train together.
            return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError:
        raise ModelError(f"no device {device!r}; give auto, cpu, cuda or mps") from None
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise ModelError("this machine has no usable CUDA device; give --device cpu or auto")
    if chosen.type == "mps" and not torch.backends.mps.is_available():
        raise ModelError("this machine has no usable MPS device; give --device cpu or auto")
    return chosen


def choose_dtype(dtype: str, device: torch.device) -> torch.dtype:
    """The dtype that `dtype` names; `auto` is bfloat16 where `device` multiplies matrices in it.

    `nf4` weights are multiplied in bfloat16.
    """
    names = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16, NF4: torch.bfloat16}
    if dtype in names:
        return names[dtype]
    if dtype != "auto":
        raise ModelError(f"no dtype {dtype!r}; give auto, {', '.join(names)}")
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    elif device.type == "cpu":
        features = torch.cpu.get_capabilities()
        native = bool(features.get("avx512_bf16") or features.get("amx_bf16") or features.get("bf16"))
    else:
        native = True
    return torch.bfloat16 if native else torch.float32
