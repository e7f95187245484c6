import pytest

from lift.evaluation.questions import Metric, Question
from lift.evaluation.scores import bootstrap_interval, is_refusal, keyword_match, score_answer, wilson_interval
from lift.overlap import token_f1


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
        ("nineteen cats", [["nine"]], False),
        ("Nine cats", [["nine"]], True),
        ("eight hundredths", [["eight hundred"]], False),
        ("six-sided", [["six"]], True),
        ("the architects", [["architect"]], True),
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


@pytest.mark.parametrize(
    ("metric", "answer", "reference", "score"),
    [
        ("exact", "The Mill!", "a mill", 1),
        ("exact", "a mill in Jerez", "a mill", 0),
        ("contains", "It was a mill.", "mill", 1),
        ("contains", "He was a miller.", "mill", 0),
        ("order", "2 then 3 then 1", "2,3,1", 1),
        ("order", "1,3,2", "2,3,1", 0),
        ("order", "3", "2,3,1", 0),
        ("order", "no idea", "2,3,1", 0),
        ("f1", "", "x", 0),
    ],
)
def test_metrics(metric: Metric, answer: str, reference: str, score: float) -> None:
    assert score_answer(Question("1", "?", reference, metric=metric), answer) == score


def test_the_best_of_several_references() -> None:
    assert score_answer(Question("1", "?", "Anna", also=("the builder",), metric="exact"), "The builder") == 1


@pytest.mark.parametrize("answer", ["", "I don't know.", "The document does not mention it.", "That is unknown."])
def test_refusals(answer: str) -> None:
    assert is_refusal(answer)


def test_an_answer_is_no_refusal() -> None:
    assert not is_refusal("He owned three cars.")


def test_bootstrap_draws_questions_not_scores() -> None:
    low, high = bootstrap_interval([[1.0] * 10, [0.0] * 10])
    assert (low, high) == (0, 1)
    assert bootstrap_interval([[1.0]] * 5) == (1, 1)
    few, many = bootstrap_interval([[1.0], [0.0]] * 5), bootstrap_interval([[1.0], [0.0]] * 50)
    assert many[1] - many[0] < few[1] - few[0]
