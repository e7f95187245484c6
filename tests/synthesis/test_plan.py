"""What is asked about a document as a whole."""

from itertools import combinations, pairwise

import pytest

from lift.document import Document, Segment
from lift.recipe import Recipe
from lift.splitting import split_document
from lift.synthesis.plan import count_requests, plan_requests, related_segments

RECIPE = Recipe(document_share=0.25)


def test_the_papers_way_is_one_request_a_segment(picardo: Document) -> None:
    segments = split_document(picardo, Recipe())
    requests = list(plan_requests(picardo, segments, Recipe()))
    assert [request.segments for request in requests] == [(segment,) for segment in segments]
    assert {request.kind for request in requests} == {"segment"}
    assert count_requests(len(segments), Recipe()) == len(segments)


def test_a_share_asks_about_several_segments(picardo: Document) -> None:
    segments = split_document(picardo, RECIPE)
    requests = list(plan_requests(picardo, segments, RECIPE))
    wider = requests[len(segments) :]
    assert {request.kind for request in wider} == {"group", "outline"}
    assert len(wider) / len(requests) == pytest.approx(0.25, abs=0.03)
    assert len(requests) <= count_requests(len(segments), RECIPE)
    assert len({request.key for request in requests}) == len(requests)
    for request in wider:
        assert list(request.segments) == sorted(request.segments, key=lambda segment: segment.start)
        shown = request.segments if request.kind == "group" else [s for s in request.segments if len(s.text) < 160]
        assert all(" ".join(s.text.split()) in " ".join(request.user.split()) for s in shown)


def test_members_of_a_group_are_far_apart_and_share_words(picardo: Document) -> None:
    segments = split_document(picardo, RECIPE)
    groups = list(related_segments(segments, 20, min_distance=2048))
    assert len(groups) >= 15
    for group in groups:
        assert 2 <= len(group) <= 4
        assert all(b.start - a.start >= 2048 for a, b in pairwise(group))
        words = [{word for word in segment.text.lower().split() if len(word) > 4} for segment in group]
        assert any(one & other for one, other in combinations(words, 2))


def test_outlines_cover_the_document_in_order(picardo: Document) -> None:
    segments = split_document(picardo, RECIPE)
    recipe = RECIPE.replace(document_share=0.9)
    outlines = [r for r in plan_requests(picardo, segments, recipe) if r.kind == "outline"]
    covered = [segment.index for request in outlines for segment in request.segments]
    assert covered == list(range(len(segments)))
    assert f"Beginnings of passages 1 to {len(outlines[0].segments)} of {len(segments)}" in outlines[0].user


def test_a_text_of_three_sentences_has_no_groups() -> None:
    segments = [Segment(n, n * 10, n * 10 + 9, "some text") for n in range(3)]
    assert count_requests(3, RECIPE) == 3
    assert len(list(plan_requests(Document.from_text("some text " * 3, "T"), segments, RECIPE))) == 3


def test_needles_may_be_answered_with_nothing(picardo: Document) -> None:
    recipe = Recipe(ask_about="needles", tasks_per_segment=3)
    segments = split_document(picardo, recipe)
    request = next(plan_requests(picardo, segments, recipe))
    assert request.kind == "needle"
    assert request.may_be_empty
    assert '{"pairs": []}' in request.system
    assert request.user.endswith('answer {"pairs": []}; else write 3 question-answer pairs about it.')


def test_every_kind_has_a_key_of_its_own(picardo: Document) -> None:
    segments = split_document(picardo, RECIPE)
    everything = plan_requests(picardo, segments, RECIPE)
    needles = plan_requests(picardo, segments, RECIPE.replace(ask_about="needles"))
    keys = [{r.key for r in requests if len(r.segments) == 1} for requests in (everything, needles)]
    assert all(not (a & b) for a, b in combinations(keys, 2))
