"""Any server that speaks the OpenAI chat protocol: vLLM, SGLang, llama.cpp, Ollama, DeepSeek, OpenAI."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator
from typing import Any, Final
from urllib.parse import urlsplit

import httpx2
import openai

from lift.errors import GeneratorUnavailableError
from lift.synthesis.backends.base import Backend, RequestError
from lift.synthesis.prompts import Request

__all__ = ["OpenAIBackend"]

KEY_VARIABLE: Final = "LIFT_API_KEY"
_OPENAI_HOST: Final = "api.openai.com"
# Seconds: to connect, and of silence before the first token or between two.
_TIMEOUT: Final = httpx2.Timeout(10, connect=10, read=120)
_PASSING_STATUS: Final = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
_FATAL_STATUS: Final = frozenset({401, 403, 404})


class OpenAIBackend(Backend):
    """Asks an OpenAI-compatible server, streamed.

    The key comes from $LIFT_API_KEY ($OPENAI_API_KEY for OpenAI itself: no other host gets to see it).

    Args:
        url: the server's base URL, such as `http://localhost:8000/v1`.
        model: the model's name there; None takes the only one that the server offers.
        timeout: limits for connecting and for silence.
    """

    def __init__(self, url: str, model: str | None = None, *, timeout: httpx2.Timeout = _TIMEOUT) -> None:
        parts = urlsplit(url)
        if not parts.hostname:
            raise GeneratorUnavailableError(f"{url!r} is not a URL; give one such as http://localhost:8000/v1")
        if parts.username or parts.password:
            raise GeneratorUnavailableError(f"put the key into ${KEY_VARIABLE}, not into the URL")
        self._url = url.rstrip("/")
        self._model = model
        self._timeout = timeout
        self._key = os.environ.get(KEY_VARIABLE) or (
            os.environ.get("OPENAI_API_KEY") if parts.hostname == _OPENAI_HOST else None
        )
        self.name = f"{self._url} {model}" if model else self._url

    async def start(self) -> None:
        # Retries are the generator's business: it knows what has already arrived.
        self._client = openai.AsyncOpenAI(
            base_url=self._url, api_key=self._key or "none", timeout=self._timeout, max_retries=0
        )
        if self._model is None:
            self._model = await self._only_model()
            self.name = f"{self._url} {self._model}"

    async def close(self) -> None:
        await self._client.close()

    @contextlib.asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[AsyncIterator[str]]:
        with _translated():
            chunks = await self._client.chat.completions.create(
                model=self._model or "",
                messages=[
                    {"role": "system", "content": request.system},
                    {"role": "user", "content": request.user},
                ],
                temperature=request.temperature,
                max_tokens=request.max_tokens,
                stream=True,
            )
        try:
            yield _pieces(chunks)
        finally:
            await chunks.close()

    async def _only_model(self) -> str:
        try:
            with _translated():
                models = [model.id async for model in self._client.models.list()]
        except RequestError as error:
            raise GeneratorUnavailableError(
                f"cannot ask {self._url} for its models: {error}. Check that the server runs and that the URL "
                "ends as the server wants it (usually /v1)"
            ) from error
        if len(models) == 1:
            return models[0]
        offered = ", ".join(sorted(models)[:20]) or "none"
        raise GeneratorUnavailableError(f"name a model with --generator-model; {self._url} offers {offered}")


async def _pieces(chunks: openai.AsyncStream[Any]) -> AsyncIterator[str]:
    with _translated():
        async for chunk in chunks:
            if chunk.choices and (text := chunk.choices[0].delta.content):
                yield text


@contextlib.contextmanager
def _translated() -> Any:
    """The client's errors as `RequestError`."""
    try:
        yield
    except openai.APITimeoutError as error:
        raise RequestError("no answer in time", passing=True) from error
    except openai.APIConnectionError as error:
        raise RequestError(f"no connection ({error.__cause__ or error})", passing=True) from error
    except openai.APIStatusError as error:
        raise RequestError(
            f"the server said {error.status_code}: {_message(error)}",
            passing=error.status_code in _PASSING_STATUS,
            fatal=error.status_code in _FATAL_STATUS,
            retry_after=_retry_after(error.response.headers.get("retry-after")),
        ) from error
    except (openai.APIError, httpx2.HTTPError, ValueError) as error:
        # An error event in the stream, a connection that broke inside it, a chunk that is no JSON.
        raise RequestError(f"the answer broke off ({error or type(error).__name__})", passing=True) from error


def _message(error: openai.APIStatusError) -> str:
    body = error.body
    message = body.get("message") if isinstance(body, dict) else None
    return str(message or error.message).strip()[:300]


def _retry_after(value: str | None) -> float | None:
    try:
        return max(0.0, float(value)) if value else None
    except ValueError:
        return None  # a date; back-off will do
