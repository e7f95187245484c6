"""A language model that says whether an answer means the same as the reference (LooGLE's True/False judgement)."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, Final

from openai import BadRequestError, OpenAI, OpenAIError, UnprocessableEntityError

from lift.errors import BenchmarkError
from lift.evaluation.questions import Question
from lift.synthesis.backends.dialect import Dialect
from lift.synthesis.backends.providers import PROVIDERS, provider_at, read_key
from lift.synthesis.parser import THOUGHTS_END

__all__ = ["Judge", "JudgeError"]

_PROMPT: Final = """\
A question, its reference answer and a given answer follow. Does the given answer say the same as the reference, as \
far as the question goes? Other words, another order and further details do not matter; a missing or different fact \
does. Reply with one word: True or False.

Question: {question}
Reference answer: {reference}
Given answer: {answer}"""
_VERDICT: Final = re.compile(r"\b(true|false)\b", re.IGNORECASE)
# With room for the thoughts of a model that cannot be asked not to think.
_REPLY_TOKENS: Final = 2048
_SECONDS: Final = 60.0
_KEY_VARIABLE: Final = "LIFT_JUDGE_KEY"


class JudgeError(Exception):
    """The judge gave no verdict."""


class Judge:
    """Asks an OpenAI-compatible server; several threads may do so at once.

    Args:
        url: the server's, up to /v1, or a provider's name. Its key is read from $LIFT_JUDGE_KEY; a provider's also
            from its own variable, which no other host gets to see.
        model: its model; None where it has one only.

    Raises:
        BenchmarkError: the server cannot be reached, it wants a key, or it has several models and none is named.
    """

    def __init__(self, url: str, model: str | None = None) -> None:
        url = PROVIDERS[url].url if url in PROVIDERS else url
        provider = provider_at(url)
        key = read_key(provider, _KEY_VARIABLE)
        if provider and not key:
            raise BenchmarkError(f"the judge at {url} wants a key; put it into ${provider.key_variable}")
        self._client = OpenAI(base_url=url, api_key=key or "none", timeout=_SECONDS, max_retries=2)
        self._dialect = replace(provider.dialect if provider else Dialect(), structure="text", usage=False)
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
            reply = self._reply(content)
        except OpenAIError as error:
            raise JudgeError(f"{type(error).__name__}: {error}") from None
        text = (reply.choices[0].message.content or "") if reply.choices else ""
        text = text.rpartition(THOUGHTS_END)[2].strip()
        verdict = _VERDICT.search(text)
        if verdict is None:
            raise JudgeError(f"no verdict in {text[:80]!r}")
        return float(verdict[1].lower() == "true")

    def _reply(self, content: str) -> Any:
        """The server's reply; fields that it refuses are left out, now and from now on."""
        while True:
            dialect = self._dialect
            try:
                return self._client.chat.completions.create(
                    model=self.model,
                    messages=[{"role": "user", "content": content}],
                    **dialect.fields(max_tokens=_REPLY_TOKENS, temperature=0),
                )
            except (BadRequestError, UnprocessableEntityError) as error:
                simpler = dialect.after_refusal(str(error))
                if simpler is None:
                    raise
                # Another thread may have found out in the meantime.
                if self._dialect == dialect:
                    self._dialect = simpler
