"""The interface of a generator backend."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import TYPE_CHECKING

from lift.document import Document, Segment
from lift.recipe import Recipe
from lift.splitting import split_document
from lift.synthesis.plan import plan_requests
from lift.synthesis.prompts import PROMPT_VERSION, Request
from lift.synthesis.usage import Usage
from lift.task_store import StoreIdentity

if TYPE_CHECKING:
    from lift.model import BaseModel

__all__ = ["Backend", "RequestError"]

_PROMPT_KNOBS = (
    "tasks_per_segment",
    "quotes_per_segment",
    "ask_about",
    "document_share",
    "window_chars",
    "segment",
    "segment_min_chars",
    "segment_max_chars",
    "splitter",
)


class RequestError(Exception):
    """One request failed; the generator decides what follows.

    Attributes:
        kind: a word or a status code, for counting failures.
        passing: trying again may help (an overload, a lost connection, an answer that makes no sense).
        fatal: no request will ever succeed (a wrong key, an unknown model).
        refused: the server does not understand the request; a simpler one may do.
        overload: fewer requests at a time may help.
        retry_after: seconds that the server asks to wait, if it does.
    """

    def __init__(
        self,
        reason: str,
        *,
        kind: str = "other",
        passing: bool = False,
        fatal: bool = False,
        refused: bool = False,
        overload: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(reason)
        self.kind = kind
        self.passing = passing
        self.fatal = fatal
        self.refused = refused
        self.overload = overload
        self.retry_after = retry_after


class Backend(ABC):
    """A source of answers.

    Attributes:
        name: what the manifest says about where the tasks come from; never a key.
        host: which machine gets to see the document; None where it stays on this one.
        needs_model: it writes with the base model itself, which `use_model` gives it.
        replays: it answers at once and always the same, so training may wait for all tasks.
        quotes: most of its answers are the document's own sentences.
        keeps_time: it keeps to the recipe's `generator_seconds`.
    """

    name: str
    host: str | None = None
    needs_model: bool = False
    replays: bool = False
    quotes: bool = False
    keeps_time: bool = False

    @abstractmethod
    def stream(self, request: Request) -> contextlib.AbstractAsyncContextManager[AsyncIterator[str | Usage]]:
        """The answer to `request`, in pieces as they arrive; leaving the context ends the request.

        An empty piece is a sign of life; a `Usage`, if the backend knows it, says what the request cost.

        Raises:
            RequestError: on entering or while iterating.
        """

    def use_model(self, base: BaseModel) -> None:  # noqa: B027
        """Called once, when the base model is loaded, in another thread than the requests'."""

    async def start(self) -> None:  # noqa: B027  # most backends have nothing to do here
        """Called once, in the event loop that all requests will run in.

        Raises:
            GeneratorUnavailableError: there is no use in asking.
        """

    async def close(self) -> None:  # noqa: B027
        """Called once, after the last request, also where `start` failed."""

    def segments(self, document: Document, recipe: Recipe) -> list[Segment]:
        """The segments to ask about.

        Raises:
            LiftError: it cannot ask about such a document, or not as the recipe says.
        """
        return split_document(document, recipe)

    def requests(self, document: Document, segments: Sequence[Segment], recipe: Recipe) -> Iterator[Request]:
        """Everything to ask about `document`, built one by one."""
        return plan_requests(document, segments, recipe)

    def identity(self, document: Document, recipe: Recipe) -> StoreIdentity:
        """What a store of this backend's tasks is bound to."""
        knobs = {name: getattr(recipe, name) for name in _PROMPT_KNOBS}
        return StoreIdentity(document.sha256, PROMPT_VERSION, {**knobs, "title": document.title})

    def notes(self) -> dict[str, int]:
        """Counts worth telling the user, by what they count."""
        return {}
