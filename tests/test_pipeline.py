"""`absorb` and `write_tasks` with a tiny random model: what they promise around training."""

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import JSONResponse, Response

import lift
from lift.document import Document
from lift.errors import (
    GenerationError,
    GeneratorUnavailableError,
    LiftWarning,
    ModelError,
    StoreMismatchError,
    TrainingError,
)
from lift.generation import estimate
from lift.jsonl import read_jsonl
from lift.progress import Progress
from lift.training.trainer import Trainer
from tests.conftest import RECORDED
from tests.replay_server import ReplayServer

KNOBS: dict[str, Any] = {"rank": 4, "alpha": 8, "lr": 0.01, "epochs": 2, "tasks_per_segment": 5, "tasks_per_step": 4}
SHORT_WAITS = KNOBS | {"generator_retries": 0}


@pytest.fixture(scope="module")
def base(tiny_model: Path) -> lift.BaseModel:
    return lift.load_base_model(tiny_model, device="cpu", dtype="float32")


@pytest.fixture(autouse=True)
def nothing_is_left_behind(base: lift.BaseModel) -> Any:
    """Whatever happens, no thread runs on and the base model is free for the next document."""
    yield
    assert not [thread for thread in threading.enumerate() if thread.name == "lift-generator"]
    assert base.network.config._attn_implementation == "sdpa"


def free(base: lift.BaseModel) -> bool:
    return not any("lora" in name for name, _ in base.network.named_modules())


def test_progress_runs_from_loading_to_done(short: Document, base: lift.BaseModel) -> None:
    seen: list[Progress] = []
    with ReplayServer(RECORDED, token_seconds=0.001) as server:
        lifted = lift.absorb(short, model=base, generator=server.url, recipe=KNOBS, on_progress=seen.append)
    assert seen[0].phase == "loading"
    assert seen[-1].phase == "done"
    assert (seen[-1].segments, seen[-1].segments_total, seen[-1].tasks) == (5, 5, 25)
    assert seen[-1].visits == seen[-1].visits_total == 50
    assert seen[-1].seconds_left == 0
    assert seen[-1].tokens_per_second > 0
    visits = [progress.visits for progress in seen]
    assert visits == sorted(visits)
    assert lifted.manifest.seconds["total"] >= lifted.manifest.seconds["training"] > 0
    lifted.close()


