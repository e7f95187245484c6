"""What generation has cost."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Usage", "estimated_tokens"]

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
