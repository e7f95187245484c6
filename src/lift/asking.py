"""Questions to a network: prompts that fit its context window, batches, greedy decoding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from lift.chat_format import ChatFormat, Turn
from lift.decoding import CommonStarts, decode_batch
from lift.errors import ModelError
from lift.prefix import shared_prefix
from lift.recitation import split_recited

if TYPE_CHECKING:
    from lift.folding import FoldedLora
    from lift.model import Adapted, BaseModel

__all__ = ["Asker"]

_BATCH: Final = 16
# Prompt tokens decoded together, at most; a longer prompt is decoded alone.
_BATCH_TOKENS: Final = 8192
_CUT_MARK: Final = "\n[...]\n"
# A prefix that questions share is computed once if it is at least this long.
_SHARED_TOKENS: Final = 512


class Asker:
    """Asks a base model, as it is or with one of its adapters, from any thread.

    Answers take turns at the model, since what it has on, it has on for all. Where LoRA can be folded into the weights,
    it is, for the time of an answer: one comes as fast as from the base model, but for the folding, which takes as long
    as a few tokens.

    Args:
        base: the model.
        adapted: what it has on to answer; None is nothing.
        chat_format: how a question is put.
        scale_beside_text: how much of `adapted` counts where text stands before the question.
        recited_tokens: room for the passage that `adapted` was trained to recite before an answer; 0 where it was not.

    Attributes:
        chat_format: as given.
    """

    def __init__(
        self,
        base: BaseModel,
        adapted: Adapted | None,
        chat_format: ChatFormat,
        scale_beside_text: float = 1.0,
        *,
        recited_tokens: int = 0,
    ) -> None:
        self._base = base
        self._adapted = adapted
        self.chat_format = chat_format
        self._scale_beside_text = scale_beside_text
        self._recited_tokens = recited_tokens

    def ask_many(
        self,
        questions: Sequence[str],
        contexts: Sequence[str | None] | None = None,
        *,
        max_new_tokens: int = 256,
        adapter_scale: float | None = None,
        with_passage: bool = False,
    ) -> list[str]:
        """The answers to unrelated questions, decoded greedily, in batches of prompts of like length.

        Args:
            questions: as a user would put them.
            contexts: text to put before each question; what does not fit is cut out of its middle.
            max_new_tokens: limit of each answer; less where the context window has no room.
            adapter_scale: how much of the adapter counts, 0 for the base model; None is as much as `scale` says.
            with_passage: leave what is recited before an answer where it is.

        Raises:
            ModelError: a question alone does not fit.
            AdapterError: `adapter_scale` is negative or not finite.
        """
        contexts = contexts or [None] * len(questions)
        scales = [self.scale(adapter_scale, beside_text=bool(context)) for context in contexts]
        prompts = [
            self.prompt(question, context=context, max_new_tokens=self.limit(max_new_tokens, scale))
            for question, context, scale in zip(questions, contexts, scales, strict=True)
        ]
        answers: dict[int, str] = {}
        # Where nothing was found for some of the questions, these are answered with all of the adapter.
        for scale in dict.fromkeys(scales):
            alike = [number for number, own in enumerate(scales) if own == scale]
            with self.answering(adapter_scale=scale):
                said = self._decode_all([prompts[number] for number in alike], self.limit(max_new_tokens, scale))
            if self.recites(scale) and not with_passage:
                said = [split_recited(answer).answer for answer in said]
            answers.update(zip(alike, said, strict=True))
        return [answers[number] for number in range(len(questions))]

    def recites(self, scale: float) -> bool:
        """Whether a passage comes before an answer, where so much of the adapter counts."""
        return self._recited_tokens > 0 and scale > 0

    def limit(self, max_new_tokens: int, scale: float) -> int:
        """Tokens to decode for an answer of so many: what is recited before it has room of its own."""
        return max_new_tokens + self._recited_tokens if self.recites(scale) else max_new_tokens

    def scale(self, asked: float | None, *, beside_text: bool) -> float:
        """How much of the adapter counts: what was asked for, or else all of it, or less where text is shown."""
        if asked is not None:
            return asked
        return self._scale_beside_text if beside_text else 1.0

    def prompt(
        self, question: str, history: Sequence[Turn] = (), *, context: str | None = None, max_new_tokens: int = 256
    ) -> list[int]:
        """Token ids, with room for the answer: the oldest turns go first, then the middle of `context`.

        Raises:
            ModelError: the question alone does not fit.
        """
        window = self._base.context_tokens
        # A long answer is cut short rather than refused, but not to nothing.
        answer = min(max_new_tokens, window // 4)
        bare = self.chat_format.prompt_ids(question, history)
        while len(bare) + answer > window and history:
            history = history[1:]
            bare = self.chat_format.prompt_ids(question, history)
        if len(bare) + answer > window:
            raise ModelError(
                f"the question has {len(bare)} tokens; it does not fit into the model's context window of {window}"
            )
        if not context:
            return bare
        # Tokens that join differently at the seams may cost a few more.
        room = max(0, window - min(max_new_tokens, window // 2) - len(bare) - 16)
        return self.chat_format.prompt_ids(question, history, context=self._fit(context, room))

    def decode(
        self,
        prompts: Sequence[Sequence[int]],
        max_new_tokens: int,
        *,
        adapter_scale: float = 1.0,
        **options: Any,
    ) -> list[str]:
        """What follows `prompts`, decoded together; `options` are those of `decode_batch`."""
        with self.answering(adapter_scale=adapter_scale):
            return self._decode(prompts, max_new_tokens, **options)

    def _decode(self, prompts: Sequence[Sequence[int]], max_new_tokens: int, **options: Any) -> list[str]:
        return decode_batch(
            self._base.network,
            self._base.tokenizer,
            prompts,
            stop_ids=self.chat_format.stop_ids,
            max_new_tokens=min(max_new_tokens, self._base.context_tokens - max(map(len, prompts))),
            **options,
        )

    @contextmanager
    def answering(self, *, adapter_scale: float = 1.0) -> Iterator[None]:
        """In its turn at the model; within, the adapter is on with LoRA folded, or nothing where none of it counts."""
        # Folding nothing of it would take seconds (bfloat16 `addmm` with a factor of 0).
        adapted = self._adapted if adapter_scale else None
        with self._base.wearing(adapted):
            if adapted is None:
                yield
                return
            folded = self._folded  # before scaling, which has no say in what can be folded
            with self._base.wardrobe.scaled(adapter_scale), folded.answering():
                yield

    @cached_property
    def _folded(self) -> FoldedLora:
        """Made when the adapter is on for the first time."""
        from lift.folding import FoldedLora

        return FoldedLora(self._base.network, lr=None)

    def _decode_all(self, prompts: Sequence[list[int]], max_new_tokens: int) -> list[str]:
        """What follows each of any number of prompts, which batches of like length are made of."""
        shared = shared_prefix([tuple(prompt) for prompt in prompts]) if len(prompts) > 1 else 0
        if shared >= _SHARED_TOKENS:
            return self._after_one_prefix(prompts, shared, max_new_tokens)
        answers: dict[int, str] = {}
        for batch in _batches(prompts):
            decoded = self._decode([prompts[number] for number in batch], max_new_tokens)
            answers.update(zip(batch, decoded, strict=True))
        return [answers[number] for number in range(len(prompts))]

    def _after_one_prefix(self, prompts: Sequence[list[int]], shared: int, max_new_tokens: int) -> list[str]:
        """The answers where all prompts begin alike: that part is computed once."""
        starts = CommonStarts(self._base.network, self._base.tokenizer, [prompts[0][:shared]])
        return [self._decode([prompt], max_new_tokens, starts=starts, begun=[0])[0] for prompt in prompts]

    def _fit(self, text: str, room: int) -> str:
        """As much of `text` as fits into `room` tokens: its head and its tail (the paper's truncated ICL)."""
        tokenizer = self._base.tokenizer
        ids: list[int] = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        if len(ids) <= room:
            return text
        head, tail = -(-room // 2), room // 2
        return f"{tokenizer.decode(ids[:head])}{_CUT_MARK}{tokenizer.decode(ids[len(ids) - tail :])}"


def _batches(prompts: Sequence[Sequence[int]]) -> list[list[int]]:
    """Numbers of prompts, longest first, so many together as `_BATCH` and `_BATCH_TOKENS` allow."""
    batches: list[list[int]] = []
    for number in sorted(range(len(prompts)), key=lambda number: -len(prompts[number])):
        longest = len(prompts[batches[-1][0]]) if batches else 0
        if not batches or len(batches[-1]) == _BATCH or (len(batches[-1]) + 1) * longest > _BATCH_TOKENS:
            batches.append([])
        batches[-1].append(number)
    return batches
