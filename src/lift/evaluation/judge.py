"""A language model that says whether an answer means the same as the reference (LooGLE's True/False judgement)."""

from __future__ import annotations

import os
import re
from typing import Final

from openai import OpenAI, OpenAIError

from lift.errors import BenchmarkError
from lift.evaluation.questions import Question

__all__ = ["Judge", "JudgeError"]

_PROMPT: Final = """\
A question, its reference answer and a given answer follow. Does the given answer say the same as the reference, as \
far as the question goes? Other words, another order and further details do not matter; a missing or different fact \
does. Reply with one word: True or False.

Question: {question}
Reference answer: {reference}
Given answer: {answer}"""
_VERDICT: Final = re.compile(r"\b(true|false)\b", re.IGNORECASE)
_REPLY_TOKENS: Final = 16
_SECONDS: Final = 60.0


class JudgeError(Exception):
    """The judge gave no verdict."""


class Judge:
    """Asks an OpenAI-compatible server.

    Args:
        url: the server's, up to /v1; its key is read from $LIFT_JUDGE_KEY, else $OPENAI_API_KEY.
        model: its model; None where it has one only.

    Raises:
        BenchmarkError: the server cannot be reached, or it has several models and none is named.
    """

    def __init__(self, url: str, model: str | None = None) -> None:
        key = os.environ.get("LIFT_JUDGE_KEY") or os.environ.get("OPENAI_API_KEY") or "none"
        self._client = OpenAI(base_url=url, api_key=key, timeout=_SECONDS, max_retries=2)
        if model is None:
            try:
                models = [entry.id for entry in self._client.models.list()]
            except OpenAIError as error:
                raise BenchmarkError(f"the judge at {url} cannot be reached: {error}") from None
            if len(models) != 1:
                raise BenchmarkError(f"the judge at {url} has {len(models)} models; name one with --judge-model")
            model = models[0]
        self.model = model

    def score(self, question: Question, answer: str) -> float:
        """1 where the answer is right, else 0; an answer that says nothing is wrong without asking.

        Raises:
            JudgeError: the server failed, or its reply holds no verdict.
        """
        if not answer.strip():
            return 0.0
        content = _PROMPT.format(question=question.text, reference=question.answer, answer=answer)
        try:
            reply = self._client.chat.completions.create(
                model=self.model,
                messages=[{"role": "user", "content": content}],
                temperature=0,
                max_tokens=_REPLY_TOKENS,
            )
        except OpenAIError as error:
            raise JudgeError(f"{type(error).__name__}: {error}") from None
        text = (reply.choices[0].message.content or "") if reply.choices else ""
        verdict = _VERDICT.search(text)
        if verdict is None:
            raise JudgeError(f"no verdict in {text[:80]!r}")
        return float(verdict[1].lower() == "true")
