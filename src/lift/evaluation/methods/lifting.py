"""LIFT itself, alone and with the text, or what retrieval finds of it, in the context too."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lift.adapter import MANIFEST_FILE
from lift.chat import load
from lift.document import Document
from lift.evaluation.methods.base import Method
from lift.pipeline import absorb

__all__ = ["Lift", "LiftWithContext", "LiftWithRecall", "LiftWithRetrieval"]


class Lift(Method):
    """`lift`: absorb the document, then answer without it."""

    def prepare(self, document: Document) -> None:
        setting = self.setting
        folder = setting.folder / "adapter"
        if (folder / MANIFEST_FILE).exists():
            lifted = load(folder, model=setting.base)
        else:
            lifted = absorb(
                document,
                generator=setting.generator,
                model=setting.base,
                recipe=setting.recipe,
                out=folder,
                on_progress=setting.on_progress,
            )
        self._lifted, self.adapted = lifted, lifted.adapted
        self.scale_beside_text, self.recited_tokens = lifted.manifest.scale_beside_text, lifted.manifest.recited_tokens
        counts, seconds = lifted.manifest.counts, lifted.manifest.seconds
        self.costs = {name: counts[name] for name in ("tasks", "steps", "tokens")}
        self.costs |= {"generation_seconds": seconds["generation"], "training_seconds": seconds["training"]}
        # The run's own time, also where another method's adapter is used again.
        self.costs["prepare_seconds"] = seconds["total"]

    def contexts(self, document: Document, questions: Sequence[str]) -> Sequence[str | None]:
        return [None] * len(questions)


class LiftWithContext(Lift):
    """`lift+icl`: the same, with as much of the document in the context as fits."""

    def contexts(self, document: Document, questions: Sequence[str]) -> Sequence[str | None]:
        return [document.text] * len(questions)


class LiftWithRetrieval(Lift):
    """`lift+rag`: the same, with what the document and its tasks say about the question in the context."""

    def prepare(self, document: Document) -> None:
        super().prepare(document)
        self._find = self._finder(document)

    def _finder(self, document: Document) -> Callable[[str], str]:
        return self._lifted.retriever(document, self.setting.recipe)

    def contexts(self, document: Document, questions: Sequence[str]) -> Sequence[str | None]:
        return [self._find(question) for question in questions]


class LiftWithRecall(LiftWithRetrieval):
    """`lift+recall`: the same with what its tasks say alone."""

    def _finder(self, document: Document) -> Callable[[str], str]:
        return self._lifted.retriever(recipe=self.setting.recipe)
