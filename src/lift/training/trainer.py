"""The training loop's body: one optimizer step from the tasks of a step."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, nullcontext
from statistics import fmean
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self, TypeVar, cast

import torch
from transformers import PreTrainedModel

from lift.errors import LiftWarning, TrainingError
from lift.folding import FoldedLora
from lift.processes import Processes
from lift.recipe import Recipe
from lift.sharding import is_sharded
from lift.training.attention import use_packed_attention
from lift.training.encoding import EncodedTask
from lift.training.fitness import why_not_packs
from lift.training.norms import lean_norms
from lift.training.objective import pack_loss
from lift.training.optimizer import MasterAdamW
from lift.training.packing import Pack, pack_tasks
from lift.training.padding import padded_batches, padded_loss
from lift.training.trunk import FrozenTrunk
from lift.turns import Turns

if TYPE_CHECKING:
    from lift.model import Adapted

__all__ = ["Trainer", "first_and_last", "latest"]

Part = TypeVar("Part")
_LATEST_STEPS: Final = 20


class Trainer:
    """Trains the adapter of `adapted` in steps; a context manager, within which the model only trains.

    Args:
        adapted: a base model with a LoRA adapter (`attach_adapter`).
        recipe: the optimizer's knobs and the packs'.
        turns: taken for every step, where other threads compute with the model as well.
        processes: who trains along, each on its share of every step; None is nobody.

    Attributes:
        steps: optimizer steps so far.
        tokens: the tasks' tokens trained on, every visit counted.
    """

    def __init__(
        self, adapted: Adapted, recipe: Recipe, turns: Turns | None = None, processes: Processes | None = None
    ) -> None:
        if adapted.dtype == torch.float16:
            raise TrainingError("float16 overflows in training; give --dtype bfloat16 or float32")
        self._recipe = recipe
        self._turns = turns or Turns()
        self._device = adapted.device
        self._adapted = adapted
        self._processes = processes or Processes()
        self._processes.join(self._device)
        self._sharded = is_sharded(adapted)
        with self._turns.turn():
            self._unfit = why_not_packs(adapted)
            self._optimizer = MasterAdamW(
                [parameter for parameter in adapted.parameters() if parameter.requires_grad],
                lr=recipe.lr,
                warmup_steps=recipe.warmup_steps,
                weight_decay=recipe.weight_decay,
                max_grad_norm=recipe.max_grad_norm,
            )
            # What the trunk has kept differs between processes, and those of a sharded model compute alike.
            whole = not self._unfit and not self._sharded
            self._trunk = FrozenTrunk.of(cast(PreTrainedModel, adapted.get_base_model())) if whole else None
            self._folded = FoldedLora(adapted, recipe.lr)
        if self._unfit:
            family = adapted.config.model_type
            message = f"{family} is trained on padded batches, which takes longer: packs do not fit it, {self._unfit}"
            warnings.warn(message, LiftWarning, stacklevel=3)
        self._losses: list[torch.Tensor] = []
        self._stack = ExitStack()
        self.tokens = 0

    @property
    def steps(self) -> int:
        return self._optimizer.steps

    def state(self) -> dict[str, torch.Tensor]:
        """The optimizer's tensors, for a checkpoint."""
        return self._optimizer.state()

    def see(self, tasks: Iterable[EncodedTask]) -> None:
        """What a step on `tasks` leaves in memory, without the step."""
        if self._trunk:
            with self._turns.turn():
                for pack, _ in self._packs(list(tasks)):
                    self._trunk.states(pack)

    def restore(self, state: Mapping[str, torch.Tensor], *, steps: int, tokens: int) -> None:
        """Go on where a checkpoint stopped."""
        with self._turns.turn():
            self._optimizer.restore(state, steps)
        self.tokens = tokens

    def __enter__(self) -> Self:
        base = cast(PreTrainedModel, self._adapted.get_base_model())
        with self._turns.turn():
            if not self._unfit:
                self._stack.enter_context(use_packed_attention(base))
            self._stack.enter_context(self._folded.in_training())
            if not self._sharded:
                self._stack.enter_context(lean_norms(base))
            self._adapted.train()
            if self._recipe.activation_checkpointing:
                base.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})
                self._stack.callback(base.activation_checkpointing_disable)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._turns.turn(urgent=True):
            self._adapted.eval()
            self._optimizer.release()
            self._stack.close()

    def step(self, tasks: Sequence[EncodedTask], *, lr_scale: float = 1.0) -> None:
        """One optimizer step on `tasks`, computed in as many packs as `pack_tokens` asks for.

        The loss is the sum over the step's labels divided by their number (`loss_norm: token`), so that it
        does not depend on how the tasks are packed.

        Args:
            tasks: the batch.
            lr_scale: factor of the learning rate.
        """
        with self._turns.turn():
            self._losses.append(self._step(tasks, lr_scale))
        self.tokens += sum(map(len, tasks))

    def _step(self, tasks: Sequence[EncodedTask], lr_scale: float) -> torch.Tensor:
        self._folded.fold()
        loss = torch.zeros((), device=self._device)
        for part in self._losses_of_parts(tasks):
            part.backward()
            self._optimizer.gather()
            loss += part.detach()
        self._processes.sum(self._optimizer.gradient)
        self._processes.sum(loss)
        self._optimizer.step(lr_scale)
        return loss

    def _losses_of_parts(self, tasks: Sequence[EncodedTask]) -> Iterator[torch.Tensor]:
        """What each pack, or each padded batch, adds to the step's loss."""
        norm, step_labels = self._recipe.loss_norm, sum(len(task.answer_ids) for task in tasks)
        if self._unfit:
            batches = padded_batches(tasks, self._most_tokens(tasks))
            for batch, weight in self._dealt(batches, [len(batch) * len(batch[0]) for batch in batches]):
                loss = padded_loss(self._adapted, batch, norm, step_tasks=len(tasks), step_labels=step_labels)
                yield weight * loss
            return
        for pack, weight in self._packs(tasks):
            with self._trunk.replaced_by(self._trunk.states(pack)) if self._trunk else nullcontext():
                loss = pack_loss(self._adapted, pack, norm, step_tasks=len(tasks), step_labels=step_labels)
            yield weight * loss

    def _packs(self, tasks: Sequence[EncodedTask]) -> list[tuple[Pack, int]]:
        """This process's packs of a step on `tasks`, with their weights."""
        packs = pack_tasks(tasks, self._most_tokens(tasks))
        return self._dealt(packs, [pack.n_tokens for pack in packs])

    def _dealt(self, parts: Sequence[Part], sizes: Sequence[int]) -> list[tuple[Part, int]]:
        """This process's share of `parts`, each with its weight, 1.

        With a sharded model no process may compute more often than another: those that have less compute the
        first part once more, with weight 0.
        """
        shares = self._processes.shares(parts, sizes)
        mine = [(part, 1) for part in shares[self._processes.rank]]
        idle = max(map(len, shares)) - len(mine) if self._sharded else 0
        return mine + [(parts[0], 0)] * idle

    def _most_tokens(self, tasks: Sequence[EncodedTask]) -> int:
        """Tokens computed at once: no more than a process's share of the step."""
        return min(self._recipe.pack_tokens, math.ceil(sum(map(len, tasks)) / self._processes.count))

    def take_losses(self) -> list[float]:
        """The losses of the steps since the last call; it waits for the device.

        Raises:
            TrainingError: one of them is not finite.
        """
        losses = [float(loss) for loss in self._losses]
        self._losses.clear()
        if not all(map(math.isfinite, losses)):
            raise TrainingError(
                f"the loss is not finite after {self.steps} steps; try a lower lr (it is {self._recipe.lr:g}) "
                "or --dtype float32"
            )
        return losses


def latest(losses: Sequence[float]) -> float | None:
    """Mean loss over the latest steps; None before the first."""
    return fmean(losses[-_LATEST_STEPS:]) if losses else None


def first_and_last(losses: Sequence[float]) -> dict[str, float]:
    """Mean loss over the first and over the last tenth of the steps."""
    tenth = max(1, len(losses) // 10)
    return {"first": round(fmean(losses[:tenth]), 4), "last": round(fmean(losses[-tenth:]), 4)}
