"""A task writer: a LoRA adapter that taught the base model to write tasks, and checks that keep the good ones."""

from __future__ import annotations

import json
import math
import time
from collections import Counter
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lift.document import Document, Segment
from lift.recipe import Recipe
from lift.sentences import find_sentences
from lift.synthesis.backends.by_phrase import requests_by_phrase
from lift.synthesis.backends.in_process import InProcessBackend, Job
from lift.synthesis.checks import fault_of, follows_text, is_grounded, known_share, normalised
from lift.synthesis.foci import mentions
from lift.synthesis.parser import Pair
from lift.synthesis.prompts import Request
from lift.synthesis.quotes import QUOTES_VERSION, Quoter
from lift.synthesis.usage import Usage
from lift.synthesis.writing import WRITER_VERSION, answer_prompt, ask_prompt, foci_of, title_in, view
from lift.task_store import StoreIdentity

if TYPE_CHECKING:
    import torch

    from lift.chat_format import ChatFormat
    from lift.model import BaseModel
    from lift.overlay import Overlay
    from lift.synthesis.naming import NameGuard

__all__ = ["WriterBackend"]

# More foci than pairs are wanted at first, since the checks refuse some pairs.
_SPARE_FOCI: Final = 3
# Shares of their words that questions and answers must have from the text.
_KNOWN_OF_QUESTION: Final = 0.7
_KNOWN_OF_ANSWER: Final = 0.85
_QUESTION_TOKENS: Final = 48
_ANSWER_TOKENS: Final = 48
# How many foci a segment are asked for in a run against the clock before it is known how long they take.
_FIRST_FOCI: Final = 2
# Prompts decoded together, by the device's type.
_ROWS: Final = {"cpu": 128}
_ROWS_ELSEWHERE: Final = 384


@dataclass
class _Draft:
    """The pairs about one segment so far.

    Attributes:
        shown: what the writer sees of the document.
        own: the title and the segment: where the names of a question must come from. The other names that it sees
            are for the answers' pronouns; in questions they are mostly wrong.
        sentences: of the segment.
        foci: what to ask for, the best first.
        missing: pairs wanted still.
        tried: foci asked for so far.
        asked: questions so far.
        cost: tokens so far.
    """

    job: Job
    shown: str
    own: str
    sentences: Sequence[str]
    foci: Sequence[str]
    missing: int
    tried: int = 0
    asked: set[str] = field(default_factory=set)
    cost: Usage = field(default_factory=Usage)

    def next_foci(self, most: int | None = None) -> Sequence[str]:
        """What to ask for now, at most so many; nothing once all pairs are there or every focus has been asked for."""
        if self.job.stopped or not self.missing:
            return []
        chosen = self.foci[self.tried :][: self.missing + _SPARE_FOCI][:most]
        self.tried += len(chosen)
        return chosen

    def fault_of_question(self, question: str, focus: str) -> str | None:
        """Why the question is no use, by rules."""
        if not question.endswith("?"):
            return "not a question"
        if normalised(question) in self.asked:
            return "asked before"
        if mentions(question, focus):
            return "does not ask for its focus"
        if not is_grounded(Pair(question, ""), self.own) or known_share(question, self.shown) < _KNOWN_OF_QUESTION:
            return "asks about what the text does not have"
        return None

    def fault_of_answer(self, pair: Pair, focus: str) -> str | None:
        """Why the pair is no use, now that it has an answer."""
        if not mentions(pair.answer, focus):
            return "the answer is not what was asked for"
        grounded = is_grounded(pair, self.shown) and known_share(pair.answer, self.shown) >= _KNOWN_OF_ANSWER
        if not grounded or fault_of(pair, self.shown, self.own):
            return "says what the text does not"
        return None if follows_text(pair, self.sentences, title_in(self.shown)) else "says what no sentence says"


@dataclass(frozen=True)
class _Question:
    """A question that was written for a focus."""

    draft: _Draft
    focus: str
    text: str


