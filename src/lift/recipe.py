"""Recipe: every knob of one run, in one frozen and validated dataclass."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from lift.errors import RecipeError

__all__ = ["Recipe"]

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
    generator_seconds: Annotated[
        float | None,
        Field(
            ge=0,
            description="The embedded writer writes for about so long in all; what is missing then is quoted from the "
            "text. Other generators do not look at it.",
        ),
    ] = None
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
    recite: Annotated[
        bool,
        Field(
            description="An answer begins with the passage that it comes from, recited from memory, which lift leaves "
            "out when it answers. Numbers and details that have many tasks are right more often by heart; training "
            "takes twice as long, and an answer the time of a sentence more. False is the paper's way."
        ),
    ] = False
    retrieved_segments: Annotated[
        int,
        Field(
            ge=1,
            description="Segments that --retrieve shows with a question, each with its two neighbours, or whose tasks "
            "--recall shows; a small model reads best what is short. Not of training.",
        ),
    ] = 5

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
        int, Field(ge=1, description="A short document gets smaller batches until it has about this many steps.")
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

    @classmethod
    def of(cls, knobs: Mapping[str, Any]) -> Self:
        """The recipe with these knobs, by name, and the defaults of the others.

        Raises:
            RecipeError: a knob is unknown or its value is out of range.
        """
        known = {field.name for field in dataclasses.fields(cls)}
        unknown = sorted(set(map(str, knobs)) - known)
        if unknown:
            alike = difflib.get_close_matches(unknown[0], known, n=1)
            hint = f"did you mean {alike[0]}? " if alike else ""
            raise RecipeError(f"unknown knob {', '.join(unknown)}; {hint}`lift recipe` explains those that there are")
        try:
            return TypeAdapter(cls).validate_python(dict(knobs))
        except ValidationError as error:
            details = "; ".join(
                f"{'.'.join(map(str, item['loc'])) or 'recipe'}: {item['msg']}" for item in error.errors()
            )
            raise RecipeError(f"the recipe is not valid: {details}") from None

    @classmethod
    def known(cls, knobs: Mapping[str, Any]) -> Self:
        """The same, without those knobs that only another version of lift has."""
        return cls.of({field.name: knobs[field.name] for field in dataclasses.fields(cls) if field.name in knobs})

    @classmethod
    def explanations(cls) -> dict[str, str]:
        """What each knob does, by its name."""
        knobs = TypeAdapter(cls).json_schema()["properties"]
        return {name: knob["description"] for name, knob in knobs.items()}

    def replace(self, **knobs: Any) -> Self:
        """A copy with other values for `knobs`, validated like `of`."""
        return self.of({**self.to_dict(), **knobs})

    def expected_tasks(self, segments: int) -> int:
        """Tasks about so many segments, quotes included, where nothing is dropped."""
        return segments * (self.tasks_per_segment + self.quotes_per_segment)

    def tasks_in_a_step(self, tasks: int) -> int:
        """The batch size for a document of so many tasks: a short one gets smaller steps, about `min_steps` of them.

        Rounded to the nearest, since a step of one task takes nearly as long as one of two.
        """
        return max(1, min(self.tasks_per_step, round(tasks * self.epochs / self.min_steps)))

    def to_dict(self) -> dict[str, Any]:
        """All knobs as plain JSON values."""
        values = dataclasses.asdict(self)
        if isinstance(self.target_modules, tuple):
            values["target_modules"] = list(self.target_modules)
        return values
