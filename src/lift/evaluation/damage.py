"""What a model forgot, and what it makes up: general questions, unrelated text, questions without an answer."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import torch

from lift.evaluation.methods.base import Method
from lift.evaluation.scores import is_refusal, keyword_match

if TYPE_CHECKING:
    from lift.document import Document

__all__ = ["measure_damage", "measure_invention"]


def measure_damage(method: Method) -> dict[str, float]:
    """Two figures of the method's network, whatever it was trained on.

    Returns:
        `general`: share of 30 general questions answered right, asked without a title; `perplexity`: of a text that
        has nothing to do with any document.
    """
    content: dict[str, Any] = json.loads(files("lift.evaluation").joinpath("general.json").read_text(encoding="utf-8"))
    asked = content["questions"]
    answers = method.ask_plainly([question["question"] for question in asked])
    right = sum(keyword_match(answer, q["keywords"]) for answer, q in zip(answers, asked, strict=True))
    return {"general": round(right / len(asked), 4), "perplexity": round(_perplexity(method, content["text"]), 4)}


def measure_invention(method: Method, document: Document, unanswerable: Sequence[str]) -> dict[str, float]:
    """`invented`: the share of `unanswerable` questions about the document that are answered all the same.

    Left out where there are none.
    """
    if not unanswerable:
        return {}
    replies = method.answer(document, unanswerable)
    return {"invented": round(sum(not is_refusal(reply) for reply in replies) / len(replies), 4)}


def _perplexity(method: Method, text: str) -> float:
    base = method.setting.base
    ids = torch.tensor([base.tokenizer(text)["input_ids"]], device=base.device)
    with method.answering_plainly(), torch.inference_mode():
        loss = base.network(input_ids=ids, labels=ids).loss
    return math.exp(float(loss))
