import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lift.synthesis.parser import Pair, PairParser

PAIRS = [Pair("Who?", 'Ann {the} first, "A".'), Pair("When?", "In 1919 \\ 1920.")]
ARRAY = json.dumps([pair._asdict() for pair in PAIRS])


def parse(text: str, size: int = 3) -> list[Pair]:
    parser = PairParser()
    return [pair for i in range(0, len(text), size) for pair in parser.feed(text[i : i + size])]


@pytest.mark.parametrize(
    "text",
    [
        ARRAY,
        "\n".join(json.dumps(pair._asdict()) for pair in PAIRS),
        json.dumps({"tasks": [pair._asdict() for pair in PAIRS]}),
        f'Here are "the" pairs:\n```json\n{ARRAY}\n```\nDone.',
        f'<think>\nMaybe {{"question": "no", "answer": "no"}}?</think>\n{ARRAY}',
    ],
    ids=["array", "lines", "object", "fence", "thoughts"],
)
@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_every_form_in_every_piece_size(text: str, size: int) -> None:
    assert parse(text, size) == PAIRS


def test_a_pair_is_handed_over_when_its_object_closes() -> None:
    parser = PairParser()
    assert parser.feed('[{"question": "Who?", "answer": "A') == []
    assert parser.feed('nn."') == []
    assert parser.feed("}") == [Pair("Who?", "Ann.")]


def test_a_cut_answer_keeps_what_closed() -> None:
    assert parse(ARRAY[: ARRAY.index("When")]) == PAIRS[:1]


@pytest.mark.parametrize(
    "text",
    [
        '[{"question": "Who?"}]',
        '[{"question": "", "answer": "A"}]',
        '[{"question": null, "answer": "A"}]',
        '[{"question": "Q", "answer": ["A"]}]',
        "[{not json}]",
    ],
)
def test_objects_that_are_no_pairs_are_counted(text: str) -> None:
    parser = PairParser()
    assert parser.feed(text) == []
    assert parser.rejected == 1


def test_the_object_around_the_pairs_is_not_counted_as_rejected() -> None:
    parser = PairParser()
    parser.feed(json.dumps({"tasks": [pair._asdict() for pair in PAIRS]}))
    assert parser.rejected == 0


def test_a_number_is_an_answer() -> None:
    assert parse('{"question": "How many?", "answer": 4}') == [Pair("How many?", "4")]


@given(st.lists(st.tuples(st.text(min_size=1), st.text(min_size=1))), st.integers(1, 50), st.booleans())
def test_any_text_survives_the_stream(raw: list[tuple[str, str]], size: int, ascii_only: bool) -> None:
    pairs = [Pair(" ".join(q.split()), a.strip()) for q, a in raw if q.strip() and a.strip()]
    text = json.dumps([pair._asdict() for pair in pairs], ensure_ascii=ascii_only)
    assert parse(text, size) == pairs
