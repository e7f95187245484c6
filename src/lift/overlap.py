"""How much two texts have in common."""

from __future__ import annotations

import re
from collections import Counter

__all__ = ["token_f1"]


def token_f1(answer: str, reference: str) -> float:
    """Harmonic mean of precision and recall over lower-cased words, counted with their multiplicity."""
    found, wanted = Counter(re.findall(r"\w+", answer.lower())), Counter(re.findall(r"\w+", reference.lower()))
    shared = (found & wanted).total()
    return 2 * shared / (found.total() + wanted.total()) if shared else 0.0
