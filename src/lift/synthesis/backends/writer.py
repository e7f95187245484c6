"""A task writer: a LoRA adapter that taught the base model to write tasks, and checks that keep the good ones."""

from __future__ import annotations

import json
import math
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lift.document import Document, Segment
from lift.errors import AdapterError
from lift.prefix import shared_prefix
from lift.recipe import Recipe
from lift.synthesis.backends.by_phrase import ByPhraseBackend
from lift.synthesis.backends.drafts import ASKED_BEFORE, DRAFTS_VERSION, Draft
from lift.synthesis.backends.in_process import InProcessBackend, Job
from lift.synthesis.checks import normalised
from lift.synthesis.parser import Pair
from lift.synthesis.prompts import Request
from lift.synthesis.quotes import QUOTES_VERSION
from lift.synthesis.spelling import respelled
from lift.synthesis.usage import Usage
from lift.synthesis.writing import WRITER_PREFIX, WRITER_VERSION, answer_prompt, ask_prompt, view

if TYPE_CHECKING:
    import torch

    from lift.asking import Asker
    from lift.chat_format import ChatFormat
    from lift.model import BaseModel
    from lift.synthesis.naming import NameGuard

__all__ = ["WriterBackend"]

_QUESTION_TOKENS: Final = 48
_ANSWER_TOKENS: Final = 48
# How many foci a segment are asked for in a run against the clock before it is known how long they take.
_FIRST_FOCI: Final = 2
# Questions a segment that are answered with their sentences; a third of them is bad (docs/benchmarks.md).
_MOST_TOLD: Final = 2
# Prompts decoded together, by the device's type.
_ROWS: Final = {"cpu": 128}
_ROWS_ELSEWHERE: Final = 384


@dataclass(frozen=True)
class _Question:
    """A question that was written for a focus, or for several."""

    draft: Draft
    text: str
    foci: list[str]


class WriterBackend(ByPhraseBackend, InProcessBackend):
    """Writes tasks with the base model and a writer's adapter (`lift writer`), which is on for a batch.

    It asks for one phrase of a segment after the other, until the segment has its number of pairs. The writer makes a
    question of each, without names and numbers of elsewhere, then answers it with the segment before its eyes. The
    pair is kept if the phrase is in the answer and not in the question, if all names and numbers and nearly all words
    are the text's, and if it was not asked before. A question or two whose answers are no use, but come of the phrase's
    sentence, are answered with this sentence. What is missing then is quoted from the text (`Quoter`): this makes half
    of the tasks. Against the clock (`generator_seconds`) every segment gets its share of the time.
    """

    keeps_time = True

    def __init__(self, folder: Path, name: str) -> None:
        super().__init__(batch={"cpu": 16}, batch_elsewhere=64)
        from lift.adapter import read_manifest

        self.name = name
        self._folder = folder
        self._manifest = read_manifest(folder)
        taught = str(self._manifest.document["sha256"])
        if not taught.startswith(WRITER_PREFIX):
            raise AdapterError(
                f"{folder} is no task writer: it knows a document. `lift writer` teaches a model to write"
            )
        if taught != WRITER_VERSION:
            raise AdapterError(f"{folder} was taught with another lift's prompts; teach it again (`lift writer`)")
        weights = self._manifest.files["adapter_model.safetensors"][:12]
        self.rules = f"{WRITER_VERSION}-{weights}-{DRAFTS_VERSION}-{QUOTES_VERSION}"
        self._asker: Asker | None = None
        self._guard: NameGuard | None = None
        self._told = self._quoted = 0
        self._seconds_a_segment = math.inf
        self._seconds_a_focus: float | None = None
        self._dropped: Counter[str] = Counter()

    def use_model(self, base: BaseModel) -> None:
        """Raises BaseModelMismatchError where the writer was taught on another model."""
        from lift.adapter import check_base_model, load_adapter
        from lift.asking import Asker
        from lift.synthesis.naming import NameGuard

        check_base_model(base, self._manifest)
        self._asker = Asker(base, load_adapter(base, self._folder), base.chat_format("{question}", title=""))
        self._guard = NameGuard(base.tokenizer)
        super().use_model(base)

    def requests(self, document: Document, segments: Sequence[Segment], recipe: Recipe) -> Iterator[Request]:
        if recipe.generator_seconds is not None:
            self._seconds_a_segment = recipe.generator_seconds / max(1, len(segments))
        return super().requests(document, segments, recipe)

    def shown(self, document: Document, segment: Segment, recipe: Recipe) -> str:
        return view(document, segment, recipe.window_chars)

    def notes(self) -> dict[str, int]:
        dropped = {f"pairs dropped by the writer: {fault}": count for fault, count in sorted(self._dropped.items())}
        told = {"questions answered with their sentences": self._told} if self._told else {}
        return {"pairs that quote the text": self._quoted, **told, **dropped}

    def answer(self, base: BaseModel, jobs: list[Job]) -> None:
        assert self._asker
        drafts = list(map(self._draft, jobs))
        reader: _Reader | None = None
        ends = time.monotonic() + self._seconds_a_segment * len(jobs)
        while asked := self._next_foci(drafts, ends - time.monotonic()):
            begun = time.monotonic()
            # A turn at a time, so that nobody waits long who computes with the model as well.
            with self._asker.answering():
                reader = reader or _Reader(base, self._asker.chat_format, [draft for draft in drafts if draft.foci])
                questions = self._ask(reader, asked)
                answers = reader.write(
                    [question.draft for question in questions],
                    [answer_prompt(question.draft.shown, question.text) for question in questions],
                    _ANSWER_TOKENS,
                )
            self._seconds_a_focus = (time.monotonic() - begun) / len(asked)
            for question, answer in zip(questions, answers, strict=True):
                self._take(question, answer)
        for draft in drafts:
            pairs = self._from_text(draft)
            if not pairs and draft.missing == draft.job.request.count:
                draft.job.hand_over('{"pairs": []}')  # a heading, a list of names: nothing to ask
            for pair in pairs:
                draft.job.hand_over(json.dumps(pair._asdict()))
            draft.job.hand_over(draft.cost)

    def _draft(self, job: Job) -> Draft:
        (segment,) = job.request.segments
        quoter = self.quoter
        return Draft(job, quoter.topics(segment), quoter.sentences(segment), quoter.sayings(segment), quoter.capitals)

    def _next_foci(self, drafts: Sequence[Draft], seconds: float) -> list[tuple[Draft, str]]:
        """What to ask for now, no more than can be asked and answered in so many seconds."""
        open_drafts = [draft for draft in drafts if draft.missing]
        if seconds == math.inf or not open_drafts:
            most = None
        elif self._seconds_a_focus is None:
            most = _FIRST_FOCI if seconds > 0 else 0
        else:
            most = max(0, int(seconds / self._seconds_a_focus / len(open_drafts)))
        return [(draft, focus) for draft in open_drafts for focus in draft.next_foci(most)]

    def _from_text(self, draft: Draft) -> list[Pair]:
        """What the document itself says, in the place of the pairs that the writer could not bring about."""
        (segment,) = draft.job.request.segments
        told = draft.told[: min(_MOST_TOLD, draft.missing)]
        quotes = self.quoted(segment, draft.missing - len(told))
        self._told += len(told)
        self._quoted += len(quotes)
        return told + quotes

    def _ask(self, reader: _Reader, asked: Sequence[tuple[Draft, str]]) -> list[_Question]:
        """A question for each focus, without those that are no use."""
        assert self._guard
        drafts = [draft for draft, _ in asked]
        prompts = [ask_prompt(draft.shown, focus) for draft, focus in asked]
        barred = {own: self._guard.barred(own) for own in {draft.own for draft in drafts}}
        texts = reader.write(drafts, prompts, _QUESTION_TOKENS, [barred[draft.own] for draft in drafts])
        questions: dict[tuple[int, str], _Question] = {}
        for (draft, focus), written in zip(asked, texts, strict=True):
            text = respelled(written, draft.own)
            key = (id(draft), normalised(text))
            fault = draft.fault_of_question(text, focus)
            if fault == ASKED_BEFORE and key in questions:
                questions[key].foci.append(focus)
            if fault:
                self._dropped[fault] += 1
            else:
                draft.asked.add(normalised(text))
                questions[key] = _Question(draft, text, [focus])
        return list(questions.values())

    def _take(self, question: _Question, answer: str) -> None:
        """Hand the pair over if its answer is what was asked for, or else keep the question."""
        draft, pair = question.draft, Pair(question.text, answer)
        fault = draft.fault_of_answer(pair, question.foci) if answer else "no answer"
        if fault:
            self._dropped[fault] += 1
            draft.tell(pair, question.foci)
        elif draft.missing:
            draft.missing -= 1
            draft.job.hand_over(json.dumps(pair._asdict()))


