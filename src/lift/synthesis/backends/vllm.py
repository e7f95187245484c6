"""vLLM started for one run: `vllm:MODEL`, with further arguments of `vllm serve` after the model."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import socket
import sys
from collections import deque
from collections.abc import AsyncIterator
from typing import Final

import httpx2

from lift.errors import GeneratorUnavailableError
from lift.synthesis.backends.base import RequestError
from lift.synthesis.backends.openai import OpenAIBackend
from lift.synthesis.prompts import Request
from lift.synthesis.usage import Usage

__all__ = ["EXECUTABLE_VARIABLE", "VLLMBackend"]

# vLLM pins its own torch, so it lives in an environment of its own.
EXECUTABLE_VARIABLE: Final = "LIFT_VLLM"
_LINES_KEPT: Final = 20
_CHUNK: Final = 65536
_POLL_SECONDS: Final = 0.2
# Loading may include a download.
_START_SECONDS: Final = 3600.0
_END_SECONDS: Final = 20.0


class VLLMBackend(OpenAIBackend):
    """Starts `vllm serve` as a child process, asks it, and ends it, whatever happens to this process.

    Args:
        command: the model and further arguments, such as `Qwen/Qwen3-4B --max-model-len 8192`.
            `$LIFT_VLLM` is the executable, `vllm` if it is not set.
    """

    def __init__(self, command: str) -> None:
        self._arguments = shlex.split(command)
        if not self._arguments:
            raise GeneratorUnavailableError("name the model that vLLM is to serve: vllm:MODEL")
        self._port = _port_among(self._arguments) or _free_port()
        super().__init__(f"http://127.0.0.1:{self._port}/v1")
        self.host = None
        self.name = f"vllm:{self._arguments[0]}"
        self._lines: deque[str] = deque(maxlen=_LINES_KEPT)
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None

    async def start(self) -> None:
        name = self.name
        if not await asyncio.to_thread(_is_free, self._port):
            raise GeneratorUnavailableError(
                f"port {self._port} is taken; give vLLM another --port, or none: then lift finds a free one"
            )
        executable = os.environ.get(EXECUTABLE_VARIABLE) or "vllm"
        model, *further = self._arguments
        if _port_among(further) is None:
            further += ["--port", str(self._port)]
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "lift.synthesis.backends.leash"),
            *(executable, "serve", model, "--host", "127.0.0.1", "--enable-prefix-caching", *further),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        self._reading = asyncio.create_task(self._read_lines(self._process))
        await self._until_healthy()
        await super().start()
        self.name = name

    async def close(self) -> None:
        await super().close()
        if self._process is None:
            return
        if self._process.stdin:
            self._process.stdin.close()  # the leash's signal
        try:
            await asyncio.wait_for(self._process.wait(), _END_SECONDS)
        except TimeoutError:
            self._process.kill()
        if self._reading:
            self._reading.cancel()

    @contextlib.asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[AsyncIterator[str | Usage]]:
        try:
            async with super().stream(request) as pieces:
                yield pieces
        except RequestError as error:
            if error.kind == "connection" and await self._ends_soon():
                raise RequestError(self._last_words("died"), kind="server died", fatal=True) from error
            raise

    async def _until_healthy(self) -> None:
        async with httpx2.AsyncClient(timeout=2) as client:
            for _ in range(round(_START_SECONDS / _POLL_SECONDS)):
                if self._has_ended():
                    raise GeneratorUnavailableError(self._last_words("did not start"))
                with contextlib.suppress(httpx2.HTTPError):
                    answer = await client.get(f"http://127.0.0.1:{self._port}/health")
                    if answer.status_code == 200:
                        return
                await asyncio.sleep(_POLL_SECONDS)
        raise GeneratorUnavailableError(self._last_words(f"was not ready after {_START_SECONDS:.0f} s"))

    async def _ends_soon(self) -> bool:
        """Whether the process has ended; its connections break a moment before that shows."""
        if self._process:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), timeout=2)
        return self._has_ended()

    def _has_ended(self) -> bool:
        return self._process is not None and self._process.returncode is not None

    async def _read_lines(self, process: asyncio.subprocess.Process) -> None:
        """Until its end, or it would wait for room in the pipe; progress bars write megabytes without a line end."""
        rest = b""
        while process.stdout and (chunk := await process.stdout.read(_CHUNK)):
            *lines, rest = map(_shown, (rest + chunk).split(b"\n"))
            self._lines += map(_as_text, lines)
        self._lines += [_as_text(rest)] if rest else []

    def _last_words(self, what: str) -> str:
        code = self._process.returncode if self._process else None
        ended = f" (exit code {code})" if code is not None else ""
        advice = (
            f". Install vLLM in an environment of its own and put the path of its `vllm` into ${EXECUTABLE_VARIABLE}"
            if code == 127
            else ""
        )
        words = "\n  ".join(self._lines) or "nothing"
        return f"vLLM {what}{ended}{advice}. It said last:\n  {words}"


def _shown(line: bytes) -> bytes:
    """What a terminal shows of it: what follows a carriage return is written over the rest."""
    return line[line.rstrip(b"\r").rfind(b"\r") + 1 :]


def _as_text(line: bytes) -> str:
    return line.decode(errors="replace").rstrip()


def _port_among(arguments: list[str]) -> int | None:
    """The port that the user's own arguments set."""
    for argument, following in zip(arguments, [*arguments, ""][1:], strict=True):
        name, _, value = argument.partition("=")
        if name == "--port" and (value or following).isdigit():
            return int(value or following)
    return None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
