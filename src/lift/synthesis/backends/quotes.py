"""No model at all as the generator: questions for phrases, answered with the document's own sentences."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator

from lift.document import Document, Segment
from lift.recipe import Recipe
from lift.synthesis.backends.by_phrase import ByPhraseBackend
from lift.synthesis.prompts import Request
from lift.synthesis.quotes import QUOTES_VERSION
from lift.synthesis.usage import Usage

__all__ = ["QuotesBackend"]


class QuotesBackend(ByPhraseBackend):
    """Tasks by rules (`Quoter`), for any base model, at once."""

    name = "quotes"
    rules = QUOTES_VERSION
    replays = True

    def shown(self, document: Document, segment: Segment, recipe: Recipe) -> str:
        return segment.text

    @contextlib.asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[AsyncIterator[str | Usage]]:
        yield self._pieces(request)

    async def _pieces(self, request: Request) -> AsyncIterator[str | Usage]:
        (segment,) = request.segments
        yield json.dumps({"pairs": [pair._asdict() for pair in self.quoted(segment, request.count)]})
