"""The generator in a thread of its own, so that training goes on while it waits for the network."""

from __future__ import annotations

import asyncio
import contextlib
import math
import queue
import time
from itertools import islice
from threading import Thread
from typing import Final

from lift.document import Document
from lift.recipe import Recipe
from lift.synthesis.backends import Backend
from lift.synthesis.generator import generate_tasks
from lift.synthesis.pace import Pace
from lift.synthesis.usage import GenerationCounts
from lift.task_store import TaskStore
from lift.tasks import Task

__all__ = ["TaskProducer"]

# Tasks that may wait for the trainer before no more are asked for.
_MOST_WAITING: Final = 10_000


class TaskProducer:
    """Runs `generate_tasks` in a thread; tasks are handed over as they arrive.

    A context manager: leaving it ends all requests and waits for the thread.

    Attributes:
        counts: how far generation is.
        seconds: how long it has taken so far, or took.
    """

    def __init__(self, document: Document, backend: Backend, recipe: Recipe, store: TaskStore) -> None:
        self.counts = GenerationCounts(segments=len(store.segments))
        self._queue: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._earlier = store.read_tasks()
        self._arguments = (document, backend, recipe, store)
        self._store = store
        self._loop: asyncio.AbstractEventLoop | None = None
        self._work: asyncio.Task[GenerationCounts] | None = None
        self._error: BaseException | None = None
        self._stopping = False
        self._started = time.monotonic()
        self._pace = Pace()
        self._ended: float | None = None
        self._thread: Thread | None = None

    @property
    def seconds(self) -> float:
        return (self._ended or time.monotonic()) - self._started

    @property
    def seconds_left(self) -> float | None:
        """Estimate of the time until the last task; None before the first one.

        Infinite where the backend computes with the model in training: they take turns, and none is written while
        it trains.
        """
        _, backend, recipe, _ = self._arguments
        if backend.needs_model:
            return math.inf
        counts = self.counts
        if counts.began is None:
            return None
        ended = counts.answered + counts.failed - counts.earlier
        done = max(ended, counts.kept / recipe.tasks_per_segment)  # answers that are being written count in part
        return self._pace.seconds_left(done, counts.segments - counts.earlier, time.monotonic() - counts.began)

    def start(self) -> None:
        """Begin to ask; a complete store asks nothing."""
        if self._store.complete:
            self.counts.answered = self.counts.segments
            self._finish()
            return
        self._thread = Thread(target=self._run, name="lift-generator", daemon=True)
        self._thread.start()

    def take(self, timeout: float | None = None) -> list[Task]:
        """The tasks that have arrived since the last call; waits at most `timeout` seconds for a first one.

        Raises:
            EOFError: all tasks have been taken and there will be none.
            LiftError: generation failed.
        """
        taken = list(islice(self._earlier, _MOST_WAITING))
        if taken:
            return taken
        try:
            # Without a timeout, only what is there.
            item = self._queue.get(timeout=timeout) if timeout else self._queue.get_nowait()
            while item is not None:
                taken.append(item)
                item = self._queue.get_nowait()
            self._queue.put(None)  # the end stays readable
            if self._error is not None:
                raise self._error
            if not taken:
                raise EOFError
        except queue.Empty:
            pass
        return taken

    def wait(self) -> None:
        """Wait until generation is over."""
        while self._thread and self._thread.is_alive():
            self._thread.join(0.1)  # in slices, so that Ctrl-C gets through

    def __enter__(self) -> TaskProducer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping = True  # for a thread that has not got as far as to have work that can be cancelled
        if self._loop and self._work:
            with contextlib.suppress(RuntimeError):  # the loop is closed: the work is over
                self._loop.call_soon_threadsafe(self._work.cancel)
        if self._thread:
            self._thread.join()

    def _run(self) -> None:
        try:
            asyncio.run(self._generate())
        except asyncio.CancelledError:
            pass
        except BaseException as error:  # raised again by `take`, in the caller's thread
            self._error = error
        finally:
            self._finish()

    async def _generate(self) -> None:
        document, backend, recipe, store = self._arguments
        self._loop = asyncio.get_running_loop()
        self._work = asyncio.create_task(
            generate_tasks(
                document,
                backend,
                recipe,
                store,
                on_task=self._queue.put,
                # What replays is waited for as a whole before anything is taken.
                has_room=lambda: backend.replays or self._queue.qsize() < _MOST_WAITING,
                counts=self.counts,
            )
        )
        if self._stopping:
            self._work.cancel()
        await self._work

    def _finish(self) -> None:
        self._ended = time.monotonic()
        self._queue.put(None)
