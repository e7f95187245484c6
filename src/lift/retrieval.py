"""What a document says about a question: the segments that share most words with it (BM25)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from lift.document import Document
from lift.recipe import Recipe
from lift.splitting import split_document

__all__ = ["Retriever"]

# Segments shown with a question, and the neighbours of each.
_RETRIEVED: Final = 5
_NEIGHBOURS: Final = 1


class Retriever:
    """Finds what to show with a question; the `context` of `LiftedModel.ask`.

    Args:
        document: where to look.
        recipe: how it is cut into segments; None is the default recipe.
    """

    def __init__(self, document: Document, recipe: Recipe | None = None) -> None:
        self.segments = [segment.text for segment in split_document(document, recipe or Recipe())]
        self._read()

    def __call__(self, question: str) -> str:
        """The segments that fit `question` best, with their neighbours, in the document's order, a line each."""
        shown: set[int] = set()
        for place in self.rank(question, min(_RETRIEVED, len(self.segments))):
            shown |= set(range(place - _NEIGHBOURS, place + _NEIGHBOURS + 1))
        return "\n".join(self.segments[place] for place in sorted(shown) if 0 <= place < len(self.segments))

    def rank(self, question: str, most: int) -> Sequence[int]:
        """Numbers of the `most` segments that fit `question` best."""
        import bm25s

        query: Any = bm25s.tokenize(question, stopwords="en", show_progress=False)
        return [int(place) for place in self._index.retrieve(query, k=most, show_progress=False)[0][0]]

    def _read(self) -> None:
        import bm25s

        self._index = bm25s.BM25()
        self._index.index(bm25s.tokenize(self.segments, stopwords="en", show_progress=False), show_progress=False)
