"""What generation would cost, before anything is sent."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from lift.document import Document
from lift.recipe import Recipe
from lift.synthesis.backends.base import Backend
from lift.synthesis.usage import Usage, estimated_tokens

__all__ = ["Estimate", "PrefixCache", "estimate_cost"]

# Of a pair with its JSON, on average over the recorded tasks of picardo.
_TOKENS_A_PAIR: Final = 48
# vLLM's block of 16 tokens.
_BLOCK_CHARACTERS: Final = 64


@dataclass(frozen=True)
class Estimate:
    """The cost of a run; token counts are estimates, at four characters a token.

    Attributes:
        requests: requests to send, if none fails.
        answered: requests that the store already holds the answers of.
        usage: prompt, cached and completion tokens; `cached` is what a server with a prefix cache need
            not compute again.
        host: which machine gets to see the document; None if it stays here.
    """

    requests: int
    answered: int
    usage: Usage
    host: str | None


class PrefixCache:
    """What a server's prefix cache would hit, block by block, if it never forgot.

    Args:
        block: characters, or tokens, of a block.
    """

    def __init__(self, block: int = _BLOCK_CHARACTERS) -> None:
        self._block = block
        self._seen: set[int] = set()

    def cached(self, prompt: Sequence[object]) -> int:
        """How much of `prompt`, in whole blocks, an earlier prompt began with as well."""
        hit, so_far = 0, 0
        for end in range(self._block, len(prompt) + 1, self._block):
            so_far = hash((so_far, *prompt[end - self._block : end]))
            if so_far not in self._seen:
                self._seen.add(so_far)
            elif hit == end - self._block:
                hit = end
        return hit


def estimate_cost(document: Document, backend: Backend, recipe: Recipe, answered: Collection[str] = ()) -> Estimate:
    """What it would cost to ask `backend` about `document`.

    Args:
        answered: keys of requests that need not be sent.
    """
    cache, usage = PrefixCache(), Usage()
    held = requests = 0
    for request in backend.requests(document, backend.segments(document, recipe), recipe):
        if request.key in answered:
            held += 1
            continue
        requests += 1
        if backend.replays:  # no model is asked
            continue
        usage.estimated += 1
        prompt = request.system + request.user
        usage.prompt += estimated_tokens(len(prompt))
        usage.cached += cache.cached(prompt) // 4
        usage.completion += min(request.count * _TOKENS_A_PAIR, request.max_tokens)
    return Estimate(requests, held, usage, backend.host)
