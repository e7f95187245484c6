"""Where needles really lie, at every depth and length."""

from collections import Counter
from typing import Any

import pytest

from lift.bundled import example_folder
from lift.errors import BenchmarkError
from lift.evaluation.benchmarks.needle import DEPTHS, Haystack, NeedleInAHaystack, read_needles
from lift.recipe import Recipe
from lift.synthesis.backends.recorded import RecordedBackend

LENGTHS = (500, 1_000, 2_000, 3_500)


@pytest.fixture(scope="module")
def haystack() -> Haystack:
    folder = example_folder()
    return Haystack.read([(folder / "picardo.txt", folder / "tasks.jsonl")])


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("depths", [DEPTHS, (0, 50, 100), (30,)])
def test_needles_lie_at_their_depths(haystack: Haystack, tokenizer: Any, length: int, depths: tuple[int, ...]) -> None:
    benchmark = NeedleInAHaystack(haystack, tokenizer, lengths=[length], depths=depths)
    longest = max(len(_ids(tokenizer, haystack.text[start:end])) for start, end, _ in haystack.segments)
    seen: Counter[tuple[str, float]] = Counter()
    documents = list(benchmark.documents())
    assert len({document.text for document in documents}) == len(depths)
    for document in documents:
        total = len(_ids(tokenizer, document.text))
        assert length - longest - 2 <= total <= length + 2
        # Neither needles nor haystack are cut: what is left without the needles is the haystack's own beginning.
        hay = document.text
        for needle in read_needles():
            assert hay.count(needle.text) == 1
            hay = hay.replace(needle.text, "")
        assert "".join(haystack.text.split()).startswith("".join(hay.split()))
        assert len(benchmark.questions(document)) == sum(len(needle.questions) for needle in read_needles())
        for needle in read_needles():
            (place,) = {tuple(benchmark.place(document, question).values()) for question in needle.questions}
            assert place[0] == length
            seen[needle.name, place[1]] += 1
            before, after = document.text.split(needle.text)
            if before and after:
                assert before.rstrip()[-1] in ".!?”\")'’:"
            # By tokens of the haystack, and as near as the segments allow.
            for other in read_needles():
                before, after = before.replace(other.text, ""), after.replace(other.text, "")
            ahead = len(_ids(tokenizer, before))
            assert abs(ahead - place[1] / 100 * (ahead + len(_ids(tokenizer, after)))) <= longest / 2 + 2
    # Every needle at every depth, once.
    assert seen == {(needle.name, depth): 1 for needle in read_needles() for depth in depths}


def test_their_tasks_arrive_at_their_depths(haystack: Haystack, tokenizer: Any) -> None:
    benchmark = NeedleInAHaystack(haystack, tokenizer, lengths=[2_000], depths=[0, 40, 100])
    for document in benchmark.documents():
        backend = RecordedBackend.read(benchmark.recording(document))
        segments = backend.segments(document, benchmark.recipe(Recipe(tasks_per_segment=5)))
        assert not backend.notes()  # every record matches the text
        for needle in read_needles():
            at = next(number for number, segment in enumerate(segments) if segment.text == needle.text)
            assert len(backend.pairs_about(segments[at])) == 10
            depth = benchmark.place(document, needle.questions[0])["depth"]
            assert -0.1 < at / len(segments) - depth / 100 < 0.2  # segments are not of one length


def test_the_papers_setting_has_tasks_about_the_needle_alone(haystack: Haystack, tokenizer: Any) -> None:
    benchmark = NeedleInAHaystack(haystack, tokenizer, lengths=[1_000], depths=[60], haystack_tasks=False)
    assert benchmark.name == "needle-alone"
    for needle, document in zip(read_needles(), benchmark.documents(), strict=True):
        (segment,) = RecordedBackend.read(benchmark.recording(document)).segments(document, Recipe())
        assert segment.text == needle.text
        assert benchmark.questions(document) == list(needle.questions)
        assert benchmark.place(document, needle.questions[0]) == {"length": 1_000, "depth": 60}


def test_no_question_is_among_the_tasks() -> None:
    for needle in read_needles():
        asked = {question.text for question in needle.questions}
        assert not asked & {task["question"] for task in needle.tasks}
        assert len(needle.tasks) == 10


def test_a_haystack_that_is_too_short(haystack: Haystack, tokenizer: Any) -> None:
    with pytest.raises(BenchmarkError, match="add texts or leave lengths out"):
        NeedleInAHaystack(haystack, tokenizer, lengths=[100_000])


def _ids(tokenizer: Any, text: str) -> list[int]:
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids
