"""A run that stopped goes on where it stopped and ends with the same adapter as an unbroken one."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import lift
from lift.document import Document
from lift.progress import Progress
from lift.training.checkpoint import Checkpoint, CheckpointFolder
from lift.training.encoding import EncodedTask
from lift.training.optimizer import MasterAdamW
from lift.training.shelf import TaskShelf
from tests.conftest import EXAMPLE, RECORDED
from tests.replay_server import ReplayServer

KNOBS: dict[str, Any] = {
    "rank": 4,
    "alpha": 8,
    "lr": 0.01,
    "epochs": 3,
    "tasks_per_segment": 5,
    "tasks_per_step": 4,
    "min_steps": 1,
    "warmup_steps": 3,
    "decay_share": 0.5,
    "checkpoint_seconds": 1e-9,
}


def weights(folder: Path) -> bytes:
    return (folder / "adapter_model.safetensors").read_bytes()


class StopError(Exception):
    pass


def stop_at(visits: int) -> Any:
    def watch(progress: Progress) -> None:
        if progress.visits >= visits and progress.phase != "done":
            raise StopError

    return watch


@pytest.fixture
def every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lift.training.run.REPORT_SECONDS", 0.0)


@pytest.mark.parametrize("share", [1.0, 0.5])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.usefixtures("every_step")
def test_broken_off_twice_it_gives_the_same_bytes(
    share: float, dtype: str, short: Document, tiny_model: Path, tmp_path: Path
) -> None:
    options: dict[str, Any] = {"generator": f"recorded:{RECORDED}", "recipe": {**KNOBS, "trained_share": share}}
    base = lift.load_base_model(tiny_model, device="cpu", dtype=dtype)
    lift.absorb(short, model=base, out=tmp_path / "whole", **options).close()
    broken = tmp_path / "broken"
    for visits in (20, 48):
        with pytest.raises(StopError):
            lift.absorb(short, model=base, out=broken, on_progress=stop_at(visits), **options)
        assert (broken / "checkpoint" / "checkpoint.json").exists()
    lifted = lift.absorb(short, model=base, out=broken, **options)
    assert weights(broken) == weights(tmp_path / "whole")
    whole = lift.load(tmp_path / "whole", model=tiny_model).manifest
    assert all(lifted.manifest.counts[name] == whole.counts[name] for name in ("tasks", "steps", "visits", "tokens"))
    assert lifted.manifest.losses == whole.losses
    assert not (broken / "checkpoint").exists()
    lifted.close()


@pytest.mark.usefixtures("every_step")
def test_with_a_live_generator_the_log_of_arrivals_is_replayed(
    short: Document, tiny_model: Path, tmp_path: Path
) -> None:
    """Broken off while tasks arrive: every task is visited exactly as often as asked for."""
    base = lift.load_base_model(tiny_model, device="cpu", dtype="float32")
    seen: list[Progress] = []
    with ReplayServer(RECORDED, may_answer=lambda number: number <= 3) as server:
        with pytest.raises(StopError):
            lift.absorb(
                short, model=base, generator=server.url, recipe=KNOBS, out=tmp_path / "a", on_progress=stop_at(24)
            )
        server.may_answer = lambda number: True
        lifted = lift.absorb(
            short, model=base, generator=server.url, recipe=KNOBS, out=tmp_path / "a", on_progress=seen.append
        )
    trained = [progress for progress in seen if progress.phase == "training"]
    assert trained[0].visits > 20  # it did not begin again
    assert lifted.manifest.counts["tasks"] == 25
    assert lifted.manifest.counts["visits"] == 75
    lifted.close()


@pytest.mark.usefixtures("every_step")
def test_another_recipe_does_not_go_on_with_it(short: Document, tiny_model: Path, tmp_path: Path) -> None:
    base = lift.load_base_model(tiny_model, device="cpu", dtype="float32")
    options: dict[str, Any] = {"model": base, "generator": f"recorded:{RECORDED}", "out": tmp_path / "a"}
    with pytest.raises(StopError):
        lift.absorb(short, recipe=KNOBS, on_progress=stop_at(20), **options)
    seen: list[Progress] = []
    lift.absorb(short, recipe={**KNOBS, "lr": 0.02}, on_progress=seen.append, **options).close()
    assert next(progress for progress in seen if progress.phase == "training").visits <= 8


def test_a_damaged_checkpoint_is_none(tmp_path: Path) -> None:
    folder, device = CheckpointFolder(tmp_path / "c"), torch.device("cpu")
    assert folder.read({"a": 1}, device) is None
    folder.write(Checkpoint({"a": 1}, 4, [(0, 5), (2, 9)], 3, steps=4, tensors={"master": torch.ones(3)}))
    found = folder.read({"a": 1}, device)
    assert found is not None
    assert (found.arrivals, found.closed_before, found.steps) == ([(0, 5), (2, 9)], 3, 4)
    assert torch.equal(found.tensors["master"], torch.ones(3))
    assert folder.read({"a": 2}, device) is None
    weights_file = tmp_path / "c" / "step-4.safetensors"
    weights_file.write_bytes(weights_file.read_bytes()[:-5])
    assert folder.read({"a": 1}, device) is None


def test_the_one_before_stays_until_the_next_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = CheckpointFolder(tmp_path / "c")
    folder.write(Checkpoint({}, 4, steps=1, tensors={"master": torch.ones(3)}))

    def fail(*_: Any, **__: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("lift.atomic.os.fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        folder.write(Checkpoint({}, 4, steps=2, tensors={"master": torch.zeros(3)}))
    monkeypatch.undo()
    found = folder.read({}, torch.device("cpu"))
    assert found is not None
    assert found.steps == 1
    folder.write(Checkpoint({}, 4, steps=3, tensors={"master": torch.zeros(3)}))
    assert [path.name for path in (tmp_path / "c").glob("*.safetensors")] == ["step-3.safetensors"]


def test_the_optimizer_goes_on_as_if_it_had_not_stopped() -> None:
    def train(stop: bool) -> torch.Tensor:
        torch.manual_seed(0)
        parameter = torch.nn.Parameter(torch.randn(7).bfloat16())
        optimizer = MasterAdamW([parameter], lr=0.1, warmup_steps=2)
        for step in range(6):
            if stop and step == 3:
                state, steps = {name: tensor.clone() for name, tensor in optimizer.state().items()}, optimizer.steps
                parameter = torch.nn.Parameter(torch.randn(7).bfloat16())
                optimizer = MasterAdamW([parameter], lr=0.1, warmup_steps=2)
                optimizer.restore(state, steps)
            (parameter * torch.arange(7) * (step + 1)).sum().backward()
            optimizer.gather()
            optimizer.step()
        return parameter.detach().clone()

    assert torch.equal(train(stop=True), train(stop=False))


@given(st.lists(st.tuples(st.lists(st.integers(0, 200_000)), st.lists(st.integers(0, 200_000))), max_size=20))
def test_a_shelf_gives_back_what_was_put_there(ids: list[tuple[list[int], list[int]]]) -> None:
    shelf = TaskShelf()
    tasks = [EncodedTask(str(number), tuple(a), tuple(b)) for number, (a, b) in enumerate(ids)]
    for task in tasks:
        shelf.append(task)
    assert len(shelf) == len(tasks)
    assert shelf[:] == tasks
    assert list(reversed(shelf)) == tasks[::-1]
    with pytest.raises(IndexError):
        shelf[len(tasks)]


@pytest.mark.integration
def test_killed_while_it_trains_it_ends_with_the_same_adapter(tiny_model: Path, tmp_path: Path) -> None:
    """kill -9, then the same command; and an unbroken run for comparison."""

    document = tmp_path / "picardo.txt"
    document.write_text((EXAMPLE / "picardo.txt").read_text(encoding="utf-8")[:1500], encoding="utf-8")

    def command(out: Path) -> list[str]:
        settings = {**KNOBS, "epochs": 6, "checkpoint_seconds": 0.1}
        return [
            sys.executable, "-m", "lift", "absorb", str(document), "--out", str(out), "--json",
            "--generator", f"recorded:{RECORDED}", "--model", str(tiny_model), "--recipe", "cpu",
            *(word for name, value in settings.items() for word in ("--set", f"{name}={value}")),
        ]  # fmt: skip

    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command(tmp_path / "killed"), env=environment, stdout=subprocess.DEVNULL)
    state = tmp_path / "killed" / "checkpoint" / "checkpoint.json"
    deadline = time.monotonic() + 120
    while not state.exists() or json.loads(state.read_text())["steps"] < 5:
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "killed" / "lift.json").exists()
    for name in ("killed", "whole"):
        done = subprocess.run(command(tmp_path / name), env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert weights(tmp_path / "killed") == weights(tmp_path / "whole")
