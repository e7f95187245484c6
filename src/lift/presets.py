"""Recipes by name: the presets, YAML files of knobs, single knobs on top; and such a file with every knob explained."""

from __future__ import annotations

import contextlib
import math
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from lift.bundled import EMBEDDED
from lift.errors import RecipeError
from lift.recipe import Recipe

__all__ = ["PRESETS", "default_recipe", "load_recipe", "recipe_file"]

# Columns of a recipe file's comments.
_WIDTH: Final = 100

PRESETS: Final[Mapping[str, Recipe]] = {
    # The paper's main setting.
    "paper": Recipe(),
    # Its cheaper variant (LIFT with 5 tasks in its tables).
    "paper-5": Recipe(tasks_per_segment=5),
    # The paper's latency setting (section 4.4).
    "fast": Recipe(lr=3e-4, epochs=1, tasks_per_segment=1, activation_checkpointing=True),
    # For a small model on a small machine; chosen on held-out tasks (docs/benchmarks.md).
    "cpu": Recipe(
        rank=64,
        alpha=128,
        trained_share=0.5,
        lr=2e-3,
        warmup_steps=5,
        decay_share=0.8,
        kept_visits=2,
        epochs=4,
        tasks_per_step=16,
        min_steps=100,
        pack_tokens=1024,
        tasks_per_segment=5,
        retrieved_segments=1,
    ),
    # For teaching a small model to write tasks (`lift writer`); chosen on a document held out (docs/benchmarks.md).
    "writer": Recipe(
        prompt_template="{question}",
        rank=16,
        alpha=32,
        lr=1e-3,
        warmup_steps=5,
        decay_share=0.8,
        epochs=2,
        tasks_per_step=32,
    ),
}


def default_recipe(model: str | None) -> str:
    """The preset for the base model `model` where the user names none."""
    return "cpu" if model in (None, EMBEDDED) else "paper"


def load_recipe(
    name: str | Path | Recipe | Mapping[str, Any], overrides: Mapping[str, Any] | Sequence[str] = ()
) -> Recipe:
    """The recipe called `name`, with `overrides` on top.

    Args:
        name: a preset (`paper`, `paper-5`, `fast`, `cpu`), a YAML file of knobs (with `preset:` to start from one),
            a mapping of knobs, or a Recipe.
        overrides: knobs as a mapping, or as `key=value` strings whose values are read as YAML.

    Raises:
        RecipeError: no such preset or file, an unknown knob, a value out of range.
    """
    if isinstance(name, Recipe):
        knobs = name.to_dict()
    elif isinstance(name, Mapping):
        knobs = dict(name)
    elif str(name) in PRESETS:
        knobs = PRESETS[str(name)].to_dict()
    else:
        knobs = _read_yaml(Path(name))
    if not isinstance(overrides, Mapping):
        overrides = dict(_parse_setting(setting) for setting in overrides)
    return Recipe.of({**knobs, **overrides})


class _Lines(yaml.SafeDumper):
    """Writes a text of several lines line by line."""


_Lines.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None),
)


def recipe_file(recipe: Recipe) -> str:
    """A YAML file of all knobs, each with its explanation and, where `recipe` departs from it, the paper's value."""
    paper, explanations = PRESETS["paper"].to_dict(), Recipe.explanations()
    knobs = []
    for name, value in recipe.to_dict().items():
        told = explanations[name]
        if value != paper[name]:
            told += f" The paper: {paper[name]}."
        comment = textwrap.fill(told, _WIDTH, initial_indent="# ", subsequent_indent="# ")
        knobs.append(f"{comment}\n{yaml.dump({name: value}, Dumper=_Lines, allow_unicode=True, width=math.inf)}")
    return "\n".join(knobs)


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RecipeError(
            f"no recipe {str(path)!r}: give {', '.join(PRESETS)} or the path of a YAML file with knobs"
        ) from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise RecipeError(f"cannot read the recipe {path}: {error}") from error
    if not isinstance(content, dict):
        raise RecipeError(f"{path} holds no knobs; write lines such as `epochs: 3`")
    preset = content.pop("preset", None)
    if preset is None:
        return content
    if preset not in PRESETS:
        raise RecipeError(f"{path}: no preset {preset!r}; there are {', '.join(PRESETS)}")
    return {**PRESETS[preset].to_dict(), **content}


def _parse_setting(setting: str) -> tuple[str, Any]:
    key, equals, value = setting.partition("=")
    if not equals or not key.strip():
        raise RecipeError(f"cannot read the setting {setting!r}; write key=value, such as epochs=3")
    try:
        parsed = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise RecipeError(f"cannot read the value of {key.strip()}: {error}") from None
    if isinstance(parsed, dict):
        parsed = value  # no knob is a mapping: a prompt template with a colon
    elif isinstance(parsed, str):
        # YAML 1.1 reads 1e-3 as a string.
        with contextlib.suppress(ValueError):
            parsed = float(parsed)
    return key.strip(), parsed
