"""How far generation is, and what it has cost."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

__all__ = ["GenerationCounts", "Usage", "estimated_tokens"]

_CHARACTERS_A_TOKEN = 4


def estimated_tokens(characters: int) -> int:
    """Tokens of a text of that length, where no tokenizer is at hand (English: about four characters a token)."""
    return -(-characters // _CHARACTERS_A_TOKEN)


@dataclass
class Usage:
    """Tokens of a request, or of many added up.

    Attributes:
        prompt, completion: tokens read and written.
        cached: of the prompt's, those that the server took from its prefix cache.
        reasoning: of the completion's, those that a reasoning model thought.
        estimated: requests whose tokens were estimated, since the server did not count them or the
            answer was cut off.
    """

    prompt: int = 0
    cached: int = 0
    completion: int = 0
    reasoning: int = 0
    estimated: int = 0

    @property
    def total(self) -> int:
        return self.prompt + self.completion

    def add(self, other: Usage) -> None:
        self.prompt += other.prompt
        self.cached += other.cached
        self.completion += other.completion
        self.reasoning += other.reasoning
        self.estimated += other.estimated


@dataclass
class GenerationCounts:
    """How far generation is, and what it has cost; updated while it runs.

    Attributes:
        segments: what there is to ask about: all segments, and groups of them (`document_share`).
        answered: those with all their tasks, in this run or an earlier one.
        earlier: of these, those that this run did not have to ask about.
        failed: those that gave up in this run.
        requests: requests sent in this run, retries included.
        retries: of these, the retries.
        kept: pairs that became tasks in this run.
        quoted: tasks by rules (`quotes_per_segment`) in this run.
        dropped: pairs not used, by reason.
        failures: requests that failed, by kind, whether or not a retry helped.
        usage: tokens.
        began: when the first request was sent (`time.monotonic`); None before that.
    """

    segments: int = 0
    answered: int = 0
    earlier: int = 0
    failed: int = 0
    requests: int = 0
    retries: int = 0
    kept: int = 0
    quoted: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    usage: Usage = field(default_factory=Usage)
    began: float | None = None