class WriterBackend(InProcessBackend):
    """Writes tasks with the base model and a writer's adapter (`lift writer`), which it wears for a batch.

    It asks for one phrase of a segment after the other, until the segment has its number of pairs. The writer makes a
    question of each, without names and numbers of elsewhere, then answers it with the segment before its eyes. The
    pair is kept if the phrase is in the answer and not in the question, if all names and numbers and nearly all words
    are the text's, and if it was not asked before. What is missing then is quoted from the text (`Quoter`): this makes
    most of the tasks. Against the clock (`generator_seconds`) every segment gets its share of the time.
    """

    quotes = True
    keeps_time = True

    def __init__(self, folder: Path, name: str) -> None:
        super().__init__(batch={"cpu": 16}, batch_elsewhere=64)
        from lift.adapter import read_manifest

        self.name = name
        self._folder = folder
        self._manifest = read_manifest(folder)
        self._overlay: Overlay | None = None
        self._guard: NameGuard | None = None
        self._quoter = Quoter("", ())
        self._quoted = 0
        self._seconds_a_segment = math.inf
        self._seconds_a_focus: float | None = None
        self._dropped: Counter[str] = Counter()

    def use_model(self, base: BaseModel) -> None:
        """Raises BaseModelMismatchError where the writer was taught on another model."""
        from lift.adapter import check_base_model
        from lift.overlay import Overlay
        from lift.synthesis.naming import NameGuard

        check_base_model(base, self._manifest)
        self._overlay = Overlay(self._folder, base.network)
        self._guard = NameGuard(base.tokenizer)
        super().use_model(base)

    def requests(self, document: Document, segments: Sequence[Segment], recipe: Recipe) -> Iterator[Request]:
        self._quoter = Quoter(document.title, segments)
        if recipe.generator_seconds is not None:
            self._seconds_a_segment = recipe.generator_seconds / max(1, len(segments))
        return requests_by_phrase(
            self.name, document, segments, recipe, lambda segment: view(document, segment, recipe.window_chars)
        )

    def identity(self, document: Document, recipe: Recipe) -> StoreIdentity:
        weights = self._manifest.files["adapter_model.safetensors"][:12]
        return replace(super().identity(document, recipe), prompt=f"{WRITER_VERSION}-{weights}-{QUOTES_VERSION}")

    def notes(self) -> dict[str, int]:
        dropped = {f"pairs dropped by the writer: {fault}": count for fault, count in sorted(self._dropped.items())}
        return {"pairs that quote the text": self._quoted, **dropped}

    def answer(self, base: BaseModel, jobs: list[Job]) -> None:
        assert self._overlay
        chat = base.chat_format("{question}", title="")
        drafts = [_draft(job, self._quoter.names) for job in jobs]
        ends = time.monotonic() + self._seconds_a_segment * len(jobs)
        while asked := self._next_foci(drafts, ends - time.monotonic()):
            begun = time.monotonic()
            # A turn at a time, so that nobody waits long who computes with the model as well.
            with base.undressed(), self._overlay.worn():
                questions = self._ask(base, chat, asked)
                answers = self._answers(base, chat, questions)
            self._seconds_a_focus = (time.monotonic() - begun) / len(asked)
            for question, answer in zip(questions, answers, strict=True):
                self._take(question, answer)
        for draft in drafts:
            quotes = self._quotes(draft)
            if not quotes and draft.missing == draft.job.request.count:
                draft.job.hand_over('{"pairs": []}')  # a heading, a list of names: nothing to ask
            for pair in quotes:
                draft.job.hand_over(json.dumps(pair._asdict()))
            draft.job.hand_over(draft.cost)

    def _next_foci(self, drafts: Sequence[_Draft], seconds: float) -> list[tuple[_Draft, str]]:
        """What to ask for now, no more than can be asked and answered in so many seconds."""
        open_drafts = [draft for draft in drafts if draft.missing]
        if seconds == math.inf or not open_drafts:
            most = None
        elif self._seconds_a_focus is None:
            most = _FIRST_FOCI if seconds > 0 else 0
        else:
            most = max(0, int(seconds / self._seconds_a_focus / len(open_drafts)))
        return [(draft, focus) for draft in open_drafts for focus in draft.next_foci(most)]

    def _quotes(self, draft: _Draft) -> list[Pair]:
        """What the document itself says, in the place of the pairs that the writer could not bring about."""
        (segment,) = draft.job.request.segments
        quotes = list(islice(self._quoter.pairs(segment), draft.missing))
        self._quoted += len(quotes)
        return quotes

    def _ask(self, base: BaseModel, chat: ChatFormat, asked: Sequence[tuple[_Draft, str]]) -> list[_Question]:
        """A question for each focus, without those that are no use."""
        assert self._guard
        drafts = [draft for draft, _ in asked]
        prompts = [chat.prompt_ids(ask_prompt(draft.shown, focus)) for draft, focus in asked]
        barred = {own: self._guard.barred(own) for own in {draft.own for draft in drafts}}
        texts = _decode(base, chat, drafts, prompts, _QUESTION_TOKENS, [barred[draft.own] for draft in drafts])
        questions = []
        for (draft, focus), text in zip(asked, texts, strict=True):
            fault = draft.fault_of_question(text, focus)
            if fault:
                self._dropped[fault] += 1
            else:
                draft.asked.add(normalised(text))
                questions.append(_Question(draft, focus, text))
        return questions

    def _answers(self, base: BaseModel, chat: ChatFormat, questions: Sequence[_Question]) -> list[str]:
        if not questions:
            return []
        prompts = [chat.prompt_ids(answer_prompt(question.draft.shown, question.text)) for question in questions]
        return _decode(base, chat, [question.draft for question in questions], prompts, _ANSWER_TOKENS)

    def _take(self, question: _Question, answer: str) -> None:
        """Hand the pair over if its answer is what was asked for."""
        draft, pair = question.draft, Pair(question.text, answer)
        fault = draft.fault_of_answer(pair, question.focus) if answer else "no answer"
        if fault:
            self._dropped[fault] += 1
        elif draft.missing:
            draft.missing -= 1
            draft.job.hand_over(json.dumps(pair._asdict()))


