"""The generator against faults; the server's own protocol is tested in test_openai.py."""

import asyncio
import contextlib
import json
import random
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from lift.document import Document
from lift.errors import GenerationError, GeneratorUnavailableError, SpendingLimitError
from lift.recipe import Recipe
from lift.synthesis.backends.base import Backend, RequestError
from lift.synthesis.backends.recorded import RecordedBackend
from lift.synthesis.generator import generate_tasks
from lift.synthesis.prompts import Request, build_request
from lift.synthesis.usage import GenerationCounts
from lift.task_store import TaskStore
from lift.tasks import Task
from tests.conftest import RECORDED
from tests.replay_server import ReplayServer

DOCUMENT = Document.from_text(
    " ".join(f"Here is a line with the number {number} in a row of them." for number in range(8)), "Rows"
)
RECIPE = Recipe(tasks_per_segment=2, generator_concurrency=4, generator_retries=2, max_failed_share=0.25)


def pairs(request: Request, count: int = 2) -> str:
    index = request.segments[0].index
    return json.dumps([{"question": f"Q{index}.{n}?", "answer": f"A{index}.{n}"} for n in range(count)])


class Scripted(Backend):
    """Injects faults: `script` gets the request and the number of the try, and returns text or raises."""

    name = "scripted"

    def __init__(self, script: Callable[[Request, int], str]) -> None:
        self.script = script
        self.tries: dict[int, int] = {}
        self.active = self.most_active = 0
        self.closed = False
        self.delay: Callable[[Request], float] = lambda request: 0.0

    @contextlib.asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[AsyncIterator[str]]:
        number = self.tries[request.segments[0].index] = self.tries.get(request.segments[0].index, 0) + 1
        self.active += 1
        self.most_active = max(self.most_active, self.active)
        try:
            yield self._pieces(request, number)
        finally:
            self.active -= 1

    async def _pieces(self, request: Request, number: int) -> AsyncIterator[str]:
        await asyncio.sleep(self.delay(request))
        text = self.script(request, number)
        whole, _, cut = text.partition("<CUT>")
        for start in range(0, len(whole), 5):
            await asyncio.sleep(0)
            yield whole[start : start + 5]
        if cut:
            raise RequestError(cut, passing=True)

    async def close(self) -> None:
        self.closed = True


def run(
    backend: Backend, path: Path, recipe: Recipe = RECIPE, on_task: Callable[[Task], None] = lambda task: None
) -> tuple[TaskStore, GenerationCounts, list[float]]:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    segments = backend.segments(DOCUMENT, recipe)
    assert len(segments) == 8
    counts = GenerationCounts()
    with TaskStore.open(path, DOCUMENT, backend.identity(DOCUMENT, recipe), segments) as store:
        asyncio.run(generate_tasks(DOCUMENT, backend, recipe, store, on_task=on_task, counts=counts, sleep=sleep))
        return store, counts, waits


def test_every_segment_is_asked_once(tmp_path: Path) -> None:
    backend = Scripted(lambda request, number: pairs(request))
    store, counts, _ = run(backend, tmp_path / "t.jsonl")
    assert sorted(task.question for task in store.read_tasks()) == [f"Q{i}.{n}?" for i in range(8) for n in range(2)]
    assert backend.tries == dict.fromkeys(range(8), 1)
    assert (counts.segments, counts.answered, counts.failed, counts.requests) == (8, 8, 0, 8)
    assert store.complete
    assert backend.closed
    assert backend.active == 0


def test_concurrency_is_bounded_and_used(tmp_path: Path) -> None:
    backend = Scripted(lambda request, number: pairs(request))
    backend.delay = lambda request: 0.01
    run(backend, tmp_path / "t.jsonl")
    assert backend.most_active == RECIPE.generator_concurrency


def test_a_slow_request_holds_nothing_up(tmp_path: Path) -> None:
    backend = Scripted(lambda request, number: pairs(request))
    backend.delay = lambda request: 0.3 if request.segments[0].index == 0 else 0.0
    arrived: list[int] = []
    run(backend, tmp_path / "t.jsonl", on_task=lambda task: arrived.append(task.segments[0]))
    assert arrived[-2:] == [0, 0]


