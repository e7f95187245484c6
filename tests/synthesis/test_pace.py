import pytest

from lift.synthesis.pace import Pace


def test_unknown_before_anything_is_done() -> None:
    assert Pace().seconds_left(0, 100, elapsed=5.0) is None


def test_a_steady_generator_is_foretold() -> None:
    pace = Pace()
    assert pace.seconds_left(1, 10, elapsed=2.0) == pytest.approx(18.0)
    assert pace.seconds_left(5.5, 10, elapsed=11.0) == pytest.approx(9.0)
    assert pace.seconds_left(10, 10, elapsed=20.0) == 0.0


def test_requests_side_by_side_are_no_slower_just_before_they_end() -> None:
    pace = Pace()
    assert pace.seconds_left(64, 128, elapsed=10.0) == pytest.approx(10.0)
    assert pace.seconds_left(64, 128, elapsed=19.0) == pytest.approx(1.0)


def test_never_less_than_nothing() -> None:
    pace = Pace()
    pace.seconds_left(1, 2, elapsed=1.0)
    assert pace.seconds_left(1, 2, elapsed=50.0) == 0.0
