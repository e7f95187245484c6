"""Where training stands, on disk: a run that was killed goes on where it stopped."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from lift.atomic import write_atomically

__all__ = ["Checkpoint", "CheckpointFolder"]

_FORMAT: Final = 1
_STATE: Final = "checkpoint.json"


@dataclass
class Checkpoint:
    """Everything that a run needs to go on as if it had never stopped.

    Attributes:
        identity: what it belongs to (document, base model, recipe); it fits no other run.
        tasks_per_step: as reckoned at the run's start.
        arrivals: the schedule's log: before step n there were so many tasks, `[n, tasks]` where that changes.
        closed_before: the step before which all tasks were in; None if they were not.
        steps: optimizer steps done.
        tokens, seconds, losses: for the run's summary.
        tensors: the optimizer's masters and moments.
    """

    identity: Mapping[str, Any]
    tasks_per_step: int
    arrivals: list[tuple[int, int]] = field(default_factory=list)
    closed_before: int | None = None
    steps: int = 0
    tokens: int = 0
    seconds: float = 0.0
    losses: list[float] = field(default_factory=list)
    tensors: Mapping[str, torch.Tensor] = field(default_factory=dict)


class CheckpointFolder:
    """The folder that holds the latest checkpoint of a run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, checkpoint: Checkpoint) -> None:
        """Write `checkpoint`; the one before stays until this one is whole."""
        self._folder.mkdir(parents=True, exist_ok=True)
        weights = self._folder / f"step-{checkpoint.steps}.safetensors"
        save_file(dict(checkpoint.tensors), weights)
        values = {**vars(checkpoint), "format": _FORMAT, "weights": weights.name}
        del values["tensors"]
        write_atomically(self._folder / _STATE, json.dumps(values))
        for other in self._folder.glob("step-*.safetensors"):
            if other != weights:
                other.unlink()

    def read(self, identity: Mapping[str, Any], device: torch.device) -> Checkpoint | None:
        """The checkpoint of the run with this identity; None if there is none, or it is another's or damaged."""
        try:
            values = json.loads((self._folder / _STATE).read_text(encoding="utf-8"))
            if values.pop("format") != _FORMAT or values["identity"] != json.loads(json.dumps(identity)):
                return None
            tensors = load_file(self._folder / values.pop("weights"), device=str(device))
            values["arrivals"] = [(step, tasks) for step, tasks in values["arrivals"]]
            return Checkpoint(**values, tensors=tensors)
        except (OSError, ValueError, KeyError, TypeError, SafetensorError):
            return None

    def remove(self) -> None:
        """The run is over."""
        shutil.rmtree(self._folder, ignore_errors=True)