def test_a_task_is_on_disk_before_it_is_handed_over(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    seen: list[bool] = []
    backend = Scripted(lambda request, number: pairs(request))
    run(backend, path, on_task=lambda task: seen.append(task.question in path.read_text()))
    assert seen == [True] * 16


def test_passing_failures_are_retried_with_growing_waits(tmp_path: Path) -> None:
    def script(request: Request, number: int) -> str:
        if request.segments[0].index == 3 and number <= 2:
            raise RequestError("overloaded", passing=True, retry_after=7.0 if number == 2 else None)
        return pairs(request)

    backend = Scripted(script)
    store, counts, waits = run(backend, tmp_path / "t.jsonl")
    assert backend.tries[3] == 3
    assert counts.retries == 2
    assert len(waits) == 2
    assert 0 < waits[0] <= 0.5
    assert waits[1] == 7.0  # as the server asked
    assert store.complete


def test_pairs_of_a_broken_stream_are_kept_and_not_doubled(tmp_path: Path) -> None:
    def script(request: Request, number: int) -> str:
        text = pairs(request)
        return text.replace(', {"question"', '<CUT>lost, {"question"') if number == 1 else text

    store, counts, _ = run(Scripted(script), tmp_path / "t.jsonl")
    assert store.n_tasks == len({task.question for task in store.read_tasks()}) == 16
    assert len({task.id for task in store.read_tasks()}) == 16
    assert counts.dropped == {"asked before": 8}


def test_a_failed_segment_is_recorded_and_not_fatal(tmp_path: Path) -> None:
    def script(request: Request, number: int) -> str:
        if request.segments[0].index in (2, 5):
            raise RequestError("cannot do this one")
        return pairs(request)

    backend = Scripted(script)
    store, counts, _ = run(backend, tmp_path / "t.jsonl")
    assert backend.tries[2] == 1  # not a passing failure
    assert counts.failed == 2
    assert list(store.failed.values()) == ["cannot do this one"] * 2
    assert not store.complete
    # The next run asks for these alone, and the store is complete.
    again = Scripted(lambda request, number: pairs(request))
    store, counts, _ = run(again, tmp_path / "t.jsonl")
    assert set(again.tries) == {2, 5}
    assert counts.answered == 8
    assert store.complete


def test_too_many_failures_end_the_run_with_everything_kept(tmp_path: Path) -> None:
    def script(request: Request, number: int) -> str:
        if request.segments[0].index >= 3:
            raise RequestError("no")
        return pairs(request)

    with pytest.raises(GenerationError, match=r"3 of 8 segments failed.*max_failed_share=0.25.*same command"):
        run(Scripted(script), tmp_path / "t.jsonl", RECIPE.replace(generator_concurrency=1))
    again = Scripted(lambda request, number: pairs(request))
    store, _, _ = run(again, tmp_path / "t.jsonl")
    assert set(again.tries) == {3, 4, 5, 6, 7}
    assert store.n_tasks == 16


def test_answers_without_a_pair_are_failures(tmp_path: Path) -> None:
    backend = Scripted(lambda request, number: "Sorry." if request.segments[0].index == 1 else pairs(request))
    store, _, _ = run(backend, tmp_path / "t.jsonl")
    assert backend.tries[1] == 3
    assert "no question-answer pair" in next(iter(store.failed.values()))


def test_a_fatal_failure_ends_everything_at_once(tmp_path: Path) -> None:
    def script(request: Request, number: int) -> str:
        raise RequestError("wrong key", fatal=True)

    backend = Scripted(script)
    with pytest.raises(GeneratorUnavailableError, match="scripted: wrong key"):
        run(backend, tmp_path / "t.jsonl")
    assert sum(backend.tries.values()) <= RECIPE.generator_concurrency
    assert backend.active == 0
    assert backend.closed


def test_more_pairs_than_asked_for_are_not_waited_for(tmp_path: Path) -> None:
    backend = Scripted(lambda request, number: pairs(request, count=50))
    store, _, _ = run(backend, tmp_path / "t.jsonl")
    assert store.n_tasks == 16


def test_nothing_is_asked_of_a_complete_store(tmp_path: Path) -> None:
    run(Scripted(lambda request, number: pairs(request)), tmp_path / "t.jsonl")
    again = Scripted(lambda request, number: pairs(request))
    _, counts, _ = run(again, tmp_path / "t.jsonl")
    assert again.tries == {}
    assert counts.answered == 8


def test_an_unfinished_request_is_asked_again_for_what_is_missing(tmp_path: Path) -> None:
    backend = Scripted(lambda request, number: pairs(request))
    path = tmp_path / "t.jsonl"
    run(backend, path)
    # As a crash leaves it: one pair of segment 7 and neither `done` nor `end`.
    records = [json.loads(line) for line in path.read_text().splitlines()]
    key = next(r["id"] for r in records if r.get("question") == "Q7.1?").rpartition("-")[0]
    kept = [r for r in records if r.get("question") != "Q7.1?" and r.get("request") != key and r["record"] != "end"]
    path.write_text("".join(json.dumps(r) + "\n" for r in kept))
    again = Scripted(lambda request, number: pairs(request))
    store, _, _ = run(again, path)
    assert set(again.tries) == {7}
    assert sorted(t.question for t in store.read_tasks() if t.segments == (7,)) == ["Q7.0?", "Q7.1?"]


def test_cancelling_leaves_no_request_running(tmp_path: Path) -> None:
    backend = Scripted(lambda request, number: pairs(request))
    backend.delay = lambda request: 60.0

    async def cancelled() -> None:
        segments = backend.segments(DOCUMENT, RECIPE)
        with TaskStore.open(tmp_path / "t.jsonl", DOCUMENT, backend.identity(DOCUMENT, RECIPE), segments) as store:
            work = asyncio.create_task(generate_tasks(DOCUMENT, backend, RECIPE, store))
            await asyncio.sleep(0.05)
            assert backend.active == 4
            work.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await work

    asyncio.run(cancelled())
    assert backend.active == 0
    assert backend.closed


def test_a_limit_of_requests_stops_cleanly_and_the_next_run_goes_on(tmp_path: Path) -> None:
    backend = Scripted(lambda request, number: pairs(request))
    path = tmp_path / "t.jsonl"
    with pytest.raises(SpendingLimitError, match=r"max_requests=3: 3 of 8 segments.*same command goes on"):
        run(backend, path, RECIPE.replace(max_requests=3))
    assert sum(backend.tries.values()) == 3
    again = Scripted(lambda request, number: pairs(request))
    store, _, _ = run(again, path)
    assert sum(again.tries.values()) == 5
    assert store.n_tasks == 16


def test_a_limit_of_tokens_is_not_gone_beyond(tmp_path: Path) -> None:
    """What is in flight counts as spent, and ends."""
    backend = Scripted(lambda request, number: pairs(request))
    backend.delay = lambda request: 0.01
    counts = GenerationCounts()
    segments = backend.segments(DOCUMENT, RECIPE)
    prompt = len(
        build_request(DOCUMENT, segments[0], RECIPE).system + build_request(DOCUMENT, segments[0], RECIPE).user
    )
    recipe = RECIPE.replace(max_tokens=4 * prompt // 4)
    with (
        TaskStore.open(tmp_path / "t.jsonl", DOCUMENT, backend.identity(DOCUMENT, recipe), segments) as store,
        pytest.raises(SpendingLimitError, match="max_tokens"),
    ):
        asyncio.run(generate_tasks(DOCUMENT, backend, recipe, store, counts=counts))
    assert 2 <= sum(backend.tries.values()) <= 4
    assert counts.answered == sum(backend.tries.values())
    assert backend.active == 0


def test_a_trainer_that_is_behind_is_waited_for(tmp_path: Path) -> None:
    backend = Scripted(lambda request, number: pairs(request))
    arrived: list[Task] = []
    most = 0

    def has_room() -> bool:
        nonlocal most
        most = max(most, len(arrived))
        if len(arrived) >= 4:
            arrived.clear()  # the trainer takes them
            return False
        return True

    segments = backend.segments(DOCUMENT, RECIPE)
    with TaskStore.open(tmp_path / "t.jsonl", DOCUMENT, backend.identity(DOCUMENT, RECIPE), segments) as store:
        asyncio.run(
            generate_tasks(
                DOCUMENT,
                backend,
                RECIPE.replace(generator_concurrency=1),
                store,
                on_task=arrived.append,
                has_room=has_room,
            )
        )
        assert store.n_tasks == 16
    assert most <= 4


def test_pairs_that_say_more_than_the_text_are_dropped_if_asked_to(tmp_path: Path) -> None:
    def script(request: Request, number: int) -> str:
        made_up = [{"question": f"Which town is row {request.segments[0].index}?", "answer": "It is Paris."}]
        return json.dumps([*made_up, *json.loads(pairs(request))])

    store, counts, _ = run(Scripted(script), tmp_path / "a.jsonl")
    assert store.n_tasks == 16
    assert counts.dropped == {"a name that the text does not have": 8}
    store, counts, _ = run(Scripted(script), tmp_path / "b.jsonl", RECIPE.replace(check_pairs=False))
    assert sum("Paris" in task.answer for task in store.read_tasks()) == 8


def test_pairs_that_point_at_the_text_are_dropped(tmp_path: Path) -> None:
    """The prompt itself speaks of "the segment"; that must not count as the text doing so."""

    def script(request: Request, number: int) -> str:
        pointing = [{"question": f"What of {request.segments[0].index} does the segment say?", "answer": "It says so."}]
        return json.dumps([*pointing, *json.loads(pairs(request))])

    store, counts, _ = run(Scripted(script), tmp_path / "a.jsonl")
    assert store.n_tasks == 16
    assert counts.dropped == {"does not stand alone": 8}


@pytest.mark.parametrize("seed", range(30))
def test_killed_anywhere_nothing_is_lost_or_asked_twice(seed: int, tmp_path: Path) -> None:
    """A store cut off at random bytes, again and again, as a crash or a power loss leaves it."""
    rng = random.Random(seed)
    path = tmp_path / "t.jsonl"
    run(Scripted(lambda request, number: pairs(request)), path)
    for _ in range(5):
        content = path.read_bytes()
        path.write_bytes(content[: rng.randrange(len(content))])
        left = path.read_bytes()
        kept = [json.loads(line) for line in left[: left.rfind(b"\n") + 1].splitlines()]
        done = {record["request"] for record in kept if record["record"] == "done"}
        again = Scripted(lambda request, number: pairs(request))
        store, _, _ = run(again, path)
        assert sum(again.tries.values()) == 8 - len(done)
        assert sorted(t.question for t in store.read_tasks()) == sorted(
            f"Q{i}.{n}?" for i in range(8) for n in range(2)
        )
        assert store.complete


def test_needles_a_segment_that_fits_has_no_tasks_and_is_done(tmp_path: Path) -> None:
    recipe = RECIPE.replace(ask_about="needles")

    def script(request: Request, number: int) -> str:
        return pairs(request) if request.segments[0].index == 5 else '{"pairs": []}'

    backend = Scripted(script)
    store, counts, _ = run(backend, tmp_path / "t.jsonl", recipe)
    assert [(task.kind, task.segments) for task in store.read_tasks()] == [("needle", (5,))] * 2
    assert backend.tries == dict.fromkeys(range(8), 1)
    assert (counts.answered, counts.dropped) == (8, {})
    assert store.complete


def test_without_needles_an_empty_answer_is_a_failure(tmp_path: Path) -> None:
    backend = Scripted(lambda request, number: '{"pairs": []}' if number == 1 else pairs(request))
    _, counts, _ = run(backend, tmp_path / "t.jsonl")
    assert counts.failures == {"no pairs": 8}


def test_tasks_about_several_segments_say_so_and_are_played_back(tmp_path: Path) -> None:
    recipe = RECIPE.replace(document_share=0.34, window_chars=64, check_pairs=False)

    def script(request: Request, number: int) -> str:
        about = "-".join(str(segment.index) for segment in request.segments)
        return json.dumps([{"question": f"{request.kind} {about} {n}?", "answer": "Yes."} for n in range(2)])

    backend = Scripted(script)
    backend.tries = {}
    store, counts, _ = run(backend, tmp_path / "t.jsonl", recipe)
    wider = [task for task in store.read_tasks() if task.kind != "segment"]
    assert {task.kind for task in wider} == {"group", "outline"}
    assert all(len(task.segments) > 1 for task in wider)
    assert counts.answered == counts.segments > 8
    recording = RecordedBackend.read(tmp_path / "t.jsonl")
    again, _, _ = run(recording, tmp_path / "again.jsonl", recipe)
    assert {task.question for task in again.read_tasks()} == {task.question for task in store.read_tasks()}


def test_a_text_that_repeats_itself_asks_the_same_once(tmp_path: Path) -> None:
    document = Document.from_text("The same sentence stands here again and again. " * 200, "Again")
    backend = Scripted(lambda request, number: pairs(request))
    recipe = RECIPE.replace(window_chars=0)
    segments = backend.segments(document, recipe)
    with TaskStore.open(tmp_path / "t.jsonl", document, backend.identity(document, recipe), segments) as store:
        counts = asyncio.run(generate_tasks(document, backend, recipe, store))
    assert counts.requests == 1
    assert counts.answered == len(segments) == 200


CHILD = """
import asyncio, sys
from pathlib import Path
from typing import Any
from lift.document import Document
from lift.recipe import Recipe
from lift.synthesis.backends.openai import OpenAIBackend
from lift.synthesis.generator import generate_tasks
from lift.task_store import TaskStore

document = Document.from_text(Path(sys.argv[1]).read_text(), "José Luis Picardo")
recipe = Recipe(tasks_per_segment=5, generator_concurrency=3)
backend = OpenAIBackend(sys.argv[2])
segments = backend.segments(document, recipe)
with TaskStore.open(sys.argv[3], document, backend.identity(document, recipe), segments) as store:
    print("open", flush=True)
    asyncio.run(generate_tasks(document, backend, recipe, store))
"""


@pytest.mark.integration
def test_killed_for_real_again_and_again(picardo: Document, tmp_path: Path) -> None:
    """kill -9 at random moments until a run gets through; no answer in full is ever asked for twice."""
    rng = random.Random(0)
    document, path = tmp_path / "d.txt", tmp_path / "t.jsonl"
    document.write_text(picardo.text[:2500], encoding="utf-8")
    kills = 0
    with ReplayServer(RECORDED, token_seconds=0.001) as server:
        while True:
            process = subprocess.Popen(
                [sys.executable, "-c", CHILD, str(document), server.url, str(path)], stdout=subprocess.PIPE, text=True
            )
            assert process.stdout
            assert process.stdout.readline() == "open\n"
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(rng.uniform(0.1, 1.0))
            if process.poll() == 0:
                break
            process.kill()
            process.communicate()
            kills += 1
            done = {r["request"] for r in written(path) if r["record"] == "done"}
            assert kills < 60
    records = written(path)
    requests = [record["request"] for record in records if record["record"] == "done"]
    questions = [record["question"] for record in records if record["record"] == "task"]
    assert kills >= 3
    assert done <= set(requests)
    assert len(requests) == len(set(requests)) == len(records[0]["segments"])
    assert len(questions) == len(set(questions))
    assert records[-1] == {"record": "end", "tasks": len(questions)}
    # Only what was under way when it was killed is asked again: never more than three at a time.
    assert len(server.requests) <= len(requests) + 3 * kills


def written(path: Path) -> list[dict[str, Any]]:
    """The whole records of a store that may be torn."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]
