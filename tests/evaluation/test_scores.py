import pytest

from lift.evaluation.scores import keyword_match, token_f1, wilson_interval


@pytest.mark.parametrize(
    ("answer", "keywords", "right"),
    [
        ("He was born in Jerez.", [["jerez"]], True),
        ("He was born in Madrid.", [["jerez"]], False),
        ("Madrid and Cádiz", [["madrid"], ["cadiz", "cádiz"]], True),
        ("Madrid", [["madrid"], ["cadiz", "cádiz"]], False),
        ("in 1947", [["4"]], False),
        ("4 of them", [["4"]], True),
        ("It has 43 rooms", [["4"]], False),
        ("at 14,000", [["4,0"]], False),
    ],
)
def test_keywords(answer: str, keywords: list[list[str]], right: bool) -> None:
    assert keyword_match(answer, keywords) is right


def test_token_f1() -> None:
    assert token_f1("The red bridge.", "the red bridge") == 1
    assert token_f1("a b", "b c") == pytest.approx(0.5)
    assert token_f1("b b", "b") == pytest.approx(2 / 3)
    assert token_f1("", "b") == 0


def test_wilson_interval() -> None:
    low, high = wilson_interval(16, 31)
    assert (round(low, 3), round(high, 3)) == (0.348, 0.680)
    assert wilson_interval(0, 0) == (0, 1)
