"""Recipe: every knob of one run, in one frozen and validated dataclass."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import yaml
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from lift.errors import RecipeError

__all__ = ["EMBEDDED", "PRESETS", "Recipe", "default_recipe", "load_recipe"]

# What the base model is called where the user names none.
EMBEDDED: Final = "embedded"
PAPER_PROMPT: Final = 'Please answer the question based on "{title}".\nQuestion: {question}\nAnswer:'


@dataclass(frozen=True, kw_only=True, config=ConfigDict(extra="forbid"))
class Recipe:
    """One run's settings. The defaults are the paper's (arXiv 2502.14644, section 4 and appendix)."""

    # How the document is cut.
    segment: Annotated[
        Literal["sentence", "paragraph"] | Annotated[int, Field(ge=8)],
        Field(description="What one generator request is about: sentence, paragraph, or about N tokens of sentences."),
    ] = "sentence"
    segment_min_chars: Annotated[
        int, Field(ge=0, description="A shorter segment is joined to its neighbour (characters).")
    ] = 40
    segment_max_chars: Annotated[
        int, Field(ge=64, description="A longer segment is cut at white space (characters).")
    ] = 800
    splitter: Annotated[
        str,
        Field(
            pattern=r"^(rules|spacy:.+)$",
            description="Finds sentence ends: rules (no download), or spacy:PIPELINE for one of spaCy's.",
        ),
    ] = "rules"

    # What is asked of the generator.
    tasks_per_segment: Annotated[int, Field(ge=1, description="Question-answer pairs asked for per segment.")] = 10
    quotes_per_segment: Annotated[
        int,
        Field(
            ge=0,
            description="Further tasks per segment, by rules: what is said about a phrase, answered with the text's "
            "own sentence. 0 is the paper's way.",
        ),
    ] = 0
    ask_about: Annotated[
        Literal["everything", "needles"],
        Field(description="everything, or needles: only what does not fit its surroundings (the paper's needle test)."),
    ] = "everything"
    document_share: Annotated[
        float,
        Field(
            ge=0,
            le=0.9,
            description="Share of the requests that ask about several segments at once: related ones from different "
            "places, and outlines. 0 is the paper's way.",
        ),
    ] = 0.0
    window_chars: Annotated[
        int, Field(ge=0, description="At most this much preceding text is shown with a segment (characters).")
    ] = 2048
    generator_temperature: Annotated[float, Field(ge=0, le=2, description="Sampling temperature of the generator.")] = (
        0.7
    )
    generator_max_tokens: Annotated[int, Field(ge=16, description="Completion tokens allowed per request.")] = 2048
    generator_concurrency: Annotated[
        int, Field(ge=1, description="Requests in flight at once, at most; how many is found out from the server.")
    ] = 64
    generator_first_token_seconds: Annotated[
        float, Field(gt=0, description="A request is given up and tried again after so long without a first token.")
    ] = 120.0
    generator_silence_seconds: Annotated[
        float, Field(gt=0, description="The same for silence between two tokens; pairs that arrived are kept.")
    ] = 30.0
    generator_retries: Annotated[
        int, Field(ge=0, description="Further tries of a request that failed for a passing reason.")
    ] = 4
    max_failed_share: Annotated[
        float, Field(ge=0, le=1, description="Generation fails once a larger share of the segments has failed.")
    ] = 0.05

    check_pairs: Annotated[
        bool,
        Field(description="Drop pairs that point at the text, or have a number or name that the text does not have."),
    ] = True
    max_requests: Annotated[
        int | None, Field(ge=1, description="Generation stops, resumably, after so many requests.")
    ] = None
    max_tokens: Annotated[
        int | None, Field(ge=1, description="Generation stops, resumably, before so many prompt and completion tokens.")
    ] = None

    # How a task is put to the model, in training and in use.
    prompt_template: Annotated[
        str, Field(description="The user's turn; {question} is needed, {title} is the document's title.")
    ] = PAPER_PROMPT

    # The adapter.
    adapter: Annotated[
        Literal["lora", "rslora", "dora", "none"],
        Field(
            description="lora; rslora scales by alpha / sqrt(rank); dora learns magnitudes apart (slower, no vLLM); "
            "none trains the weights themselves and saves a full model (much memory, a small lr)."
        ),
    ] = "lora"
    rank: Annotated[int, Field(ge=1, description="LoRA rank.")] = 128
    alpha: Annotated[float, Field(gt=0, description="LoRA alpha; the update is scaled by alpha / rank.")] = 256
    target_modules: Annotated[
        str | tuple[str, ...], Field(description="Modules that get LoRA: all-linear, or a list of names.")
    ] = "all-linear"
    trained_share: Annotated[
        float,
        Field(
            gt=0,
            le=1,
            description="The top share of the layers that gets LoRA; what is below is computed once per task.",
        ),
    ] = 1.0
    dropout: Annotated[float, Field(ge=0, lt=1, description="LoRA dropout; packs are exact only at 0.")] = 0.0

    # The optimizer.
    lr: Annotated[float, Field(gt=0, description="AdamW's learning rate between warm-up and decay.")] = 5e-5
    warmup_steps: Annotated[int, Field(ge=0, description="Steps over which the learning rate rises to lr.")] = 0
    decay_share: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="The last share of the visits, over which the learning rate falls to zero; "
            "never before all tasks are in.",
        ),
    ] = 0.0
    kept_visits: Annotated[
        int,
        Field(
            ge=1,
            description="Visits of every task that wait until all tasks are in, or what a slow generator wrote first "
            "is forgotten; each takes a pass after the last task.",
        ),
    ] = 1
    weight_decay: Annotated[float, Field(ge=0, description="AdamW's weight decay.")] = 0.0
    max_grad_norm: Annotated[
        float, Field(ge=0, description="Gradients are scaled down to this norm; 0 leaves them alone.")
    ] = 1.0
    epochs: Annotated[int, Field(ge=1, description="Visits of every task.")] = 5
    tasks_per_step: Annotated[int, Field(ge=1, description="Tasks in one optimizer step (the batch size).")] = 4
    min_steps: Annotated[
        int, Field(ge=1, description="A short document gets smaller batches until it has this many steps.")
    ] = 40
    pack_tokens: Annotated[
        int, Field(ge=64, description="Tokens computed at once; changes memory and speed, never the result.")
    ] = 1024
    loss_norm: Annotated[
        Literal["token", "task"],
        Field(description="What weighs the same in a step's loss: every answer token, or every task."),
    ] = "token"
    activation_checkpointing: Annotated[
        bool, Field(description="Recompute activations in the backward pass: less memory, a third more work.")
    ] = False
    checkpoint_seconds: Annotated[
        float, Field(ge=0, description="The run's state is written to disk so often while it trains; 0 never.")
    ] = 120.0
    seed: Annotated[int, Field(ge=0, description="Seeds the adapter and the order of the tasks.")] = 0

    def __post_init__(self) -> None:
        if "{question}" not in self.prompt_template:
            raise ValueError("prompt_template: {question} is missing")
        try:
            self.prompt_template.format(title="", question="")
        except (KeyError, IndexError, ValueError) as error:
            raise ValueError(f"prompt_template: only {{title}} and {{question}} can be filled in ({error})") from None
        if self.segment_min_chars > self.segment_max_chars:
            raise ValueError("segment_min_chars is larger than segment_max_chars")

    def replace(self, **knobs: Any) -> Recipe:
        """A copy with other values for `knobs`, validated again.

        Raises:
            RecipeError: a knob is unknown or its value is out of range.
        """
        return _validated({**self.to_dict(), **knobs})

    def expected_tasks(self, segments: int) -> int:
        """Tasks about so many segments, quotes included, where nothing is dropped."""
        return segments * (self.tasks_per_segment + self.quotes_per_segment)

    def tasks_in_a_step(self, tasks: int) -> int:
        """The batch size for a document of so many tasks: a short one gets smaller steps, but `min_steps` of them."""
        return max(1, min(self.tasks_per_step, tasks * self.epochs // self.min_steps))

    def to_dict(self) -> dict[str, Any]:
        """All knobs as plain JSON values."""
        values = dataclasses.asdict(self)
        if isinstance(self.target_modules, tuple):
            values["target_modules"] = list(self.target_modules)
        return values


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
    ),
    # For teaching a small model to write tasks (`lift writer`); chosen on a document held out (docs/benchmarks.md).
    "writer": Recipe(
        prompt_template="{question}",
        rank=16,
        alpha=32,
        lr=1e-3,
        warmup_steps=5,
        decay_share=0.8,
        epochs=1,
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
    return _validated({**knobs, **overrides})


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


def _validated(knobs: Mapping[str, Any]) -> Recipe:
    known = {field.name for field in dataclasses.fields(Recipe)}
    unknown = sorted(set(map(str, knobs)) - known)
    if unknown:
        raise RecipeError(f"unknown knob {', '.join(unknown)}; the knobs are {', '.join(sorted(known))}")
    try:
        return TypeAdapter(Recipe).validate_python(dict(knobs))
    except ValidationError as error:
        details = "; ".join(f"{'.'.join(map(str, item['loc'])) or 'recipe'}: {item['msg']}" for item in error.errors())
        raise RecipeError(f"the recipe is not valid: {details}") from None
