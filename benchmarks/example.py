"""The demo's document for the benchmarks: its recorded tasks as the trainer takes them, its evaluation questions."""

from pathlib import Path
from typing import Any

from lift.adapter import Manifest
from lift.chat import LiftedModel
from lift.evaluation.scores import keyword_match
from lift.jsonl import read_jsonl
from lift.model import BaseModel
from lift.recipe import Recipe
from lift.tasks import Task
from lift.training.encoding import EncodedTask, encode_task

EXAMPLE = Path(__file__).parents[1] / "examples" / "picardo"
TITLE = "José Luis Picardo"


def recorded_pairs() -> list[list[dict[str, str]]]:
    """The recorded pairs of every segment."""
    return [record["tasks"] for _, record in read_jsonl(EXAMPLE / "tasks.jsonl")]


def encode(pairs: list[dict[str, str]], base: BaseModel, recipe: Recipe) -> list[EncodedTask]:
    chat_format = base.chat_format(recipe.prompt_template, TITLE)
    return [
        encode_task(Task(str(n), pair["question"], pair["answer"]), chat_format, base.context_tokens)
        for n, pair in enumerate(pairs)
    ]


def lifted_model(base: BaseModel, adapted: Any, recipe: Recipe) -> LiftedModel:
    """A model that a benchmark has trained by itself, ready to be asked."""
    return LiftedModel(base, adapted, Manifest({"title": TITLE}, {}, recipe.to_dict(), "", {}, {}, {}))


def count_right(lifted: LiftedModel) -> dict[str, int]:
    """Right answers to the 31 evaluation questions."""
    questions = [question for _, question in read_jsonl(EXAMPLE / "eval.jsonl")]
    answers = lifted.ask_many([question["question"] for question in questions], max_new_tokens=64)
    right = sum(keyword_match(answer, q["keywords"]) for answer, q in zip(answers, questions, strict=True))
    return {"right": right, "questions": len(questions)}
