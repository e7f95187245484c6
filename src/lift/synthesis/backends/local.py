"""The base model itself as the generator: `self`. One device serves both, a batch of requests and training in turn."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import warnings
from collections import deque
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final

from lift.errors import LiftWarning
from lift.recipe import EMBEDDED
from lift.synthesis.backends.base import Backend, RequestError
from lift.synthesis.prompts import Request
from lift.synthesis.usage import Usage

if TYPE_CHECKING:
    from lift.model import BaseModel

__all__ = ["LocalBackend"]

_BATCH: Final = {"cpu": 8}
_BATCH_ON_GPU: Final = 32
# A request that waits for its batch says so this often; only a silent one is given up.
_SIGN_OF_LIFE_SECONDS: Final = 2.0
# Requests are built one after the other; those of one moment share a batch.
_GATHER_SECONDS: Final = 0.02
# How every answer begins: with that in its mouth a small model, too, writes JSON.
_LEAD: Final = '{"pairs": ['
_FIRST_PAIR: Final = '{"question": "'
# Tokens in which a pair fits.
_LEAST_ROOM: Final = 64


class _Job:
    """One request on its way through a batch; its pieces go back to the event loop that asked."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.stopped = False
        self._loop = asyncio.get_running_loop()
        self._pieces: asyncio.Queue[str | Usage | RequestError | None] = asyncio.Queue()

    def hand_over(self, piece: str | Usage | RequestError | None) -> None:
        """Called in the thread that decodes; None is the end."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._pieces.put_nowait, piece)

    async def pieces(self) -> AsyncIterator[str | Usage]:
        while True:
            try:
                piece = await asyncio.wait_for(self._pieces.get(), _SIGN_OF_LIFE_SECONDS)
            except TimeoutError:
                piece = ""
            if piece is None:
                return
            if isinstance(piece, RequestError):
                raise piece
            yield piece


class LocalBackend(Backend):
    """Writes tasks with the base model, its adapter switched off, several requests in a batch.

    The model is the one in training: `BaseModel.turns` says whose turn it is. With a capable model no second
    one is needed.
    """

    name = "self"
    needs_model = True

    def __init__(self) -> None:
        self._base: concurrent.futures.Future[BaseModel] = concurrent.futures.Future()
        self._waiting: deque[_Job] = deque()
        self._woken = asyncio.Event()
        self._runner: asyncio.Task[None] | None = None

    def use_model(self, base: BaseModel) -> None:
        if base.id == EMBEDDED:
            message = (
                "the embedded 135M model writes poor tasks: about 15 % of them are usable. Name a stronger generator "
                "with --generator for anything but a trial"
            )
            warnings.warn(message, LiftWarning, stacklevel=3)
        self._base.set_result(base)

    async def start(self) -> None:
        self._runner = asyncio.create_task(self._run())

    async def close(self) -> None:
        if self._runner:
            self._runner.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._runner

    @contextlib.asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[AsyncIterator[str | Usage]]:
        job = _Job(request)
        self._waiting.append(job)
        self._woken.set()
        try:
            yield job.pieces()
        finally:
            job.stopped = True

    async def _run(self) -> None:
        """Decodes batch after batch, until cancelled."""
        base = await asyncio.wrap_future(self._base)
        most = _BATCH.get(base.device.type, _BATCH_ON_GPU)
        while True:
            await self._woken.wait()
            await asyncio.sleep(_GATHER_SECONDS)
            jobs: list[_Job] = []
            while self._waiting and len(jobs) < most:
                job = self._waiting.popleft()
                if not job.stopped:
                    jobs.append(job)
            if not self._waiting:
                self._woken.clear()
            if not jobs:
                continue
            decoding = asyncio.ensure_future(asyncio.to_thread(_decode, base, jobs))
            try:
                await asyncio.shield(decoding)
            except asyncio.CancelledError:
                for job in jobs:
                    job.stopped = True
                await decoding  # ends at the next token
                raise


def _decode(base: BaseModel, jobs: list[_Job]) -> None:
    """Answer `jobs` in one batch; every token is handed over as it is sampled."""
    from lift.decoding import decode_batch

    # In one turn: not every template has a system role.
    chat = base.chat_format("{question}", title="")
    leads = [_LEAD if job.request.may_be_empty else _LEAD + _FIRST_PAIR for job in jobs]
    prompts = [
        chat.prompt_ids(f"{job.request.system}\n\n{job.request.user}")
        + base.tokenizer(lead, add_special_tokens=False)["input_ids"]
        for job, lead in zip(jobs, leads, strict=True)
    ]
    room = base.context_tokens - max(map(len, prompts))
    written = [0] * len(jobs)

    def on_text(row: int, text: str) -> bool:
        written[row] += 1
        jobs[row].hand_over(text)
        return not (jobs[row].stopped or base.turns.urgent)

    try:
        if room < _LEAST_ROOM:
            raise ValueError(
                f"a request has {base.context_tokens - room} tokens, which leaves no room in a context window of "
                f"{base.context_tokens}; set window_chars lower"
            )
        for job, lead in zip(jobs, leads, strict=True):
            job.hand_over(lead)
        with base.undressed():
            decode_batch(
                base.network,
                base.tokenizer,
                prompts,
                stop_ids=chat.stop_ids,
                max_new_tokens=min(room, max(job.request.max_tokens for job in jobs)),
                temperature=jobs[0].request.temperature,
                on_text=on_text,
            )
            if base.turns.urgent:
                raise InterruptedError("the run ends")
        for job, prompt, count in zip(jobs, prompts, written, strict=True):
            job.hand_over(Usage(len(prompt), completion=count))
            job.hand_over(None)
    except Exception as error:  # whatever it is, it fails these requests and no others
        for job in jobs:
            job.hand_over(RequestError(f"decoding failed: {error}", kind=type(error).__name__))
