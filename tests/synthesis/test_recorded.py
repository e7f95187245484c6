import asyncio
import json
from pathlib import Path

import pytest

from lift.document import Document
from lift.errors import TaskFileError
from lift.recipe import Recipe
from lift.synthesis.backends import open_backend
from lift.synthesis.backends.recorded import RecordedBackend
from lift.synthesis.generator import generate_tasks
from lift.task_store import TaskStore
from tests.conftest import RECORDED

RECIPE = Recipe(tasks_per_segment=10)


def play(backend: RecordedBackend, document: Document, path: Path, recipe: Recipe = RECIPE) -> TaskStore:
    segments = backend.segments(document, recipe)
    with TaskStore.open(path, document, backend.identity(document, recipe), segments) as store:
        asyncio.run(generate_tasks(document, backend, recipe, store))
        return store


def test_a_header_less_file_as_it_is(picardo: Document, tmp_path: Path) -> None:
    store = play(RecordedBackend.read(RECORDED), picardo, tmp_path / "tasks.jsonl")
    assert store.n_tasks == 511
    assert len(store.segments) == 106
    assert all(picardo.text[s.start : s.end] == s.text for s in store.segments)
    assert store.complete
    by_question = {task.question: task for task in store.read_tasks()}
    task = by_question["How many brothers did José Luis Picardo have?"]
    assert "four brothers" in store.segments[task.segments[0]].text


def test_fewer_tasks_a_segment(picardo: Document, tmp_path: Path) -> None:
    store = play(RecordedBackend.read(RECORDED), picardo, tmp_path / "t.jsonl", Recipe(tasks_per_segment=2))
    assert store.n_tasks == 212


def test_records_beyond_a_shorter_document_are_skipped_and_counted(short: Document, tmp_path: Path) -> None:
    backend = RecordedBackend.read(RECORDED)
    store = play(backend, short, tmp_path / "tasks.jsonl")
    assert len(store.segments) == 5
    assert backend.notes() == {"recorded segments that do not match the document": 101}


def test_records_with_another_text_are_skipped(picardo: Document) -> None:
    changed = Document(picardo.text.replace("four brothers", "five brothers"), picardo.title)
    backend = RecordedBackend.read(RECORDED)
    assert len(backend.segments(changed, RECIPE)) == 105


def test_a_file_of_another_document_is_refused() -> None:
    backend = RecordedBackend.read(RECORDED)
    with pytest.raises(TaskFileError, match="none of its 106 records matches"):
        backend.segments(Document.from_text("Something else entirely.", "x"), RECIPE)


def test_a_store_can_be_played_back(picardo: Document, tmp_path: Path) -> None:
    first = play(RecordedBackend.read(RECORDED), picardo, tmp_path / "first.jsonl")
    backend = open_backend(f"recorded:{tmp_path / 'first.jsonl'}")
    assert isinstance(backend, RecordedBackend)
    second = play(backend, picardo, tmp_path / "second.jsonl")
    assert {(t.question, t.answer) for t in second.read_tasks()} == {(t.question, t.answer) for t in first.read_tasks()}


GOOD = {"start": 0, "end": 4, "text": "Some", "tasks": [{"question": "Q", "answer": "A"}]}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{not json", ":2: not JSON"),
        ("[1]", ":2: not a JSON object"),
        (json.dumps({**GOOD, "tasks": [{"question": "Q"}]}), ":2: not"),
        (json.dumps({**GOOD, "start": "0"}), ":2: start and end"),
        (json.dumps({**GOOD, "end": -1}), ":2: start and end"),
        (json.dumps({**GOOD, "tasks": [{"question": "Q", "answer": " "}]}), ":2: an empty"),
        (json.dumps({**GOOD, "tasks": [{"question": 3, "answer": "A"}]}), ":2: an empty"),
    ],
)
def test_malformed_lines_are_named(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(json.dumps(GOOD) + "\n" + line + "\n")
    with pytest.raises(TaskFileError, match=message):
        RecordedBackend.read(path)


def test_missing_and_empty_files(tmp_path: Path) -> None:
    with pytest.raises(TaskFileError, match="cannot read"):
        RecordedBackend.read(tmp_path / "none.jsonl")
    (tmp_path / "empty.jsonl").touch()
    with pytest.raises(TaskFileError, match="is empty"):
        RecordedBackend.read(tmp_path / "empty.jsonl")
