"""Teaching a writer: what the lessons are made of, and that training leaves a folder that a generator can use."""

from pathlib import Path

import pytest

from lift.adapter import read_manifest
from lift.document import Document, read_document
from lift.errors import AdapterExistsError, TaskFileError
from lift.model import load_base_model
from lift.presets import load_recipe
from lift.progress import Progress
from lift.synthesis.backends.recorded import RecordedBackend
from lift.synthesis.checks import is_grounded
from lift.synthesis.foci import mentions
from lift.synthesis.parser import Pair
from lift.writer import train_writer, writer_lessons
from tests.conftest import RECORDED

RECIPE = load_recipe("writer", {"rank": 4, "tasks_per_step": 12, "epochs": 8, "lr": 0.02})


def test_lessons_ask_for_a_focus(picardo: Document) -> None:
    lessons = writer_lessons(picardo, RECORDED, RECIPE)
    assert 90 < len(lessons) <= 106
    asking = [lesson for group in lessons for lesson in group if "\n\nAsk for: " in lesson.question]
    answering = [lesson for group in lessons for lesson in group if "\n\nQuestion: " in lesson.question]
    assert len(asking) > 300
    assert len(answering) > 250
    assert len(asking) + len(answering) == sum(map(len, lessons))
    for lesson in asking:
        shown, _, focus = lesson.question.rpartition("\n\nAsk for: ")
        assert focus in shown
        assert lesson.answer.endswith("?")
        assert not mentions(lesson.answer, focus)
        assert is_grounded(Pair(lesson.answer, ""), shown)
    for lesson in answering:
        shown, _, question = lesson.question.rpartition("\n\nQuestion: ")
        assert is_grounded(Pair(question, lesson.answer), shown)
    for group in lessons:  # one view, so that a pack can hold it once
        assert len({lesson.question.rpartition("\n\n")[0] for lesson in group}) == 1


def test_training_and_using_a_writer(short: Document, tiny_model: Path, tmp_path: Path) -> None:
    base = load_base_model(tiny_model, dtype="float32")
    before = {name: weight.clone() for name, weight in base.network.state_dict().items()}
    seen: list[Progress] = []
    out = tmp_path / "writer"
    manifest = train_writer([(short, RECORDED)], out=out, model=base, recipe=RECIPE, on_progress=seen.append)
    assert manifest.losses["last"] < manifest.losses["first"]
    assert manifest.counts["segments"] == 5
    assert seen[-1].visits == seen[-1].visits_total == 8 * manifest.counts["tasks"]
    assert read_manifest(out) == manifest
    after = base.network.state_dict()
    assert list(after) == list(before)
    assert all((after[name] == weight).all() for name, weight in before.items())
    with pytest.raises(AdapterExistsError):
        train_writer([(short, RECORDED)], out=out, model=base, recipe=RECIPE)


def test_nothing_to_learn_from(tmp_path: Path) -> None:
    with pytest.raises(TaskFileError, match="no recorded tasks"):
        train_writer([], out=tmp_path / "writer")


def test_the_recordings_belong_to_their_documents() -> None:
    recordings = sorted((Path(__file__).parents[1] / "training_data").glob("*.tasks.jsonl"))
    lessons = 0
    for tasks in recordings:
        document = read_document(tasks.with_name(tasks.name.replace(".tasks.jsonl", ".txt")))
        assert len(RecordedBackend.read(tasks).segments(document, RECIPE)) == len(tasks.read_text().splitlines())
        lessons += sum(map(len, writer_lessons(document, tasks, RECIPE)))
    assert (len(recordings), lessons) == (32, 3153)
