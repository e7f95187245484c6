import errno
import io
import json
from pathlib import Path

import pytest

from lift.document import Document, Segment
from lift.errors import StoreLockedError, StoreMismatchError, TaskFileError
from lift.jsonl import read_jsonl
from lift.task_store import StoreIdentity, TaskStore, text_hash, told_of_texts
from lift.tasks import Task

DOCUMENT = Document.from_text("One sentence. Another sentence.", "T")
SEGMENTS = [Segment(0, 0, 13, "One sentence."), Segment(1, 14, 31, "Another sentence.")]
IDENTITY = StoreIdentity(DOCUMENT.sha256, "prompt-1", {"tasks_per_segment": 5})
TASK = Task("key-0", "Who?", 'Ünïcode "x"', segments=(1,))


def open_store(path: Path, identity: StoreIdentity = IDENTITY, segments: list[Segment] = SEGMENTS) -> TaskStore:
    return TaskStore.open(path, DOCUMENT, identity, segments)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "tasks.jsonl"
    with open_store(path) as store:
        store.add(TASK)
        store.mark_done("key")
        store.mark_failed("other", "timeout")
    with open_store(path) as store:
        assert list(store.read_tasks()) == [TASK]
        assert store.done == {"key"}
        assert store.failed == {}  # asked again by this run
        assert not store.complete
        store.mark_complete()
    with open_store(path) as store:
        assert store.complete
        assert store.torn == 0


def test_one_record_of_one_kind_a_line(tmp_path: Path) -> None:
    with open_store(tmp_path / "t.jsonl") as store:
        store.add(TASK)
        store.mark_done("key")
        store.mark_failed("other", "x")
        store.mark_complete()
        store.mark_complete()
    records = [json.loads(line) for line in (tmp_path / "t.jsonl").read_text().splitlines()]
    assert [record["record"] for record in records] == ["header", "task", "done", "failed", "end"]


def test_a_task_is_in_the_file_when_add_returns(tmp_path: Path) -> None:
    with open_store(tmp_path / "t.jsonl") as store:
        store.add(TASK)
        assert "Who?" in (tmp_path / "t.jsonl").read_text()


def test_the_disk_is_waited_for_once_a_second_and_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now, synced = [100.0], []
    monkeypatch.setattr("lift.task_store.time.monotonic", lambda: now[0])
    monkeypatch.setattr("lift.task_store.os.fsync", lambda file: synced.append(now[0]))
    with open_store(tmp_path / "t.jsonl") as store:
        synced.clear()
        for number in range(40):  # a quarter of a second apart
            now[0] += 0.25
            store.add(TASK)
            store.mark_done(f"key{number}")
    assert synced == [*range(101, 111), 110.0]


def test_a_torn_last_line_is_cut_off_and_said(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    with open_store(path) as store:
        store.add(TASK)
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"record": "task", "id": "\xc3')
    with open_store(path) as store:
        assert list(store.read_tasks()) == [TASK]
        assert store.torn == 27
        store.mark_done("key")
    assert path.read_bytes().startswith(whole)
    assert len(list(read_jsonl(path))) == 3


@pytest.mark.parametrize("keep", range(0, 400, 7))
def test_cut_anywhere_it_stays_valid(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "t.jsonl"
    with open_store(path) as store:
        store.add(TASK)
        store.mark_done("key")
    path.write_bytes(path.read_bytes()[:keep])
    with open_store(path) as store:
        assert list(store.read_tasks()) in ([], [TASK])
        assert store.segments == SEGMENTS
        store.mark_complete()
    with open_store(path) as store:
        assert store.complete


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    with (
        open_store(tmp_path / "t.jsonl"),
        pytest.raises(StoreLockedError, match="another run is writing"),
    ):
        open_store(tmp_path / "t.jsonl")
    open_store(tmp_path / "t.jsonl").close()


@pytest.mark.parametrize(
    ("identity", "reason"),
    [
        (StoreIdentity("other", "prompt-1", {"tasks_per_segment": 5}), "the document has another text"),
        (StoreIdentity(DOCUMENT.sha256, "prompt-2", {"tasks_per_segment": 5}), "from prompt-1, not from prompt-2"),
        (StoreIdentity(DOCUMENT.sha256, "prompt-1", {"tasks_per_segment": 9}), "tasks_per_segment was 5 and is now 9"),
    ],
)
def test_a_store_of_another_run_is_refused_with_the_reason(
    tmp_path: Path, identity: StoreIdentity, reason: str
) -> None:
    path = tmp_path / "t.jsonl"
    open_store(path).close()
    before = path.read_bytes()
    with pytest.raises(StoreMismatchError, match=reason):
        open_store(path, identity)
    assert path.read_bytes() == before
    open_store(path).close()  # the lock was let go


def test_on_resume_the_stores_own_segments_win(tmp_path: Path) -> None:
    open_store(tmp_path / "t.jsonl").close()
    with open_store(tmp_path / "t.jsonl", segments=[Segment(0, 0, 31, DOCUMENT.text)]) as store:
        assert store.segments == SEGMENTS


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"record": "task", "id": "x"}', ":2: damaged record"),
        ('{"record": "odd"}', ":2: damaged record"),
        ("nonsense", ":2: not JSON"),
    ],
)
def test_a_damaged_store_is_refused_with_the_line(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "t.jsonl"
    open_store(path).close()
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(TaskFileError, match=message):
        open_store(path)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(TaskFileError, match="cannot write"):
        open_store(tmp_path / "file" / "t.jsonl")


def test_a_full_disk_is_said_and_nothing_is_lost(tmp_path: Path) -> None:
    class Full(io.StringIO):
        def flush(self) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

    store = open_store(tmp_path / "t.jsonl")
    store.add(TASK)
    whole, store._file = store._file, Full()
    with pytest.raises(TaskFileError, match=r"No space left on device. What was written before is kept"):
        store.add(TASK)
    store.close()
    store.close()
    whole.close()
    with open_store(tmp_path / "t.jsonl") as again:
        assert list(again.read_tasks()) == [TASK]


def test_a_file_that_is_no_store_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"question": "?"}\n')
    with pytest.raises(TaskFileError, match=":1: no header"):
        open_store(tmp_path / "t.jsonl")


def test_what_is_told_of_a_text(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    assert told_of_texts(path) == {}
    with open_store(path) as store:
        store.add(TASK)
        store.add(Task("key-1", "When?", "Then.", segments=(1,)))
        store.add(Task("key-2", "Do both?", "They do.", "group", segments=(0, 1)))
        store.add(Task("key-3", "What is it about?", "Sentences.", "outline", segments=(0, 1)))
    with path.open("a") as file:
        file.write('{"record": "task", "segments": [7], "question": "?", "answer": "!"}\n{"record": "task", "segm')
    assert told_of_texts(path) == {
        text_hash("One sentence."): ["Do both? They do."],
        text_hash("Another  sentence."): ['Who? Ünïcode "x"', "When? Then.", "Do both? They do."],
    }
