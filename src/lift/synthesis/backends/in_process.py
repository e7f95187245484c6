"""Generators that compute with the base model in this process: requests in batches, training in turn."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
from abc import abstractmethod
from collections import deque
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final

from lift.synthesis.backends.base import Backend, RequestError
from lift.synthesis.prompts import Request
from lift.synthesis.usage import Usage

if TYPE_CHECKING:
    from lift.model import BaseModel

__all__ = ["InProcessBackend", "Job"]

# A request that waits for its batch says so this often; only a silent one is given up.
_SIGN_OF_LIFE_SECONDS: Final = 2.0
# Requests are built one after the other; those of one moment share a batch.
_GATHER_SECONDS: Final = 0.02


class Job:
    """One request on its way through a batch; its pieces go back to the event loop that asked.

    Attributes:
        request: what is asked.
        stopped: nobody waits for the answer any more.
    """

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


class InProcessBackend(Backend):
    """Answers requests with the model that is in training; `BaseModel.turns` says whose turn it is.

    Args:
        batch: requests answered together, by the device's type.
        batch_elsewhere: the same on other devices.
    """

    needs_model = True

    def __init__(self, batch: dict[str, int], batch_elsewhere: int) -> None:
        self._batch = batch
        self._batch_elsewhere = batch_elsewhere
        self._base: concurrent.futures.Future[BaseModel] = concurrent.futures.Future()
        self._waiting: deque[Job] = deque()
        self._woken = asyncio.Event()
        self._runner: asyncio.Task[None] | None = None

    def use_model(self, base: BaseModel) -> None:
        self._base.set_result(base)

    @abstractmethod
    def answer(self, base: BaseModel, jobs: list[Job]) -> None:
        """Answer `jobs` together, in a thread of its own: pieces, then a `Usage` for each.

        It computes within `base.wearing(...)`, and ends soon where a job is stopped or `base.turns.urgent`.
        What it raises fails these jobs and no others.
        """

    async def start(self) -> None:
        self._runner = asyncio.create_task(self._run())

    async def close(self) -> None:
        if self._runner:
            self._runner.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._runner

    @contextlib.asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[AsyncIterator[str | Usage]]:
        job = Job(request)
        self._waiting.append(job)
        self._woken.set()
        try:
            yield job.pieces()
        finally:
            job.stopped = True

    async def _run(self) -> None:
        """Answers batch after batch, until cancelled."""
        base = await asyncio.wrap_future(self._base)
        most = self._batch.get(base.device.type, self._batch_elsewhere)
        while True:
            await self._woken.wait()
            await asyncio.sleep(_GATHER_SECONDS)
            jobs: list[Job] = []
            while self._waiting and len(jobs) < most:
                job = self._waiting.popleft()
                if not job.stopped:
                    jobs.append(job)
            if not self._waiting:
                self._woken.clear()
            if not jobs:
                continue
            answering = asyncio.ensure_future(asyncio.to_thread(self._answer, base, jobs))
            try:
                await asyncio.shield(answering)
            except asyncio.CancelledError:
                for job in jobs:
                    job.stopped = True
                await answering  # ends at the next token
                raise

    def _answer(self, base: BaseModel, jobs: list[Job]) -> None:
        try:
            self.answer(base, jobs)
            failure = None
        except Exception as error:  # whatever it is, it fails these requests and no others
            failure = RequestError(f"decoding failed: {error}", kind=type(error).__name__)
        for job in jobs:
            job.hand_over(failure)