def test_any_model_learns_quotes_without_a_generator(short: Document, base: lift.BaseModel, tmp_path: Path) -> None:
    """The same bytes every time, as with recorded tasks."""
    for name in ("a", "b"):
        lifted = lift.absorb(short, model=base, generator="quotes", recipe=KNOBS, out=tmp_path / name)
        assert lifted.manifest.generator == "quotes"
        assert lifted.manifest.scale_beside_text == 0.5  # it was taught to recite
        assert lifted.manifest.counts["tasks"] > 5
        lifted.close()
    first, second = (tmp_path / name / "adapter_model.safetensors" for name in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()


def test_a_short_document_gets_more_and_smaller_steps(short: Document, base: lift.BaseModel) -> None:
    steps = {}
    for least in (1, 20):
        lifted = lift.absorb(
            short,
            model=base,
            generator=f"recorded:{RECORDED}",
            recipe={**KNOBS, "tasks_per_step": 25, "min_steps": least},
        )
        steps[least] = lifted.manifest.counts["steps"]
        assert lifted.manifest.counts["visits"] == 50
        lifted.close()
    assert steps == {1: 2, 20: 25}


def test_an_interruption_keeps_the_tasks_and_frees_the_model(
    short: Document, base: lift.BaseModel, tmp_path: Path
) -> None:
    def interrupt(progress: Progress) -> None:
        if progress.tasks >= 5:
            raise KeyboardInterrupt

    with ReplayServer(RECORDED, may_answer=lambda number: number <= 2) as server:
        with pytest.raises(KeyboardInterrupt):
            lift.absorb(
                short, model=base, generator=server.url, recipe=KNOBS, out=tmp_path / "a", on_progress=interrupt
            )
        assert free(base)
        kept = [record for _, record in read_jsonl(tmp_path / "a" / "tasks.jsonl") if record["record"] == "task"]
        assert 5 <= len(kept) <= 10
        server.may_answer = lambda number: True
        lifted = lift.absorb(short, model=base, generator=server.url, recipe=KNOBS, out=tmp_path / "a")
    assert lifted.manifest.counts["tasks"] == 25
    lifted.close()


def test_failing_training_frees_the_model(
    short: Document, base: lift.BaseModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Trainer, tasks: Any, **_: Any) -> None:
        raise TrainingError("on purpose")

    monkeypatch.setattr(Trainer, "step", fail)
    with pytest.raises(TrainingError, match="on purpose"):
        lift.absorb(short, model=base, generator=f"recorded:{RECORDED}", recipe=KNOBS)
    assert free(base)


def test_a_generator_that_stops_answering_ends_the_run(short: Document, base: lift.BaseModel, tmp_path: Path) -> None:
    def fault(number: int, segment: str) -> Response | None:
        return JSONResponse({"error": {"message": "overloaded"}}, status_code=500) if number > 2 else None

    with ReplayServer(RECORDED, fault=fault) as server:
        with pytest.raises(GenerationError, match=r"segments failed.*overloaded.*same command"):
            lift.absorb(
                short,
                model=base,
                generator=server.url,
                recipe={**SHORT_WAITS, "generator_concurrency": 1},
                out=tmp_path / "a",
            )
        assert free(base)
        server.fault = lambda number, segment: None
        lifted = lift.absorb(short, model=base, generator=server.url, recipe=SHORT_WAITS, out=tmp_path / "a")
    assert lifted.manifest.counts["tasks"] == 25
    assert lifted.manifest.counts["requests"] == 3
    lifted.close()


def test_a_few_failed_segments_are_counted_not_fatal(short: Document, base: lift.BaseModel) -> None:
    def fault(number: int, segment: str) -> Response | None:
        return JSONResponse({"error": {"message": "no"}}, status_code=400) if "brothers, one" in segment else None

    with ReplayServer(RECORDED, fault=fault) as server:
        lifted = lift.absorb(
            short, model=base, generator=server.url, recipe={**KNOBS, "max_failed_share": 0.3, "lr": 1e-3}
        )
    assert lifted.manifest.counts["failed_segments"] == 1
    assert lifted.manifest.counts["tasks"] == 20
    lifted.close()


def test_tasks_longer_than_the_window_are_left_out_and_counted(
    base: lift.BaseModel, tmp_path: Path, short: Document
) -> None:
    recorded = tmp_path / "t.jsonl"
    text = short.text[:117]
    tasks = [{"question": "Who?", "answer": "Picardo."}, {"question": "What?", "answer": "word " * 600}]

    recorded.write_text(json.dumps({"start": 0, "end": 117, "text": text, "tasks": tasks}) + "\n")
    lifted = lift.absorb(short, model=base, generator=f"recorded:{recorded}", recipe=KNOBS)
    assert lifted.manifest.counts["tasks"] == 1
    assert lifted.manifest.counts["tasks too long for the context window"] == 1
    lifted.close()


def test_another_prompt_in_the_same_folder_is_refused(short: Document, base: lift.BaseModel, tmp_path: Path) -> None:
    with ReplayServer(RECORDED) as server:
        lift.write_tasks(short, tmp_path / "t.jsonl", generator=server.url, recipe=KNOBS)
        asked = len(server.requests)
        with pytest.raises(StoreMismatchError, match=r"window_chars was 2048 and is now 99.*--overwrite"):
            lift.write_tasks(short, tmp_path / "t.jsonl", generator=server.url, recipe={**KNOBS, "window_chars": 99})
        assert len(server.requests) == asked
        counts = lift.write_tasks(
            short, tmp_path / "t.jsonl", generator=server.url, recipe={**KNOBS, "window_chars": 99}, overwrite=True
        )
    assert counts["complete"]
    assert counts["requests"] == asked - 1  # nothing precedes the first segment: its prompt is the same


def test_a_torn_line_is_dropped_and_said(short: Document, tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    with ReplayServer(RECORDED) as server:
        lift.write_tasks(short, path, generator=server.url, recipe=KNOBS)
        # A crash in the middle of the last request.
        path.write_bytes(path.read_bytes().rpartition(b'{"record": "task"')[0] + b'{"record": "ta')
        with pytest.warns(LiftWarning, match="was torn"):
            counts = lift.write_tasks(short, path, generator=server.url, recipe=KNOBS)
    assert counts["tasks"] == 25
    assert counts["complete"]


def test_what_cannot_work_is_said_before_anything_is_written(short: Document, tmp_path: Path) -> None:
    with pytest.raises(GeneratorUnavailableError):
        lift.absorb(short, generator="nothing", out=tmp_path / "a")
    assert not (tmp_path / "a").exists()
    with pytest.raises(ModelError):
        lift.absorb(short, model="./none", generator=f"recorded:{RECORDED}", recipe=KNOBS)


def test_an_edited_document_asks_only_for_what_changed(picardo: Document, tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    edited = Document.from_text(picardo.text.replace("Madrid", "Madrid (Spain)", 1), picardo.title)
    recipe = {"tasks_per_segment": 5, "window_chars": 512}
    with ReplayServer(RECORDED) as server:
        before = lift.write_tasks(picardo, path, generator=server.url, recipe=recipe)
        kept = texts_of(path, picardo)
        server.requests.clear()
        with pytest.raises(StoreMismatchError, match=r"another text.*--overwrite"):
            lift.write_tasks(edited, path, generator=server.url, recipe=recipe)
        cost = estimate(edited, generator=server.url, recipe=recipe, store=path)
        after = lift.write_tasks(edited, path, generator=server.url, recipe=recipe, overwrite=True)
        assert 0 < len(server.requests) == cost.requests < before["segments"] / 5
    assert after["complete"]
    assert after["tasks"] == before["tasks"]
    assert not path.with_name("t.jsonl.new").exists()
    assert kept
    about_after = texts_of(path, edited)
    assert all(about_after[task] == about for task, about in kept.items() if task in about_after)
    assert len(kept.keys() & about_after.keys()) > 0.8 * len(kept)


def texts_of(path: Path, document: Document) -> dict[str, str]:
    """The text that each task of a store is about, by the task's id."""
    records = [record for _, record in read_jsonl(path)]
    spans = records[0]["segments"]
    return {
        record["id"]: document.text[slice(*spans[record["segments"][0]][:2])]
        for record in records
        if record["record"] == "task"
    }
