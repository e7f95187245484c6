"""A synthetic task: what a generator writes, what a model is trained on."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Task"]


@dataclass(frozen=True, slots=True)
class Task:
    """One synthetic question with its answer.

    Attributes:
        id: the key of the request that brought it, and its number there.
        question, answer: plain text.
        kind: `segment` for a question about one segment, `needle` for one about a segment that does not fit its
            surroundings, `group` for what related segments say together, `outline` for a part of the document, `quote`
            for one that no generator wrote (`Quoter`).
        segments: indices of the segments that it is about.
    """

    id: str
    question: str
    answer: str
    kind: str = "segment"
    segments: tuple[int, ...] = ()
