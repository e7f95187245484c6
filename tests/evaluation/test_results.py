"""Results survive crashes, and errors never count as done."""

from dataclasses import replace
from pathlib import Path

import pytest

from lift.errors import BenchmarkError, StoreLockedError
from lift.evaluation.results import Answer, Cell, Results, Run, read_answers, read_runs

CELL = Cell("mine", "d" * 16, "lift", "embedded", "r" * 12, 0)
ANSWER = Answer(CELL, "T", "1", "Who?", "Anna", "", "f1", "Anna", 1.0)


def test_written_and_read(tmp_path: Path) -> None:
    run = Run(CELL, "T", {"steps": 3}, 1.0, 0.5, {"general": 0.4})
    with Results(tmp_path) as results:
        results.add_answer(ANSWER)
        results.add_run(run)
    assert read_answers(tmp_path) == [ANSWER]
    assert read_runs(tmp_path) == [run]
    with Results(tmp_path) as results:
        assert results.answered(CELL) == {"1"}
        assert results.has_run(CELL)
        assert not results.answered(replace(CELL, seed=1))


def test_an_answer_of_several_lines(tmp_path: Path) -> None:
    """JSON escapes line ends, but not all that Unicode calls one."""
    answer = replace(ANSWER, answer="Anna\nBerg\u2028in\x85Jerez")
    with Results(tmp_path) as results:
        results.add_answer(answer)
    assert read_answers(tmp_path) == [answer]


def test_an_error_is_not_done_and_its_answer_is_kept(tmp_path: Path) -> None:
    failed = replace(ANSWER, score=None, error="judge: down")
    with Results(tmp_path) as results:
        results.add_answer(failed)
        assert not results.answered(CELL)
        assert results.unscored(CELL, "1") == "Anna"
    with Results(tmp_path) as results:
        assert results.unscored(CELL, "1") == "Anna"
        results.add_answer(ANSWER)
        assert results.unscored(CELL, "1") is None
    assert read_answers(tmp_path) == [ANSWER]


def test_a_line_that_a_crash_cut_off(tmp_path: Path) -> None:
    with Results(tmp_path) as results:
        results.add_answer(ANSWER)
        results.add_answer(replace(ANSWER, question_id="2"))
    path = tmp_path / "answers.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    assert [answer.question_id for answer in read_answers(tmp_path)] == ["1"]
    with Results(tmp_path) as results:
        assert results.answered(CELL) == {"1"}
        results.add_answer(replace(ANSWER, question_id="3"))
    assert [answer.question_id for answer in read_answers(tmp_path)] == ["1", "3"]


def test_a_damaged_line(tmp_path: Path) -> None:
    (tmp_path / "answers.jsonl").write_text("nonsense\n", encoding="utf-8")
    with pytest.raises(BenchmarkError, match=r"answers\.jsonl:1: damaged"):
        read_answers(tmp_path)


def test_one_writer(tmp_path: Path) -> None:
    with Results(tmp_path), pytest.raises(StoreLockedError, match="another evaluation"):
        Results(tmp_path)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    place = tmp_path / "results"
    place.write_text("")
    with pytest.raises(BenchmarkError, match=r"cannot write results to .*results: File exists; give a folder"):
        Results(place)
