"""How long answers take: to the first token, and for every further one."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import TYPE_CHECKING, Final

from lift.evaluation.methods.base import Method

if TYPE_CHECKING:
    from lift.document import Document

__all__ = ["measure_answering"]

_TOKENS: Final = 32
_TIMES: Final = 3


def measure_answering(method: Method, document: Document, question: str) -> dict[str, float]:
    """Seconds of one answer, alone, medians of three.

    Returns:
        `first_token`: from the question to the first token of its answer, the context included; `token`: for every
        token after it.
    """
    decode = method.decoder(document, question)
    first = [_seconds(decode, 1) for _ in range(_TIMES)]
    whole = [_seconds(decode, 1 + _TOKENS) for _ in range(_TIMES)]
    return {
        "first_token": round(median(first), 4),
        "token": round(max(0.0, median(whole) - median(first)) / _TOKENS, 5),
    }


def _seconds(decode: Callable[[int], object], tokens: int) -> float:
    started = time.monotonic()
    decode(tokens)
    return time.monotonic() - started
