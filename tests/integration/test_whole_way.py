"""The real SmolLM2-135M, the real pipeline, a real HTTP server on 127.0.0.1."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import lift
from lift.document import Document
from lift.evaluation.scores import token_f1
from lift.progress import Progress
from lift.recitation import split_recited
from tests.conftest import EXAMPLE, RECORDED
from tests.replay_server import ReplayServer

pytestmark = pytest.mark.integration


def first_segments(count: int) -> str:
    records = [json.loads(line) for line in RECORDED.read_text(encoding="utf-8").splitlines()]
    return (EXAMPLE / "picardo.txt").read_text(encoding="utf-8")[: records[count - 1]["end"]]


def written(out: Path) -> str:
    """What stands in the task store; nothing before there is one."""
    store = out / "tasks.jsonl"
    return store.read_text(encoding="utf-8") if store.exists() else ""


def wait_until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_document_goes_in_and_a_model_that_knows_it_comes_out(tmp_path: Path) -> None:
    """Twelve segments over HTTP: answers before are wrong, answers after are right, also after loading."""
    document = Document.from_text(first_segments(12), title="José Luis Picardo")
    snapshots: list[Progress] = []

    def trained_before_the_last_answer(number: int) -> bool:
        return number < 12 or any(progress.steps for progress in snapshots)

    with ReplayServer(RECORDED, token_seconds=0.002, may_answer=trained_before_the_last_answer) as server:
        lifted = lift.absorb(
            document,
            generator=server.url,
            recipe=lift.load_recipe("cpu", {"epochs": 5, "generator_concurrency": 2}),
            out=tmp_path / "adapter",
            on_progress=snapshots.append,
        )
        assert len(server.requests) == len(set(server.segments)) == lifted.manifest.counts["segments"] == 12
        assert server.active == 0
    assert snapshots[-1].phase == "done"
    assert snapshots[-1].visits == snapshots[-1].visits_total == 5 * snapshots[-1].tasks

    # Rewordings of what was trained on.
    questions = {
        "In which town was the architect Picardo born?": "Jerez de la Frontera",
        "What was the name of Picardo's father?": "Alvaro Picardo de Celis",
        "In which year did Picardo's father die?": "1929",
        "Which city did Picardo move to with his mother and brothers?": "Madrid",
        "At which school did Picardo get his high school education?": "Instituto de Bachillerato Cervantes",
    }

    def right(answers: list[str]) -> int:
        return sum(wanted in answer for wanted, answer in zip(questions.values(), answers, strict=True))

    before = lifted.ask_many(list(questions), without_adapter=True, max_new_tokens=48)
    after = lifted.ask_many(list(questions), max_new_tokens=48)
    assert right(before) <= 1
    assert right(after) >= 4, after
    lifted.close()
    loaded = lift.load(tmp_path / "adapter")
    assert loaded.ask_many(list(questions), max_new_tokens=48) == after
    assert loaded.manifest.base_model["hub_id"] == "HuggingFaceTB/SmolLM2-135M-Instruct"
    config = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "HuggingFaceTB/SmolLM2-135M-Instruct"


def test_a_passage_is_recited_before_the_answer() -> None:
    lifted = lift.absorb(
        Document.from_text(first_segments(4), title="José Luis Picardo"),
        generator=f"recorded:{RECORDED}",
        recipe=lift.load_recipe("cpu", {"recite": True, "epochs": 6, "min_steps": 60}),
    )
    # Rewordings of what was trained on.
    question = "In which town was the architect Picardo born?"
    passage, answer = split_recited(lifted.ask(question, with_passage=True))
    assert token_f1(passage, first_segments(1)) > 0.8, passage
    assert "Jerez" in answer
    assert lifted.ask(question) == answer
    assert "".join(lifted.stream(question)).strip() == answer
    assert not split_recited(lifted.ask(question, without_adapter=True)).passage


def test_batched_answers_equal_single_ones_with_the_real_model(tmp_path: Path) -> None:
    base = lift.load_base_model(dtype="float32")
    lifted = lift.absorb(
        Document.from_text(first_segments(2), title="Picardo"),
        model=base,
        generator=f"recorded:{RECORDED}",
        recipe=lift.load_recipe("cpu", {"epochs": 1, "rank": 4, "alpha": 8}),
    )
    questions = [
        "Who?",
        "In which town in the south of Spain was the architect José Luis Picardo born?",
        "Where is Jerez?",
    ]
    batched = lifted.ask_many(questions, max_new_tokens=24)
    singles = [lifted.ask(question, max_new_tokens=24) for question in questions]
    assert all(token_f1(a, b) > 0.99 for a, b in zip(batched, singles, strict=True))


def test_interrupted_it_goes_on_and_asks_only_for_what_is_missing(tmp_path: Path, tiny_model: Path) -> None:
    """Ctrl-C while tasks arrive; then the same command."""
    document = tmp_path / "picardo.txt"
    document.write_text(first_segments(40), encoding="utf-8")
    out = tmp_path / "adapter"
    with ReplayServer(RECORDED, may_answer=lambda number: number <= 6) as server:
        command = [
            sys.executable, "-m", "lift", "absorb", str(document), "--out", str(out), "--generator", server.url,
            "--model", str(tiny_model), "--title", "José Luis Picardo", "--recipe", "cpu", "--set", "epochs=1",
            "--set", "generator_concurrency=2", "--set", "rank=4", "--set", "min_steps=4",
        ]  # fmt: skip
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, "COLUMNS": "200"})
        wait_until(lambda: written(out).count('"done"') == 6)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=120)
        # A shell says 130 to both: an interrupt within an import can make CPython end by the signal itself.
        assert process.returncode in (130, -signal.SIGINT), errors
        assert "the same command goes on" in errors
        assert "Traceback" not in errors
        wait_until(lambda: server.active == 0)  # none left running
        assert not (out / "lift.json").exists()
        records = [json.loads(line) for line in (out / "tasks.jsonl").read_text().splitlines()]
        finished = sum(record["record"] == "done" for record in records)
        total = len(records[0]["segments"])
        assert finished == 6

        server.requests.clear()
        server.may_answer = lambda number: True
        done = subprocess.run([*command, "--json"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert len(server.requests) == len(set(server.segments)) == total - finished
    summary = json.loads(done.stdout)
    recorded = [json.loads(line) for line in RECORDED.read_text(encoding="utf-8").splitlines()[:40]]
    assert summary["counts"]["tasks"] == sum(len(record["tasks"]) for record in recorded)
    assert (out / "lift.json").exists()


def test_killed_it_goes_on_too(tmp_path: Path, tiny_model: Path) -> None:
    document = tmp_path / "picardo.txt"
    document.write_text(first_segments(20), encoding="utf-8")
    out = tmp_path / "adapter"
    with ReplayServer(RECORDED, token_seconds=0.001, may_answer=lambda number: number <= 5) as server:
        command = [
            sys.executable, "-m", "lift", "absorb", str(document), "--out", str(out), "--generator", server.url,
            "--model", str(tiny_model), "--json", "--recipe", "cpu", "--set", "epochs=1", "--set", "rank=4",
            "--set", "min_steps=4",
        ]  # fmt: skip
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        wait_until(lambda: written(out).count('"task"') >= 7)
        process.kill()
        process.wait()
        server.may_answer = lambda number: True
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    tasks = [json.loads(line) for line in (out / "tasks.jsonl").read_text().splitlines()]
    questions = [record["question"] for record in tasks if record["record"] == "task"]
    recorded = [json.loads(line) for line in RECORDED.read_text(encoding="utf-8").splitlines()[:20]]
    assert sorted(questions) == sorted(t["question"] for record in recorded for t in record["tasks"])
