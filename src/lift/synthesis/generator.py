"""Segments in, a stream of tasks out: adaptive concurrency, retries, order of arrival, nothing asked twice."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from itertools import islice
from typing import Final

from lift.document import Document
from lift.errors import GenerationError, GeneratorUnavailableError, SpendingLimitError
from lift.recipe import Recipe
from lift.synthesis.backends.base import Backend, RequestError
from lift.synthesis.checks import fault_of, normalised
from lift.synthesis.concurrency import AdaptiveLimit, Slot
from lift.synthesis.foci import warn_unless_english
from lift.synthesis.parser import Pair, PairParser
from lift.synthesis.plan import count_requests
from lift.synthesis.prompts import Request
from lift.synthesis.quotes import Quoter
from lift.synthesis.usage import GenerationCounts, Usage, estimated_tokens
from lift.task_store import TaskStore
from lift.tasks import Task

__all__ = ["generate_tasks"]

_FIRST_WAIT: Final = 0.5
_LONGEST_WAIT: Final = 30.0
# A server that asks for more patience than this is not waited for any longer.
_LONGEST_RETRY_AFTER: Final = 300.0
# Characters that an answer may go on for once it has all pairs: its end, and the server's token count.
_SURPLUS: Final = 64


async def generate_tasks(
    document: Document,
    backend: Backend,
    recipe: Recipe,
    store: TaskStore,
    *,
    on_task: Callable[[Task], None] = lambda task: None,
    has_room: Callable[[], bool] = lambda: True,
    counts: GenerationCounts | None = None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> GenerationCounts:
    """Ask for tasks about every segment that `store` does not hold yet.

    A pair goes to the store and then to `on_task` as soon as its JSON object closes, whatever the order of
    the segments; a slow request holds nothing up. Cancelling ends all requests.

    Args:
        document: what is asked about.
        backend: who is asked.
        recipe: how (`generator_*`, `max_*` and the prompt's knobs).
        store: open for writing; its segments are asked about.
        on_task: called with each new task, in this event loop.
        has_room: no request begins while it is false (a trainer that is behind).
        counts: updated as things happen; also the return value.
        sleep: replaced in tests.

    Raises:
        GeneratorUnavailableError: the server cannot be reached, refuses the key or the model.
        SpendingLimitError: `max_requests` or `max_tokens` was reached before all segments had their tasks.
        GenerationError: a larger share than `max_failed_share` of the segments failed; the store keeps the rest.
    """
    if recipe.quotes_per_segment:
        warn_unless_english(document, "quotes_per_segment")
    run = _Run(document, backend, recipe, store, on_task, has_room, counts or GenerationCounts(), sleep)
    try:
        await backend.start()
        await run.all_requests()
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
        has_room: Callable[[], bool],
        counts: GenerationCounts,
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self.document = document
        self.backend = backend
        self.recipe = recipe
        self.store = store
        self.on_task = on_task
        self.has_room = has_room
        self.counts = counts
        self.sleep = sleep
        self.jitter = random.Random(recipe.seed)
        self.limit = AdaptiveLimit(recipe.generator_concurrency)
        # Tokens that requests in flight are expected to cost.
        self.promised = 0
        self.limit_reached: str | None = None
        # Pairs of requests that are not done, here or in an earlier run; and hashes of all questions.
        self.held: Counter[str] = Counter()
        self.quoted: Counter[str] = Counter()
        self.asked: set[int] = set()
        for task in store.read_tasks():
            key = task.id.rpartition("-")[0]
            if task.kind == "quote":
                self.quoted[key] += 1
            elif key not in store.done:
                self.held[key] += 1
            self.asked.add(hash(normalised(task.question)))
        self.quoter = Quoter(document, store.segments) if recipe.quotes_per_segment else None
        self.begun: set[str] = set()
        self.planned = 0

    async def all_requests(self) -> None:
        n_segments = len(self.store.segments)
        self.counts.segments = n_segments if self.backend.replays else count_requests(n_segments, self.recipe)
        # Requests are built when it is their turn: a long document's prompts are never all in memory.
        todo = self.backend.requests(self.document, self.store.segments, self.recipe)

        async def worker() -> None:
            for request in todo:
                self.planned += 1
                if self.limit_reached:
                    return
                repeated = request.key in self.begun  # a text that repeats itself asks the same twice
                self.begun.add(request.key)
                if not repeated:
                    self.quote(request)
                if repeated or request.key in self.store.done:
                    self.counts.answered += 1
                    self.counts.earlier += 1
                    continue
                await self.one_request(request)

        workers = min(self.recipe.generator_concurrency, self.counts.segments)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(workers):
                    group.create_task(worker())
        except BaseExceptionGroup as errors:
            # The first failure cancelled the others; it alone is worth telling.
            raise errors.exceptions[0] from None
        if self.limit_reached:
            raise SpendingLimitError(
                f"stopped at {self.limit_reached}: {self.counts.answered} of {self.counts.segments} segments have "
                f"their tasks. They are kept in {self.store.path}; with a higher limit the same command goes on"
            )
        self.counts.segments = self.planned  # of the groups that were reckoned with, some were the same

    async def one_request(self, request: Request) -> None:
        for attempt in range(self.recipe.generator_retries + 1):
            try:
                async with self.limit.slot() as slot:
                    while not self.has_room():
                        await asyncio.sleep(0.05)
                    if self.limit_reached or self.would_overspend(request):
                        return  # what is in flight ends by itself
                    self.counts.began = self.counts.began or time.monotonic()
                    self.counts.requests += 1
                    self.counts.retries += attempt > 0
                    await self.attempt(request, slot)
            except RequestError as error:
                self.counts.failures[error.kind] += 1
                if error.overload:
                    slot.overloaded()
                if error.fatal:
                    raise GeneratorUnavailableError(f"{self.backend.name}: {error}") from error
                if not error.passing or attempt == self.recipe.generator_retries:
                    self.give_up(request, str(error))
                    return
                await self.sleep(self.wait(attempt, error.retry_after))
            else:
                self.store.mark_done(request.key)
                self.held.pop(request.key, None)
                self.counts.answered += 1
                return

    async def attempt(self, request: Request, slot: Slot) -> None:
        """Ask once; pairs that arrived before (in a try that broke off, in an earlier run) count."""
        parser = PairParser()
        found = written = surplus = 0
        usage: Usage | None = None
        promised = self.expected_cost(request)
        self.promised += promised
        patience = self.recipe.generator_first_token_seconds
        now = asyncio.get_running_loop().time
        try:
            async with asyncio.timeout(patience) as clock, self.backend.stream(request) as pieces:
                async for piece in pieces:
                    slot.token()
                    patience = self.recipe.generator_silence_seconds
                    clock.reschedule(now() + patience)
                    if isinstance(piece, Usage):
                        usage = piece
                        continue
                    written += len(piece)
                    if self.held[request.key] >= request.count:
                        surplus += len(piece)
                        if surplus > _SURPLUS:
                            return  # the rest need not be waited or paid for
                    for pair in parser.feed(piece):
                        found += 1
                        self.keep(request, pair)
        except TimeoutError:
            raise RequestError(f"not a token in {patience:g} seconds", kind="timeout", passing=True) from None
        finally:
            self.promised -= promised
            self.counts.dropped.update({"not a question and an answer": parser.rejected} if parser.rejected else {})
            if (usage or written) and not self.backend.replays:
                prompt = estimated_tokens(len(request.system) + len(request.user))
                usage = usage or Usage(prompt, completion=estimated_tokens(written), estimated=1)
                usage.reasoning = usage.reasoning or estimated_tokens(parser.thought)
                self.counts.usage.add(usage)
        if not found and not self.held[request.key] and not (request.may_be_empty and parser.empty):
            raise RequestError("no question-answer pair in the answer", kind="no pairs", passing=True)

    def keep(self, request: Request, pair: Pair) -> None:
        number = self.held[request.key]
        question = hash(normalised(pair.question))
        fault = (
            "more than asked for"
            if number >= request.count
            else "asked before"
            if question in self.asked
            else fault_of(pair, request.user, " ".join(segment.text for segment in request.segments))
            if self.recipe.check_pairs and not self.backend.replays
            else None
        )
        if fault:
            self.counts.dropped[fault] += 1
            return
        about = tuple(segment.index for segment in request.segments)
        self.hand_over(Task(f"{request.key}-{number}", pair.question, pair.answer, request.kind, about))
        self.held[request.key] = number + 1
        self.counts.kept += 1

    def quote(self, request: Request) -> None:
        """What the document itself says about the request's segment, apart from what the store holds of it."""
        if request.kind != "segment" or self.quoter is None:
            return
        (segment,) = request.segments
        key, held = request.key, self.quoted[request.key]
        pairs = islice(self.quoter.pairs(segment), held, self.recipe.quotes_per_segment)
        for number, pair in enumerate(pairs, held):
            self.hand_over(Task(f"{key}-quote{number}", pair.question, pair.answer, "quote", (segment.index,)))
            self.counts.quoted += 1

    def hand_over(self, task: Task) -> None:
        """To the store first, then to whoever waits for it."""
        self.store.add(task)
        self.asked.add(hash(normalised(task.question)))
        self.on_task(task)

    def expected_cost(self, request: Request) -> int:
        """Tokens that `request` will cost, judged by the answers so far."""
        finished = max(1, self.counts.answered)
        written = self.counts.usage.completion // finished if self.counts.usage.completion else 0
        return estimated_tokens(len(request.system) + len(request.user)) + written

    def would_overspend(self, request: Request) -> bool:
        """Whether `request` would go beyond a limit; then that is noted and no other is sent."""
        requests, tokens = self.recipe.max_requests, self.recipe.max_tokens
        if requests is not None and self.counts.requests >= requests:
            self.limit_reached = f"max_requests={requests}"
        if tokens is not None and self.counts.usage.total + self.promised + self.expected_cost(request) > tokens:
            self.limit_reached = f"max_tokens={tokens}"
        return self.limit_reached is not None

    def give_up(self, request: Request, reason: str) -> None:
        self.store.mark_failed(request.key, reason)
        self.counts.failed += 1
        if self.counts.failed <= self.recipe.max_failed_share * self.counts.segments:
            return
        if not self.store.n_tasks:
            raise GeneratorUnavailableError(f"{self.backend.name}: {reason}")
        raise GenerationError(
            f"{self.counts.failed} of {self.counts.segments} segments failed, more than max_failed_share="
            f"{self.recipe.max_failed_share} allows; the last one: {reason}. All tasks are kept in "
            f"{self.store.path}; the same command goes on with what is missing"
        )

    def wait(self, attempt: int, retry_after: float | None) -> float:
        """Seconds until the next try: what the server asks for, else exponential back-off with full jitter."""
        if retry_after is not None:
            return min(retry_after, _LONGEST_RETRY_AFTER)
        return self.jitter.uniform(0.1, min(_LONGEST_WAIT, _FIRST_WAIT * 2**attempt))
