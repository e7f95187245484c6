"""The base model itself as the generator: `self`. With a capable model no second one is needed."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Final

from lift.bundled import EMBEDDED
from lift.errors import LiftWarning
from lift.synthesis.backends.in_process import InProcessBackend, Job
from lift.synthesis.usage import Usage

if TYPE_CHECKING:
    from lift.model import BaseModel

__all__ = ["LocalBackend"]

# How every answer begins: with that in its mouth a small model, too, writes JSON.
_LEAD: Final = '{"pairs": ['
_FIRST_PAIR: Final = '{"question": "'
# Tokens in which a pair fits.
_LEAST_ROOM: Final = 64


class LocalBackend(InProcessBackend):
    """Writes tasks with the base model, its adapter switched off; every token is handed over as it is sampled."""

    name = "self"

    def __init__(self) -> None:
        super().__init__(batch={"cpu": 8}, batch_elsewhere=32)

    def use_model(self, base: BaseModel) -> None:
        if base.id == EMBEDDED:
            message = (
                "the embedded 135M model as it is writes poor tasks: about 15 % of them are usable. Leave --generator "
                "out to use the writer that was trained for it, or name a stronger generator"
            )
            warnings.warn(message, LiftWarning, stacklevel=3)
        super().use_model(base)

    def answer(self, base: BaseModel, jobs: list[Job]) -> None:
        from lift.decoding import decode_batch

        # In one turn: not every template has a system role.
        chat = base.chat_format("{question}", title="")
        leads = [_LEAD if job.request.may_be_empty else _LEAD + _FIRST_PAIR for job in jobs]
        prompts = [
            chat.prompt_ids(f"{job.request.system}\n\n{job.request.user}")
            + base.tokenizer(lead, add_special_tokens=False)["input_ids"]
            for job, lead in zip(jobs, leads, strict=True)
        ]
        room = base.context_tokens - max(map(len, prompts))
        if room < _LEAST_ROOM:
            raise ValueError(
                f"a request has {base.context_tokens - room} tokens, which leaves no room in a context window of "
                f"{base.context_tokens}; set window_chars lower"
            )
        written = [0] * len(jobs)

        def on_text(row: int, text: str) -> bool:
            written[row] += 1
            jobs[row].hand_over(text)
            return not (jobs[row].stopped or base.turns.urgent)

        for job, lead in zip(jobs, leads, strict=True):
            job.hand_over(lead)
        with base.wearing(None):
            decode_batch(
                base.network,
                base.tokenizer,
                prompts,
                stop_ids=chat.stop_ids,
                max_new_tokens=min(room, max(job.request.max_tokens for job in jobs)),
                temperature=jobs[0].request.temperature,
                on_text=on_text,
            )
            if base.turns.urgent:
                raise InterruptedError("the run ends")
        for job, prompt, count in zip(jobs, prompts, written, strict=True):
            job.hand_over(Usage(len(prompt), completion=count))
