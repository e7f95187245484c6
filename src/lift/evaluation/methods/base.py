"""The interface of a method: it prepares for a document, then answers questions about it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lift.asking import Asker
from lift.document import Document
from lift.progress import Progress
from lift.recipe import Recipe

if TYPE_CHECKING:
    from lift.model import Adapted, BaseModel
    from lift.synthesis.backends import Backend

__all__ = ["Method", "Setting"]


@dataclass(frozen=True)
class Setting:
    """What every method gets.

    Attributes:
        base: the base model, loaded once.
        recipe: of whatever is trained; its seed too.
        generator: who writes tasks about a document.
        folder: for the state of a run that may be interrupted.
        max_new_tokens: room for an answer.
        helper: the method's own model, by a hub name or a folder; None is its default.
        adapter_scale: how much of what was trained counts in answers; None is as much as in `lift ask`.
        on_progress: told how far training is, a few times a second.
    """

    base: BaseModel
    recipe: Recipe
    generator: str | Backend
    folder: Path
    max_new_tokens: int
    helper: str | None = None
    adapter_scale: float | None = None
    on_progress: Callable[[Progress], None] = lambda progress: None


class Method(ABC):
    """One way of answering questions about a document.

    Attributes:
        costs: what `prepare` cost: steps, tokens, tasks, where there is something to tell; `prepare_seconds` where
            it is not what the clock says.
        adapted: the method's adapter; None where the base model answers.
        scale_beside_text: how much of it counts where text is shown with a question.
        recited_tokens: room for the passage that it recites before an answer.
    """

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.costs: dict[str, Any] = {}
        self.adapted: Adapted | None = None
        self.scale_beside_text = 1.0
        self.recited_tokens = 0

    @abstractmethod
    def prepare(self, document: Document) -> None:
        """Learn, index or read `document`."""

    @abstractmethod
    def contexts(self, document: Document, questions: Sequence[str]) -> Sequence[str | None]:
        """The text shown with each question."""

    def answer(self, document: Document, questions: Sequence[str]) -> list[str]:
        """Answers, decoded greedily with the one prompt that all methods share."""
        asker = self._asker(self.setting.recipe.prompt_template, document.title)
        return asker.ask_many(
            questions,
            self.contexts(document, questions),
            max_new_tokens=self.setting.max_new_tokens,
            adapter_scale=self.setting.adapter_scale,
        )

    def decoder(self, document: Document, question: str) -> Callable[[int], object]:
        """A function that answers `question` with exactly so many tokens."""
        asker = self._asker(self.setting.recipe.prompt_template, document.title)
        (context,) = self.contexts(document, [question])
        scale = asker.scale(self.setting.adapter_scale, beside_text=bool(context))

        def decode(tokens: int) -> object:
            prompt = asker.prompt(question, context=context, max_new_tokens=tokens)
            return asker.decode([prompt], tokens, adapter_scale=scale, min_new_tokens=tokens)

        return decode

    def ask_plainly(self, questions: Sequence[str]) -> list[str]:
        """Answers to questions that have nothing to do with a document, asked without its title or text."""
        return self._asker("{question}", "").ask_many(
            questions, max_new_tokens=self.setting.max_new_tokens, adapter_scale=self.setting.adapter_scale
        )

    def answering_plainly(self) -> AbstractContextManager[None]:
        """Within, the network is as it is for `ask_plainly`."""
        asker = self._asker("{question}", "")
        return asker.answering(adapter_scale=asker.scale(self.setting.adapter_scale, beside_text=False))

    def _asker(self, prompt_template: str, title: str) -> Asker:
        base = self.setting.base
        chat_format = base.chat_format(prompt_template, title)
        return Asker(base, self.adapted, chat_format, self.scale_beside_text, recited_tokens=self.recited_tokens)

    def close(self) -> None:
        """Leave the base model as it was."""
        if self.adapted is not None:
            self.setting.base.take_off(self.adapted)
            self.adapted = None
