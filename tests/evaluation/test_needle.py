"""Where the needle really lies, at every depth and length."""

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
@pytest.mark.parametrize("depth", DEPTHS)
def test_the_needle_lies_at_its_depth(haystack: Haystack, tokenizer: Any, length: int, depth: int) -> None:
    benchmark = NeedleInAHaystack(haystack, tokenizer, lengths=[length], depths=[depth])
    longest = max(len(_ids(tokenizer, haystack.text[start:end])) for start, end, _ in haystack.segments)
    for needle, document in zip(read_needles(), benchmark.documents(), strict=True):
        assert document.text.count(needle.text) == 1
        before, _, after = document.text.partition(needle.text)
        total = len(_ids(tokenizer, document.text))
        assert length - longest - 2 <= total <= length + 2
        # By tokens, and as near as the segments allow.
        rest = len(_ids(tokenizer, before)) + len(_ids(tokenizer, after))
        assert abs(len(_ids(tokenizer, before)) - depth / 100 * rest) <= longest / 2 + 2
        # Neither needle nor haystack is cut: what is left without the needle is the haystack's own beginning.
        assert "".join(haystack.text.split()).startswith("".join((before + after).split()))
        if depth not in (0, 100):
            assert before.rstrip()[-1] in ".!?”\")'’:"
        assert benchmark.place(document) == {"length": length, "depth": depth}
        assert benchmark.questions(document) == needle.questions


def test_its_tasks_arrive_at_its_depth(haystack: Haystack, tokenizer: Any) -> None:
    benchmark = NeedleInAHaystack(haystack, tokenizer, lengths=[2_000], depths=[40])
    for needle, document in zip(read_needles(), benchmark.documents(), strict=True):
        backend = RecordedBackend.read(benchmark.recording(document))
        segments = backend.segments(document, benchmark.recipe(Recipe(tasks_per_segment=5)))
        assert not backend.notes()  # every record matches the text
        at = next(number for number, segment in enumerate(segments) if segment.text == needle.text)
        assert len(backend.pairs_about(segments[at])) == 10
        assert 0.3 < at / len(segments) < 0.6  # segments are not of one length


def test_the_papers_setting_has_tasks_about_the_needle_alone(haystack: Haystack, tokenizer: Any) -> None:
    benchmark = NeedleInAHaystack(haystack, tokenizer, lengths=[1_000], depths=[60], haystack_tasks=False)
    document = next(iter(benchmark.documents()))
    (segment,) = RecordedBackend.read(benchmark.recording(document)).segments(document, Recipe())
    assert segment.text == read_needles()[0].text
    assert benchmark.name == "needle-alone"


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
