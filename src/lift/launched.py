"""Which of several processes this is, as torchrun and accelerate tell it; without torch, for the command line."""

from __future__ import annotations

import os

__all__ = ["rank_and_count"]


def rank_and_count() -> tuple[int, int]:
    """This process's number, and how many train together; (0, 1) where nobody launched several."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    return (int(os.environ.get("RANK", "0")) if count > 1 else 0), count
