"""What the generators that ask for one phrase of a segment after the other have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice

from lift.document import Document, Segment
from lift.errors import DocumentError, RecipeError
from lift.recipe import Recipe
from lift.synthesis.backends.base import Backend
from lift.synthesis.foci import warn_unless_english
from lift.synthesis.parser import Pair
from lift.synthesis.prompts import Request
from lift.synthesis.quotes import Quoter
from lift.task_store import StoreIdentity

__all__ = ["ByPhraseBackend"]


class ByPhraseBackend(Backend):
    """Asks about the phrases of single segments of English prose, or quotes the sentences that they stand in.

    Attributes:
        rules: the version of how it asks and quotes: by another one a segment is asked about again.
    """

    quotes = True
    rules: str
    _quoter: Quoter | None = None

    @abstractmethod
    def shown(self, document: Document, segment: Segment, recipe: Recipe) -> str:
        """What of the document a request about `segment` holds."""

    def segments(self, document: Document, recipe: Recipe) -> list[Segment]:
        """The segments to ask about.

        Raises:
            DocumentError: the document is no prose, so that it has no sentences to ask about.
            RecipeError: the recipe asks for more than questions about single segments.
        """
        if recipe.ask_about != "everything" or recipe.document_share:
            raise RecipeError(f"{self.name} asks about single segments alone: not about needles, no document_share")
        if not document.is_prose:
            raise DocumentError(
                f"{self.name} asks about sentences, and {document.source} has none; name a generator that reads "
                "programs and data (`--generator`)"
            )
        return super().segments(document, recipe)

    def requests(self, document: Document, segments: Sequence[Segment], recipe: Recipe) -> Iterator[Request]:
        """One request a segment; a warning where the document is not in English, whose stop words end phrases."""
        self._quoter = Quoter(document, segments)
        warn_unless_english(document, self.name)
        for segment in segments:
            yield Request(
                segments=(segment,),
                kind="segment",
                system=self.rules,
                user=self.shown(document, segment, recipe),
                count=recipe.tasks_per_segment,
                max_tokens=recipe.generator_max_tokens,
                temperature=recipe.generator_temperature,
                may_be_empty=True,
            )

    def identity(self, document: Document, recipe: Recipe) -> StoreIdentity:
        return replace(super().identity(document, recipe), prompt=self.rules)

    @property
    def quoter(self) -> Quoter:
        """Of the document that `requests` was last called with."""
        if self._quoter is None:
            raise RuntimeError("requests() comes before the first answer")
        return self._quoter

    def quoted(self, segment: Segment, most: int) -> list[Pair]:
        """What the document itself says in `segment`, the best first."""
        return list(islice(self.quoter.pairs(segment), most))
