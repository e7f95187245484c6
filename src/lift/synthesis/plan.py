"""Everything that is asked about a document, in order: its segments, then what several of them say together."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from lift.document import Document, Segment
from lift.recipe import Recipe
from lift.retrieval import WordIndex
from lift.synthesis.prompts import Request, build_request, group_request, outline_request

__all__ = ["count_requests", "plan_requests", "related_segments"]

# Segments of a group.
_GROUP: Final = 4
# An outline shows the beginnings of so many segments, each cut to so many characters.
_OUTLINED: Final = 24
_BEGINNING_CHARS: Final = 160
# One request in so many about several segments is an outline; the others are groups.
_OUTLINE_EVERY: Final = 4


def plan_requests(document: Document, segments: Sequence[Segment], recipe: Recipe) -> Iterator[Request]:
    """The requests of a run, built one by one.

    One about every segment; then, where `document_share` asks for it, requests about several segments at once:
    groups of related ones from different places, and outlines of parts.
    """
    for segment in segments:
        yield build_request(document, segment, recipe)
    count = _requests_about_several(len(segments), recipe)
    if not count:
        return
    outlines = min(count // _OUTLINE_EVERY, math.ceil(len(segments) / _OUTLINED))
    for group in related_segments(segments, count - outlines, recipe.window_chars):
        yield group_request(document, group, recipe)
    parts = _parts(segments)
    for number in range(outlines):
        part = parts[number * len(parts) // outlines]
        yield outline_request(document, part, [_beginning(s.text) for s in part], len(segments), recipe)


def count_requests(n_segments: int, recipe: Recipe) -> int:
    """How many requests `plan_requests` will build, at most: some groups may turn out to be the same."""
    return n_segments + _requests_about_several(n_segments, recipe)


def _requests_about_several(n_segments: int, recipe: Recipe) -> int:
    if n_segments < _GROUP:
        return 0
    return round(n_segments * recipe.document_share / (1 - recipe.document_share))


def related_segments(segments: Sequence[Segment], count: int, min_distance: int) -> Iterator[tuple[Segment, ...]]:
    """Groups of segments that share rare words (BM25), for what no single segment says.

    Args:
        segments: all segments of the document.
        count: groups wanted; evenly spread over the document. Equal ones are left out.
        min_distance: characters between the members of a group: what is nearer was already shown together.
    """
    if count <= 0:
        return
    index = WordIndex([segment.text for segment in segments])
    seen: set[tuple[int, ...]] = set()
    for number in range(count):
        anchor = segments[number * len(segments) // count]
        group = [anchor]
        for place in index.rank(anchor.text, 8 * _GROUP):
            other = segments[place]
            if all(abs(other.start - member.start) >= min_distance for member in group):
                group.append(other)
            if len(group) == _GROUP:
                break
        members = tuple(sorted(member.index for member in group))
        if len(group) > 1 and members not in seen:
            seen.add(members)
            yield tuple(segments[member] for member in members)


def _parts(segments: Sequence[Segment]) -> list[Sequence[Segment]]:
    """The document in stretches of like length, none longer than an outline shows."""
    parts = math.ceil(len(segments) / _OUTLINED)
    edges = [len(segments) * number // parts for number in range(parts + 1)]
    return [segments[first:last] for first, last in pairwise(edges)]


def _beginning(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _BEGINNING_CHARS else text[:_BEGINNING_CHARS].rsplit(" ", 1)[0] + " ..."
