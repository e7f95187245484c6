"""Methods that put text of the document into the context: all that fits, what is retrieved, what is compressed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from lift.document import Document
from lift.errors import MissingExtraError
from lift.evaluation.methods.base import Method
from lift.splitting import split_document

__all__ = ["Compressed", "EmbeddingRetrieval", "NoContext", "Retrieval", "TruncatedContext"]

# Segments shown with a question, and the neighbours of each.
_RETRIEVED: Final = 5
_NEIGHBOURS: Final = 1
_EMBEDDER: Final = "sentence-transformers/all-MiniLM-L6-v2"
_COMPRESSOR: Final = "microsoft/llmlingua-2-bert-base-multilingual-cased-meetingbank"


class NoContext(Method):
    """`base`: what the model knows by itself."""

    def prepare(self, document: Document) -> None:
        pass

    def contexts(self, document: Document, questions: Sequence[str]) -> Sequence[str | None]:
        return [None] * len(questions)


class TruncatedContext(NoContext):
    """`icl`: the document in the context; where it does not fit, its head and its tail."""

    def contexts(self, document: Document, questions: Sequence[str]) -> Sequence[str | None]:
        return [document.text] * len(questions)


class Retrieval(Method):
    """`rag`: the segments that share most with the question (BM25), with their neighbours, in the document's order."""

    def prepare(self, document: Document) -> None:
        import bm25s

        self._segments = [segment.text for segment in split_document(document, self.setting.recipe)]
        self._index = bm25s.BM25()
        self._index.index(bm25s.tokenize(self._segments, stopwords="en", show_progress=False), show_progress=False)

    def contexts(self, document: Document, questions: Sequence[str]) -> Sequence[str | None]:
        return [self._context(question) for question in questions]

    def rank(self, question: str, most: int) -> Sequence[int]:
        """Numbers of the `most` segments that fit `question` best."""
        import bm25s

        query: Any = bm25s.tokenize(question, stopwords="en", show_progress=False)
        return [int(place) for place in self._index.retrieve(query, k=most, show_progress=False)[0][0]]

    def _context(self, question: str) -> str:
        shown: set[int] = set()
        for place in self.rank(question, min(_RETRIEVED, len(self._segments))):
            shown |= set(range(place - _NEIGHBOURS, place + _NEIGHBOURS + 1))
        return "\n".join(self._segments[place] for place in sorted(shown) if 0 <= place < len(self._segments))


class EmbeddingRetrieval(Retrieval):
    """`embed`: the same with sentence embeddings instead of words."""

    def prepare(self, document: Document) -> None:
        try:
            from sentence_transformers import SentenceTransformer
        except ImportError as error:
            raise MissingExtraError("the method embed", "pip install sentence-transformers", error) from None
        self._segments = [segment.text for segment in split_document(document, self.setting.recipe)]
        self._encoder = SentenceTransformer(self.setting.helper or _EMBEDDER)
        self._vectors = self._encoder.encode(self._segments, normalize_embeddings=True)

    def rank(self, question: str, most: int) -> Sequence[int]:
        scores = self._vectors @ self._encoder.encode(question, normalize_embeddings=True)
        return [int(place) for place in scores.argsort()[::-1][:most]]


class Compressed(NoContext):
    """`llmlingua`: the document compressed by LLMLingua 2 until it fits into half of the context window."""

    def prepare(self, document: Document) -> None:
        try:
            from llmlingua import PromptCompressor
        except ImportError as error:
            raise MissingExtraError("the method llmlingua", "pip install llmlingua", error) from None
        name, device = self.setting.helper or _COMPRESSOR, self.setting.base.device.type
        compressor = PromptCompressor(name, use_llmlingua2=True, device_map=device)
        target = self.setting.base.context_tokens // 2
        self._text: str = compressor.compress_prompt(document.text, target_token=target)["compressed_prompt"]

    def contexts(self, document: Document, questions: Sequence[str]) -> Sequence[str | None]:
        return [self._text] * len(questions)
