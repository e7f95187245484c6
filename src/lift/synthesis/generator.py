"""Segments in, a stream of tasks out: bounded concurrency, retries, order of arrival, nothing asked twice."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from lift.document import Document
from lift.errors import GenerationError, GeneratorUnavailableError
from lift.recipe import Recipe
from lift.synthesis.backends.base import Backend, RequestError
from lift.synthesis.parser import PairParser
from lift.synthesis.prompts import Request, build_request
from lift.tasks import Task, TaskStore

__all__ = ["GenerationCounts", "generate_tasks"]

_FIRST_WAIT: Final = 0.5
_LONGEST_WAIT: Final = 30.0


@dataclass
class GenerationCounts:
    """How far generation is; updated while it runs.

    Attributes:
        segments: all segments to ask about.
        answered: those with all their tasks, in this run or an earlier one.
        failed: those that gave up in this run.
        requests: requests sent in this run, retries included.
        retries: of these, the retries.
        dropped: pairs not used, by reason.
    """

    segments: int = 0
    answered: int = 0
    failed: int = 0
    requests: int = 0
    retries: int = 0
    dropped: dict[str, int] = field(default_factory=dict)

    def drop(self, reason: str, count: int = 1) -> None:
        if count:
            self.dropped[reason] = self.dropped.get(reason, 0) + count


async def generate_tasks(
    document: Document,
    backend: Backend,
    recipe: Recipe,
    store: TaskStore,
    *,
    on_task: Callable[[Task], None] = lambda task: None,
    counts: GenerationCounts | None = None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> GenerationCounts:
    """Ask for tasks about every segment that `store` does not hold yet.

    A pair goes to the store and then to `on_task` as soon as its JSON object closes, whatever the order of
    the segments; a slow request holds nothing up. Cancelling ends all requests.

    Args:
        document: what is asked about.
        backend: who is asked.
        recipe: how (`generator_*`, `max_failed_share` and the prompt's knobs).
        store: open for writing; its segments are asked about.
        on_task: called with each new task, in this event loop.
        counts: updated as things happen; also the return value.
        sleep: replaced in tests.

    Raises:
        GeneratorUnavailableError: the server cannot be reached, refuses the key or the model.
        GenerationError: a larger share than `max_failed_share` of the segments failed; the store keeps the rest.
    """
    run = _Run(document, backend, recipe, store, on_task, counts or GenerationCounts(), sleep)
    await backend.start()
    try:
        await run.all_segments()
    finally:
        await backend.close()
    if not store.failed:
        store.mark_complete()
    return run.counts


class _Run:
    def __init__(
        self,
        document: Document,
        backend: Backend,
        recipe: Recipe,
        store: TaskStore,
        on_task: Callable[[Task], None],
        counts: GenerationCounts,
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self.document = document
        self.backend = backend
        self.recipe = recipe
        self.store = store
        self.on_task = on_task
        self.counts = counts
        self.sleep = sleep
        self.jitter = random.Random(recipe.seed)
        # Pairs of requests that an earlier run left unfinished, and what was asked in all.
        self.held: dict[str, int] = {}
        self.asked: set[str] = set()
        for task in store.tasks:
            request_key = task.id.rpartition("-")[0]
            self.held[request_key] = self.held.get(request_key, 0) + 1
            self.asked.add(_normalised(task.question))

    async def all_segments(self) -> None:
        self.counts.segments = len(self.store.segments)
        todo = iter(self.store.segments)

        async def worker() -> None:
            # Requests are built when it is their turn: a long document's prompts are never all in memory.
            for segment in todo:
                request = build_request(self.document, segment, self.recipe)
                if request.key in self.store.done:
                    self.counts.answered += 1
                    continue
                await self.one_segment(request)

        workers = min(self.recipe.generator_concurrency, max(1, len(self.store.segments)))
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(workers):
                    group.create_task(worker())
        except BaseExceptionGroup as errors:
            # The first failure cancelled the others; it alone is worth telling.
            raise errors.exceptions[0] from None

    async def one_segment(self, request: Request) -> None:
        for attempt in range(self.recipe.generator_retries + 1):
            self.counts.requests += 1
            self.counts.retries += attempt > 0
            try:
                await self.attempt(request)
            except RequestError as error:
                if error.fatal:
                    raise GeneratorUnavailableError(f"{self.backend.name}: {error}") from error
                if not error.passing or attempt == self.recipe.generator_retries:
                    self.give_up(request, str(error))
                    return
                await self.sleep(self.wait(attempt, error.retry_after))
            else:
                self.store.mark_done(request.key)
                self.counts.answered += 1
                return

    async def attempt(self, request: Request) -> None:
        """Ask once; pairs that arrived before (in a try that broke off, in an earlier run) count."""
        parser = PairParser()
        found = 0
        try:
            async with self.backend.stream(request) as pieces:
                async for piece in pieces:
                    for pair in parser.feed(piece):
                        found += 1
                        self.keep(request, pair.question, pair.answer)
                    if self.held.get(request.key, 0) >= request.count:
                        return  # the rest of the answer need not be waited or paid for
        finally:
            self.counts.drop("not a question and an answer", parser.rejected)
        if not found and not self.held.get(request.key):
            raise RequestError("no question-answer pair in the answer", passing=True)

    def keep(self, request: Request, question: str, answer: str) -> None:
        number = self.held.get(request.key, 0)
        if number >= request.count:
            self.counts.drop("more than asked for")
            return
        normalised = _normalised(question)
        if normalised in self.asked:
            self.counts.drop("asked before")
            return
        task = Task(f"{request.key}-{number}", question, answer, segments=(request.segment.index,))
        self.store.add(task)
        self.held[request.key] = number + 1
        self.asked.add(normalised)
        self.on_task(task)

    def give_up(self, request: Request, reason: str) -> None:
        self.store.mark_failed(request.key, reason)
        self.counts.failed += 1
        if self.counts.failed <= self.recipe.max_failed_share * self.counts.segments:
            return
        if not self.store.tasks:
            raise GeneratorUnavailableError(f"{self.backend.name}: {reason}")
        raise GenerationError(
            f"{self.counts.failed} of {self.counts.segments} segments failed, more than max_failed_share="
            f"{self.recipe.max_failed_share} allows; the last one: {reason}. All tasks are kept in "
            f"{self.store.path}; the same command goes on with what is missing"
        )

    def wait(self, attempt: int, retry_after: float | None) -> float:
        """Seconds until the next try: what the server asks for, else exponential back-off with full jitter."""
        if retry_after is not None:
            return min(retry_after, _LONGEST_WAIT)
        return self.jitter.uniform(0.1, min(_LONGEST_WAIT, _FIRST_WAIT * 2**attempt))


def _normalised(question: str) -> str:
    return " ".join("".join(char.lower() if char.isalnum() else " " for char in question).split())
