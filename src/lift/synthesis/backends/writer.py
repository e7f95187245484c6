"""A task writer: a LoRA adapter that taught the base model to write tasks, and checks that keep the good ones."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lift.document import Document, Segment
from lift.errors import LiftWarning, RecipeError
from lift.overlap import token_f1
from lift.recipe import Recipe
from lift.synthesis.backends.in_process import InProcessBackend, Job
from lift.synthesis.checks import fault_of, is_grounded, normalised
from lift.synthesis.parser import Pair, PairParser
from lift.synthesis.prompts import Request
from lift.synthesis.usage import Usage
from lift.synthesis.writing import WRITER_VERSION, checker_prompt, view, view_in, writer_prompt
from lift.tasks import StoreIdentity

if TYPE_CHECKING:
    from lift.model import BaseModel
    from lift.overlay import Overlay

__all__ = ["WriterBackend"]

# Samples of a segment's pairs, at most: each asks for all pairs, and the checks keep some of them.
_ROUNDS: Final = 3
# Token F1 between a pair's answer and what the writer answers when it is asked the question.
_LEAST_AGREEMENT: Final = 0.5
_CHECK_TOKENS: Final = 40
# Questions that are checked together.
_CHECK_BATCH: Final = 40

# A fifth to a third of the words of any English text are these, and hardly any of another language's.
_ENGLISH: Final = frozenset("the of and to that was is it for with as on by at from be this are which".split())
_LEAST_ENGLISH: Final = 0.1
_SAMPLE_CHARS: Final = 20_000


@dataclass
class _Draft:
    """The pairs about one segment so far."""

    job: Job
    shown: str
    missing: int
    asked: set[str] = field(default_factory=set)
    cost: Usage = field(default_factory=Usage)

    def fresh(self, text: str) -> Iterator[Pair]:
        """The pairs in `text` that were not asked before and that the rules let pass."""
        for pair in PairParser().feed(text):
            question = normalised(pair.question)
            if question not in self.asked and is_grounded(pair, self.shown) and not fault_of(pair, self.shown):
                self.asked.add(question)
                yield pair


class WriterBackend(InProcessBackend):
    """Writes tasks with the base model and a writer's adapter (`lift writer`), which it wears for a batch.

    Every segment is sampled several times, until it has its number of pairs. A pair is kept if it was not asked
    before, if all its names and numbers occur in the text shown, and if the writer, asked the question with the
    segment before its eyes, answers with about the same words.
    """

    def __init__(self, folder: Path, name: str) -> None:
        super().__init__(batch={"cpu": 16}, batch_elsewhere=64)
        from lift.adapter import read_manifest

        self.name = name
        self._folder = folder
        self._manifest = read_manifest(folder)
        self._overlay: Overlay | None = None
        self._written = self._refused = 0

    def use_model(self, base: BaseModel) -> None:
        """Raises BaseModelMismatchError where the writer was taught on another model."""
        from lift.adapter import check_base_model
        from lift.overlay import Overlay

        check_base_model(base, self._manifest)
        self._overlay = Overlay(self._folder, base.network)
        super().use_model(base)

    def requests(self, document: Document, segments: Sequence[Segment], recipe: Recipe) -> Iterator[Request]:
        if recipe.ask_about != "everything" or recipe.document_share:
            raise RecipeError(f"{self.name} writes about single segments alone: not needles, not document_share")
        if not _is_english(document.text):
            message = f"{document.title}: the writer was taught on English texts; its tasks about others are poor"
            warnings.warn(message, LiftWarning, stacklevel=2)
        for segment in segments:
            yield Request(
                segments=(segment,),
                kind="segment",
                system="",
                user=writer_prompt(view(document, segment, recipe.window_chars), recipe.tasks_per_segment),
                count=recipe.tasks_per_segment,
                max_tokens=recipe.generator_max_tokens,
                temperature=recipe.generator_temperature,
                may_be_empty=True,
            )

    def identity(self, document: Document, recipe: Recipe) -> StoreIdentity:
        weights = self._manifest.files["adapter_model.safetensors"][:12]
        return replace(super().identity(document, recipe), prompt=f"{WRITER_VERSION}-{weights}")

    def notes(self) -> dict[str, int]:
        return {"pairs written": self._written, "pairs written that the check refused": self._refused}

    def answer(self, base: BaseModel, jobs: list[Job]) -> None:
        assert self._overlay
        drafts = [_Draft(job, view_in(job.request.user), job.request.count) for job in jobs]
        for _ in range(_ROUNDS):
            lacking = [draft for draft in drafts if draft.missing and not draft.job.stopped]
            if not lacking:
                break
            # A turn a round, so that training goes on in between.
            with base.undressed(), self._overlay.worn():
                found = self._write(base, lacking)
                agreements = self._agreements(base, found)
            for (draft, pair), agreement in zip(found, agreements, strict=True):
                if agreement < _LEAST_AGREEMENT:
                    self._refused += 1
                elif draft.missing:
                    draft.missing -= 1
                    draft.job.hand_over(json.dumps(pair._asdict()))
            if base.turns.urgent:
                raise InterruptedError("the run ends")
        for draft in drafts:
            if draft.missing == draft.job.request.count:
                draft.job.hand_over('{"pairs": []}')  # a heading, a list of names: nothing to ask
            draft.job.hand_over(draft.cost)

    def _write(self, base: BaseModel, drafts: Sequence[_Draft]) -> list[tuple[_Draft, Pair]]:
        """One sample of pairs for each draft, without those that are no use."""
        from lift.decoding import decode_batch

        chat = base.chat_format("{question}", title="")
        prompts = [chat.prompt_ids(draft.job.request.user) for draft in drafts]
        requests = [draft.job.request for draft in drafts]
        texts = decode_batch(
            base.network,
            base.tokenizer,
            prompts,
            stop_ids=chat.stop_ids,
            max_new_tokens=_room(base, prompts, max(request.max_tokens for request in requests)),
            temperature=requests[0].temperature,
            on_text=lambda row, text: not (drafts[row].job.stopped or base.turns.urgent),
        )
        for draft, prompt, text in zip(drafts, prompts, texts, strict=True):
            written = len(base.tokenizer(text, add_special_tokens=False)["input_ids"])
            draft.cost.add(Usage(len(prompt), completion=written))
        found = [(draft, pair) for draft, text in zip(drafts, texts, strict=True) for pair in draft.fresh(text)]
        self._written += len(found)
        return found

    def _agreements(self, base: BaseModel, found: Sequence[tuple[_Draft, Pair]]) -> list[float]:
        """Token F1 of every pair's answer and the one that the writer gives to its question."""
        from lift.decoding import decode_batch

        chat = base.chat_format("{question}", title="")
        prompts = [chat.prompt_ids(checker_prompt(draft.shown, pair.question)) for draft, pair in found]
        order = sorted(range(len(found)), key=lambda number: len(prompts[number]))
        agreements = [0.0] * len(found)
        for start in range(0, len(order), _CHECK_BATCH):
            if base.turns.urgent:
                break
            batch = order[start : start + _CHECK_BATCH]
            asked = [prompts[number] for number in batch]
            answers = decode_batch(
                base.network,
                base.tokenizer,
                asked,
                stop_ids=chat.stop_ids,
                max_new_tokens=_room(base, asked, _CHECK_TOKENS),
                on_text=lambda row, text: not base.turns.urgent,
            )
            for number, answer in zip(batch, answers, strict=True):
                agreements[number] = token_f1(answer, found[number][1].answer)
        return agreements


def _room(base: BaseModel, prompts: Sequence[Sequence[int]], wanted: int) -> int:
    """Tokens that can be decoded after `prompts`, at most `wanted`."""
    room = base.context_tokens - max(map(len, prompts))
    if room < min(wanted, _CHECK_TOKENS):
        raise ValueError(f"a segment leaves no room in a context window of {base.context_tokens} tokens")
    return min(room, wanted)


def _is_english(text: str) -> bool:
    """Whether the commonest English words are about as common in `text` as they should be."""
    words = re.findall(r"[^\W\d_]+", text[:_SAMPLE_CHARS].lower())
    return sum(word in _ENGLISH for word in words) >= _LEAST_ENGLISH * len(words)
