"""Any server that speaks the OpenAI chat protocol: vLLM, SGLang, llama.cpp, Ollama, DeepSeek, OpenAI."""

from __future__ import annotations

import contextlib
import email.utils
import json
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
import httpx2
import openai

from lift.errors import GeneratorUnavailableError
from lift.synthesis.backends.base import Backend, RequestError
from lift.synthesis.backends.dialect import Dialect
from lift.synthesis.backends.providers import KEY_VARIABLE, provider_at, read_key
from lift.synthesis.prompts import Request
from lift.synthesis.usage import Usage, estimated_tokens

__all__ = ["OpenAIBackend"]

# Seconds to connect; how long an answer may take is the generator's business.
_TIMEOUT: Final = httpx2.Timeout(None, connect=10)
_OVERLOAD_STATUS: Final = frozenset({429, 503, 529})
_PASSING_STATUS: Final = _OVERLOAD_STATUS | {408, 409, 425, 500, 502, 504}
_FATAL_STATUS: Final = frozenset({401, 402, 403, 404})
_REFUSED_STATUS: Final = frozenset({400, 422})


class OpenAIBackend(Backend):
    """Asks an OpenAI-compatible server, streamed.

    The key comes from $LIFT_API_KEY, or from the provider's own variable for the provider's host alone.

    Args:
        url: the server's base URL, such as `http://localhost:8000/v1`.
        model: the model's name there; None takes the only one that the server offers.
        timeout: limit for connecting.
    """

    def __init__(self, url: str, model: str | None = None, *, timeout: httpx2.Timeout = _TIMEOUT) -> None:
        parts = urlsplit(url)
        if not parts.hostname:
            raise GeneratorUnavailableError(f"{url!r} is not a URL; give one such as http://localhost:8000/v1")
        if parts.username or parts.password:
            raise GeneratorUnavailableError(f"put the key into ${KEY_VARIABLE}, not into the URL")
        provider = provider_at(url)
        self._url = url.rstrip("/")
        self._model = model
        self._timeout = timeout
        self._key = read_key(provider, KEY_VARIABLE)
        if provider and not self._key:
            raise GeneratorUnavailableError(f"{parts.hostname} wants a key; put it into ${provider.key_variable}")
        self._client: openai.AsyncOpenAI | None = None
        self._dialect = provider.dialect if provider else Dialect()
        self.host = parts.netloc
        self.name = f"{self._url} {model}" if model else self._url

    async def start(self) -> None:
        # Retries are the generator's business: it knows what has already arrived. aiohttp takes half the time for a
        # token that httpx takes, in a process that also trains.
        self._client = openai.AsyncOpenAI(
            base_url=self._url,
            api_key=self._key or "none",
            timeout=self._timeout,
            max_retries=0,
            http_client=openai.DefaultAioHttpClient(timeout=self._timeout),
        )
        if self._model is None:
            self._model = await self._only_model()
            self.name = f"{self._url} {self._model}"

    async def close(self) -> None:
        if self._client:
            await self._client.close()

    @contextlib.asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[AsyncIterator[str | Usage]]:
        response = await self._opened(request)
        try:
            yield _pieces(response.aiter_bytes())
        finally:
            await response.aclose()

    @property
    def _connected(self) -> openai.AsyncOpenAI:
        if self._client is None:
            raise RuntimeError("start() comes before the first request")
        return self._client

    async def _opened(self, request: Request) -> httpx2.Response:
        """The answer's stream; fields that the server refuses are left out, now and from now on."""
        while True:
            dialect = self._dialect
            try:
                with _translated():
                    stream: openai.AsyncStream[Any] = await self._connected.chat.completions.create(
                        model=self._model or "",
                        messages=[
                            {"role": "system", "content": request.system},
                            {"role": "user", "content": request.user},
                        ],
                        stream=True,
                        **dialect.fields(max_tokens=request.max_tokens, temperature=request.temperature),
                    )
                return stream.response
            except RequestError as error:
                simpler = dialect.after_refusal(str(error)) if error.refused else None
                if simpler is None:
                    raise
                # Another request may have found out in the meantime.
                if self._dialect == dialect:
                    self._dialect = simpler

    async def _only_model(self) -> str:
        try:
            with _translated():
                models = [model.id async for model in self._connected.models.list()]
        except RequestError as error:
            raise GeneratorUnavailableError(
                f"cannot ask {self._url} for its models: {error}. Check that the server runs and that the URL "
                "ends as the server wants it (usually /v1)"
            ) from error
        if len(models) == 1:
            return models[0]
        offered = ", ".join(sorted(models)[:20]) or "none"
        raise GeneratorUnavailableError(f"name a model with --generator-model; {self._url} offers {offered}")


