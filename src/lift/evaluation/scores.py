"""Scores of one answer against a reference."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

__all__ = ["keyword_match", "token_f1", "wilson_interval"]


def keyword_match(answer: str, keywords: Sequence[Sequence[str]]) -> bool:
    """Whether, of every inner list, at least one string occurs in the lower-cased answer.

    Where a keyword begins or ends with a digit, no further digit may touch it there: "4" is not in "1947".
    """
    lowered = answer.lower()
    return all(any(_occurs(keyword, lowered) for keyword in group) for group in keywords)


def _occurs(keyword: str, text: str) -> bool:
    before = r"(?<!\d)" if keyword[:1].isdigit() else ""
    after = r"(?!\d)" if keyword[-1:].isdigit() else ""
    return re.search(before + re.escape(keyword.lower()) + after, text) is not None


def token_f1(answer: str, reference: str) -> float:
    """Harmonic mean of precision and recall over lower-cased words, counted with their multiplicity."""
    found, wanted = Counter(re.findall(r"\w+", answer.lower())), Counter(re.findall(r"\w+", reference.lower()))
    shared = (found & wanted).total()
    return 2 * shared / (found.total() + wanted.total()) if shared else 0.0


def wilson_interval(right: int, total: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's 95 % interval of the share right / total."""
    if total == 0:
        return 0.0, 1.0
    share = right / total
    scale = 1 + z * z / total
    middle = (share + z * z / (2 * total)) / scale
    half = z * ((share * (1 - share) + z * z / (4 * total)) / total) ** 0.5 / scale
    return max(0.0, middle - half), min(1.0, middle + half)
