"""What a document, or what is told of it, says about a question: what shares most words with it (BM25)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from lift.document import Document
from lift.recipe import Recipe
from lift.splitting import split_document
from lift.task_store import text_hash

__all__ = ["Recall", "Retriever", "WordIndex"]

# Of two letters or digits at least; of Chinese and Japanese, which have no spaces, each sign.
_WORD: Final = r"(?u)[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]{2,}"
# Shown on either side of a segment that fits.
_NEIGHBOURS: Final = 1


class WordIndex:
    """Finds the texts that share most words with another (BM25; of English words their stems).

    Args:
        texts: where to look.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        import bm25s

        self._size = len(texts)
        self._index = bm25s.BM25()
        self._index.index(self._words(texts), show_progress=False)

    def rank(self, text: str, most: int) -> list[int]:
        """Numbers of at most so many texts that fit `text` best; none that has no word of it."""
        places, scores = self._index.retrieve(self._words(text), k=min(most, self._size), show_progress=False)
        return [int(place) for place, score in zip(places[0], scores[0], strict=True) if score > 0]

    @staticmethod
    def _words(texts: str | Sequence[str]) -> Any:
        import bm25s
        from Stemmer import Stemmer

        return bm25s.tokenize(
            texts, token_pattern=_WORD, stopwords="en", stemmer=Stemmer("english"), show_progress=False
        )


class Retriever:
    """Finds in a document what to show with a question; a `context` of `LiftedModel.ask`.

    Args:
        document: where to look.
        recipe: how it is cut into segments, and how many of them are shown; None is the default recipe.
        told: what was asked and answered about segments, by `text_hash` of their text (`told_of_texts`). They are found
            by these words as well as by their own (Nogueira et al., arXiv 1904.08375), and shown with them.
    """

    def __init__(
        self,
        document: Document,
        recipe: Recipe | None = None,
        told: Mapping[str, Sequence[str]] = MappingProxyType({}),
    ) -> None:
        recipe = recipe or Recipe()
        self.segments = [segment.text for segment in split_document(document, recipe)]
        self._told = [told.get(text_hash(text), ()) for text in self.segments]
        self._most = recipe.retrieved_segments
        self._read([" ".join((text, *more)) for text, more in zip(self.segments, self._told, strict=True)])

    def __call__(self, question: str) -> str:
        """The segments that fit `question` best, with their neighbours, in the document's order, then what is told.

        A line each; empty where no segment has a word of it.
        """
        best = sorted(self.rank(question, self._most))
        near = {place + step for place in best for step in range(-_NEIGHBOURS, _NEIGHBOURS + 1)}
        shown = [self.segments[place] for place in sorted(near) if 0 <= place < len(self.segments)]
        return _lines([*shown, *(line for place in best for line in self._told[place])])

    def rank(self, question: str, most: int) -> Sequence[int]:
        """Numbers of at most so many segments that fit `question` best."""
        return self._index.rank(question, most)

    def _read(self, texts: Sequence[str]) -> None:
        self._index = WordIndex(texts)


class Recall:
    """Finds among a model's own tasks what to show with a question; a `context` that needs no document.

    Args:
        told: what was asked and answered about each of the document's segments; of one at least.
        most: of how many segments it is shown.
    """

    def __init__(self, told: Iterable[Sequence[str]], most: int) -> None:
        self._told = list(told)
        self._most = most
        self._index = WordIndex([" ".join(lines) for lines in self._told])

    def __call__(self, question: str) -> str:
        """What fits `question` best, a task a line; empty where none has a word of it."""
        return _lines(line for place in self._index.rank(question, self._most) for line in self._told[place])


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(dict.fromkeys(lines))