async def _pieces(chunks: AsyncIterator[bytes]) -> AsyncIterator[str | Usage]:
    """The pieces of a streamed answer, from the chunks of its event stream.

    Read here and not by the client: it makes typed objects of every token, which takes five times as long, in a
    process that also trains.
    """
    thought = 0
    with _translated():
        async for line in _lines(chunks):
            if not line.startswith(b"data:"):
                continue
            data = line[5:].strip()
            if data == b"[DONE]":
                return
            event = json.loads(data)
            if event.get("error"):
                raise ValueError(f"the server said: {str(event['error'])[:300]}")
            for choice in event.get("choices") or ():
                delta = choice.get("delta") or {}
                thought += len(delta.get("reasoning_content") or delta.get("reasoning") or "")
                # Empty while a reasoning model thinks: a sign of life.
                yield delta.get("content") or ""
            if event.get("usage"):
                yield _usage(event["usage"], thought)


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The lines of an event stream, which CR and LF alone end.

    The client's own lines of text end with U+2028 and the like as well, which JSON holds as they are.
    """
    rest = b""
    async for chunk in chunks:
        lines = (rest + chunk).splitlines(keepends=True)
        rest = lines.pop() if lines and not lines[-1].endswith(b"\n") else b""
        for line in lines:
            yield line
    yield rest


def _usage(counted: Mapping[str, Any], thought: int) -> Usage:
    """The server's count; the parts within the sums are optional in the protocol.

    Args:
        thought: characters of the thoughts that were streamed, for a server that does not count them apart.
    """
    read, written = counted.get("prompt_tokens_details") or {}, counted.get("completion_tokens_details") or {}
    return Usage(
        prompt=counted.get("prompt_tokens") or 0,
        cached=read.get("cached_tokens") or counted.get("prompt_cache_hit_tokens") or 0,
        completion=counted.get("completion_tokens") or 0,
        reasoning=written.get("reasoning_tokens") or estimated_tokens(thought),
    )


@contextlib.contextmanager
def _translated() -> Any:
    """The client's errors as `RequestError`."""
    try:
        yield
    except openai.APIConnectionError as error:
        if isinstance(error, openai.APITimeoutError) and not _refused(error):
            raise RequestError("no connection in time", kind="timeout", passing=True) from error
        reason = f"the connection failed ({error.__cause__ or error})"
        raise RequestError(reason, kind="connection", passing=True) from error
    except openai.APIStatusError as error:
        raise RequestError(
            f"the server said {error.status_code}: {_message(error)}",
            kind=str(error.status_code),
            passing=error.status_code in _PASSING_STATUS,
            fatal=error.status_code in _FATAL_STATUS,
            refused=error.status_code in _REFUSED_STATUS,
            overload=error.status_code in _OVERLOAD_STATUS,
            retry_after=_retry_after(error.response.headers.get("retry-after")),
        ) from error
    except (openai.APIError, httpx2.HTTPError, ValueError) as error:
        # An error event in the stream, a connection that broke inside it, a chunk that is no JSON.
        reason = f"the answer broke off ({error or type(error).__name__})"
        raise RequestError(reason, kind="broken off", passing=True) from error


def _refused(error: openai.APITimeoutError) -> bool:
    """Whether it is none: the client takes every failure to connect for a timeout, and knows better only inside."""
    inner = error.__cause__.__cause__ if error.__cause__ else None
    return isinstance(inner, aiohttp.ClientError) and not isinstance(inner, TimeoutError)


def _message(error: openai.APIStatusError) -> str:
    body = error.body
    message = body.get("message") if isinstance(body, dict) else None
    return str(message or error.message).strip()[:300]


def _retry_after(value: str | None) -> float | None:
    """Seconds to wait, from a number of them or a date (RFC 9110, section 10.2.3)."""
    if not value:
        return None
    with contextlib.suppress(ValueError):
        return max(0.0, float(value))
    with contextlib.suppress(ValueError):
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    return None