def _draft(job: Job, names: Container[str]) -> _Draft:
    (segment,) = job.request.segments
    shown = job.request.user
    sentences = [sentence for _, sentence in find_sentences(segment.text)]
    own = f"{title_in(shown)} {segment.text}"
    return _Draft(job, shown, own, sentences, foci_of(sentences, names), job.request.count)


def _decode(
    base: BaseModel,
    chat: ChatFormat,
    drafts: Sequence[_Draft],
    prompts: Sequence[list[int]],
    max_new_tokens: int,
    barred: Sequence[torch.Tensor] = (),
) -> list[str]:
    """What follows the prompts, one for each of `drafts`; in a batch the view of a segment is computed once.

    Args:
        barred: for each prompt, tokens that are left out; or none at all.
    """
    from lift.decoding import decode_batch

    texts: list[str] = []
    rows = _ROWS.get(base.device.type, _ROWS_ELSEWHERE)
    for start in range(0, len(prompts), rows):
        batch, owners = prompts[start : start + rows], drafts[start : start + rows]
        texts += decode_batch(
            base.network,
            base.tokenizer,
            batch,
            stop_ids=chat.stop_ids,
            max_new_tokens=_room(base, batch, max_new_tokens),
            families=[id(draft) for draft in owners],
            barred=barred[start : start + rows],
            on_text=lambda row, text: not base.turns.urgent,
        )
        if base.turns.urgent:
            raise InterruptedError("the run ends")
    for draft, prompt, text in zip(drafts, prompts, texts, strict=True):
        draft.cost.add(Usage(len(prompt), completion=len(base.tokenizer(text, add_special_tokens=False)["input_ids"])))
    return texts


def _room(base: BaseModel, prompts: Sequence[Sequence[int]], wanted: int) -> int:
    """Tokens that can be decoded after `prompts`, at most `wanted`."""
    room = base.context_tokens - max(map(len, prompts))
    if room < min(wanted, _QUESTION_TOKENS):
        raise ValueError(f"a segment leaves no room in a context window of {base.context_tokens} tokens")
    return min(room, wanted)
