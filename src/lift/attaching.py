"""A fresh adapter on a base model, to be trained."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch

from lift.errors import ModelError, RecipeError
from lift.full_tuning import FullTuning
from lift.model_files import first_line
from lift.sharding import is_sharded

if TYPE_CHECKING:
    from peft import PeftModel

    from lift.model import Adapted, BaseModel
    from lift.recipe import Recipe

__all__ = ["attach_adapter", "quiet_peft"]


def attach_adapter(base: BaseModel, recipe: Recipe) -> Adapted:
    """In its turn, put a fresh LoRA adapter on `base` (seeded by the recipe), or other weights, to be trained.

    What is trained has the base model's dtype: compute copies of the optimizer's float32 masters. Adapters that `base`
    has already answer on, each when it is asked.

    Raises:
        ModelError: another adapter is in training.
        RecipeError: `target_modules` names no module of this model, or such an adapter does not go with a base model
            that is sharded or has 4-bit weights.
    """
    if recipe.adapter == "none" and base.quantised:
        raise RecipeError("adapter=none trains the weights themselves, which 4-bit ones do not allow; take lora")
    if recipe.adapter in ("dora", "none") and is_sharded(base.network):
        raise RecipeError(f"adapter={recipe.adapter} needs whole weights: leave --shard out, or take lora or rslora")
    with base.turns.turn():
        if base.network.training:
            raise ModelError(f"{base.id} is in training for another document: wait until it is done, or load it twice")
        base.wardrobe.empty()
        below = base.layers_below(recipe.trained_share)
        full = recipe.adapter == "none"
        adapted = FullTuning(base, layers_below=below) if full else _fresh_lora(base, recipe, below)
        base.wardrobe.add(adapted)
        return adapted


def _fresh_lora(base: BaseModel, recipe: Recipe, below: int) -> PeftModel:
    """LoRA on all layers but the lowest `below`."""
    from peft import LoraConfig, TaskType, get_peft_model

    targets = recipe.target_modules
    config = LoraConfig(
        task_type=TaskType.CAUSAL_LM,
        r=recipe.rank,
        lora_alpha=recipe.alpha,  # type: ignore[arg-type]  # peft scales by a float as well
        lora_dropout=recipe.dropout,
        use_rslora=recipe.adapter == "rslora",
        use_dora=recipe.adapter == "dora",
        target_modules=targets if isinstance(targets, str) else list(targets),
        exclude_modules=rf".*\.layers\.({'|'.join(map(str, range(below)))})\..*" if below else None,
        revision=base.commit,
    )
    with torch.random.fork_rng(devices=[base.device] if base.device.type == "cuda" else []):
        torch.manual_seed(recipe.seed)
        try:
            with quiet_peft():
                adapted = get_peft_model(base.network, config, autocast_adapter_dtype=False)
        except ValueError as error:
            raise RecipeError(f"target_modules={targets!r} does not fit {base.id}: {first_line(error)}") from error
    if base.quantised:  # peft takes float32 where it sees no floating-point weights
        for parameter in adapted.parameters():
            if parameter.requires_grad:
                parameter.data = parameter.data.to(base.dtype)
    # peft puts the folder there that the weights came from, which may be a cache.
    config.base_model_name_or_path = base.hub_id
    return adapted


@contextlib.contextmanager
def quiet_peft() -> Iterator[None]:
    """Without the warnings that peft and transformers have for each other's developers."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        yield