class _Reader:
    """The model with the drafts' views before its eyes: each is computed once, whatever is asked about it.

    Args:
        base: the base model, wearing the writer's adapter; so it must be whenever this writes.
        drafts: those that will be asked about.
    """

    def __init__(self, base: BaseModel, chat: ChatFormat, drafts: Sequence[Draft]) -> None:
        from lift.decoding import CommonStarts

        self._base = base
        self._chat = chat
        self._numbers = {id(draft): number for number, draft in enumerate(drafts)}
        prompts = [(ask_prompt(draft.shown, ""), answer_prompt(draft.shown, "")) for draft in drafts]
        encoded = [[tuple(chat.prompt_ids(prompt)) for prompt in both] for both in prompts]
        starts = [both[0][: shared_prefix(both)] for both in encoded]
        self._starts = CommonStarts(base.network, base.tokenizer, starts)

    def write(
        self,
        drafts: Sequence[Draft],
        prompts: Sequence[str],
        max_new_tokens: int,
        barred: Sequence[torch.Tensor] = (),
    ) -> list[str]:
        """What follows the prompts, one for each of `drafts`.

        Args:
            barred: for each prompt, tokens that are left out; or none at all.
        """
        from lift.decoding import decode_batch

        base, chat = self._base, self._chat
        texts: list[str] = []
        most = _ROWS.get(base.device.type, _ROWS_ELSEWHERE)
        for start in range(0, len(prompts), most):
            rows = slice(start, start + most)
            batch = [chat.prompt_ids(prompt) for prompt in prompts[rows]]
            written = decode_batch(
                base.network,
                base.tokenizer,
                batch,
                stop_ids=chat.stop_ids,
                max_new_tokens=_room(base, batch, max_new_tokens),
                starts=self._starts,
                begun=[self._numbers[id(draft)] for draft in drafts[rows]],
                barred=barred[rows],
                on_text=lambda row, text: not base.turns.urgent,
            )
            if base.turns.urgent:
                raise InterruptedError("the run ends")
            for draft, prompt, text in zip(drafts[rows], batch, written, strict=True):
                tokens = len(base.tokenizer(text, add_special_tokens=False)["input_ids"])
                draft.cost.add(Usage(len(prompt), completion=tokens))
            texts += written
        return texts


def _room(base: BaseModel, prompts: Sequence[Sequence[int]], wanted: int) -> int:
    """Tokens that can be decoded after `prompts`, at most `wanted`."""
    room = base.context_tokens - max(map(len, prompts))
    if room < min(wanted, _QUESTION_TOKENS):
        raise ValueError(f"a segment leaves no room in a context window of {base.context_tokens} tokens")
    return min(room, wanted)
