"""Progress where there is no terminal."""

import itertools

import pytest

from lift.cli.displays import grid_display, progress_display
from lift.evaluation.progress import GridProgress
from lift.progress import Progress


@pytest.fixture(autouse=True)
def ten_seconds_a_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lift.cli.displays.time.monotonic", itertools.count(0.0, 10.0).__next__)


def test_a_log_gets_a_line_in_half_a_minute_and_the_last_one(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_display() as show:
        for step in range(1, 6):
            show(
                Progress("training", 4, 5, 1, 12, 3000, steps=step, tokens_per_second=1234.5, loss=1.5, seconds_left=61)
            )
        show(Progress("done", 5, 5, tasks=15, steps=6, tokens_per_second=1200, loss=1.25, seconds_left=0))
    rest = "loss 1.500, 1,234 tokens/s, 1:01 left"
    assert capsys.readouterr().err.splitlines() == [
        f"Training: 4/5 segments, 12 tasks, 1 failed, 3,000 generator tokens; step 1, {rest}",
        f"Training: 4/5 segments, 12 tasks, 1 failed, 3,000 generator tokens; step 4, {rest}",
        "Done: 5/5 segments, 15 tasks; step 6, loss 1.250, 1,200 tokens/s",
    ]


def test_an_evaluation_in_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    with grid_display() as show:
        show(GridProgress(0, 3, "lift, The mill, seed 0", 0, None))
        show(GridProgress(1, 3, "lift, The mill, seed 1", 1, 65.2))
        training = Progress(
            "training", visits=6, visits_total=9, steps=2, tokens_per_second=61, loss=1.5, seconds_left=5
        )
        show(GridProgress(2, 3, "raw, The mill, seed 0", 1, 12.2))
        show(GridProgress(2, 3, "raw, The mill, seed 0", 1, 12.2, training))
        show(GridProgress(3, 3, "", 1, 0.0))
    assert capsys.readouterr().err.splitlines() == [
        "0/3: lift, The mill, seed 0",
        "2/3: raw, The mill, seed 0, 1 errors, 0:12 left: step 2, loss 1.500, 61 tokens/s, 0:05 left",
        "3/3: 1 errors",
    ]
