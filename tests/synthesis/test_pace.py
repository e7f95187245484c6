import pytest

from lift.synthesis.pace import Pace


def test_unknown_before_the_first_answer() -> None:
    assert Pace(now=0.0).seconds_left(0, 100, now=5.0) is None


def test_a_steady_generator_is_foretold() -> None:
    pace = Pace(now=100.0)
    assert pace.seconds_left(1, 9, now=102.0) == pytest.approx(18.0)
    assert pace.seconds_left(5, 5, now=110.0) == pytest.approx(10.0)
    assert pace.seconds_left(10, 0, now=120.0) == 0.0


def test_requests_side_by_side_are_no_slower_just_before_they_end() -> None:
    pace = Pace(now=0.0)
    assert pace.seconds_left(64, 64, now=10.0) == pytest.approx(10.0)
    assert pace.seconds_left(64, 64, now=19.0) == pytest.approx(1.0)


def test_never_less_than_nothing() -> None:
    pace = Pace(now=0.0)
    pace.seconds_left(1, 1, now=1.0)
    assert pace.seconds_left(1, 1, now=50.0) == 0.0
