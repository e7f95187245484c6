"""Methods that put text of the document into the context: all that fits, what is retrieved, what is compressed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lift.document import Document
from lift.errors import MissingExtraError
from lift.evaluation.methods.base import Method
from lift.recipe import Recipe
from lift.retrieval import Retriever

__all__ = ["Compressed", "EmbeddingRetrieval", "NoContext", "Retrieval", "TruncatedContext"]

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
        self._retriever = Retriever(document, self.setting.recipe)

    def contexts(self, document: Document, questions: Sequence[str]) -> Sequence[str | None]:
        return [self._retriever(question) for question in questions]


class EmbeddingRetrieval(Retrieval):
    """`embed`: the same with sentence embeddings instead of words."""

    def prepare(self, document: Document) -> None:
        self._retriever = _ByEmbeddings(document, self.setting.recipe, self.setting.helper or _EMBEDDER)


class _ByEmbeddings(Retriever):
    def __init__(self, document: Document, recipe: Recipe, encoder: str) -> None:
        try:
            from sentence_transformers import SentenceTransformer
        except ImportError as error:
            raise MissingExtraError("the method embed", "pip install sentence-transformers", error) from None
        self._encoder = SentenceTransformer(encoder)
        super().__init__(document, recipe)

    def rank(self, question: str, most: int) -> Sequence[int]:
        scores = self._vectors @ self._encoder.encode(question, normalize_embeddings=True)
        return [int(place) for place in scores.argsort()[::-1][:most]]

    def _read(self, texts: Sequence[str]) -> None:
        self._vectors = self._encoder.encode(texts, normalize_embeddings=True)


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
