"""No model at all as the generator: questions for phrases, answered with the document's own sentences."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from itertools import islice

from lift.document import Document, Segment
from lift.recipe import Recipe
from lift.synthesis.backends.base import Backend
from lift.synthesis.backends.by_phrase import check_can_ask, requests_by_phrase
from lift.synthesis.prompts import Request
from lift.synthesis.quotes import QUOTES_VERSION, Quoter
from lift.synthesis.usage import Usage
from lift.task_store import StoreIdentity

__all__ = ["QuotesBackend"]


class QuotesBackend(Backend):
    """Tasks by rules (`Quoter`), for any base model, at once."""

    name = "quotes"
    replays = True
    quotes = True

    def __init__(self) -> None:
        self._quoter: Quoter | None = None

    def segments(self, document: Document, recipe: Recipe) -> list[Segment]:
        check_can_ask(self.name, document, recipe)
        return super().segments(document, recipe)

    def requests(self, document: Document, segments: Sequence[Segment], recipe: Recipe) -> Iterator[Request]:
        self._quoter = Quoter(document, segments)
        return requests_by_phrase(self.name, QUOTES_VERSION, document, segments, recipe, lambda segment: segment.text)

    def identity(self, document: Document, recipe: Recipe) -> StoreIdentity:
        return replace(super().identity(document, recipe), prompt=QUOTES_VERSION)

    @contextlib.asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[AsyncIterator[str | Usage]]:
        yield self._pieces(request)

    async def _pieces(self, request: Request) -> AsyncIterator[str | Usage]:
        assert self._quoter
        (segment,) = request.segments
        pairs = [pair._asdict() for pair in islice(self._quoter.pairs(segment), request.count)]
        yield json.dumps({"pairs": pairs})
