"""What token sequences have in common at their beginning."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["shared_prefix"]


def shared_prefix(sequences: Sequence[tuple[int, ...]]) -> int:
    """Length of the longest beginning that all `sequences` share, one element less than the shortest at most.

    The last token of a prompt belongs to no prefix: its logits predict what follows.
    """
    first, last = min(sequences), max(sequences)  # any two differ no earlier than these
    common = next((n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    return max(0, min(common, min(map(len, sequences)) - 1))
