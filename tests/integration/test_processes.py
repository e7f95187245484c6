"""Two processes train one adapter together (gloo, CPU), and it is the one that a single process trains."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file

import lift
from lift.bundled import EXAMPLE_TITLE
from lift.errors import ModelError
from lift.model import load_base_model
from lift.processes import Processes
from tests.conftest import EXAMPLE, RECORDED
from tests.replay_server import ReplayServer

KNOBS = ["epochs=2", "rank=4", "lr=1e-3", "tasks_per_step=8", "min_steps=4", "tasks_per_segment=3"]
KNOBS += ["pack_tokens=64"]  # many packs, of which the processes get different numbers


@pytest.fixture
def document(tmp_path: Path) -> Path:
    path = tmp_path / "picardo.txt"
    path.write_text((EXAMPLE / "picardo.txt").read_text(encoding="utf-8")[:1200], encoding="utf-8")
    return path


def absorb(document: Path, model: Path, out: Path, generator: str, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lift", "absorb", str(document), "--title", EXAMPLE_TITLE, "--model"]
    command += [str(model), "--generator", generator, "--out", str(out), "--dtype", "float32", "--recipe", "cpu"]
    command += [word for knob in KNOBS for word in ("--set", knob)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    return subprocess.run(
        [*command, "--json", *more], capture_output=True, text=True, check=False, env=environment, timeout=200
    )


@pytest.mark.integration
@pytest.mark.parametrize(("share", "together"), [("1.0", []), ("0.5", []), ("1.0", ["--shard"]), ("0.5", ["--shard"])])
def test_the_same_adapter_as_alone(
    document: Path, tiny_model: Path, tmp_path: Path, share: str, together: list[str]
) -> None:
    generator, knobs = f"recorded:{RECORDED}", [*KNOBS, f"trained_share={share}"]
    recipe = lift.load_recipe("cpu", knobs)
    lifted = lift.absorb(
        document,
        title=EXAMPLE_TITLE,
        model=tiny_model,
        generator=generator,
        recipe=recipe,
        out=tmp_path / "alone",
        dtype="float32",
    )
    more = ["--set", knobs[-1], "--processes", "2", *together]
    done = absorb(document, tiny_model, tmp_path / "together", generator, *more)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)  # only the first process tells
    assert result["counts"]["steps"] == lifted.manifest.counts["steps"]
    assert result["losses"] == pytest.approx(lifted.manifest.losses, rel=1e-3)
    alone, shared = (load_file(tmp_path / name / "adapter_model.safetensors") for name in ("alone", "together"))
    assert alone.keys() == shared.keys()
    for name, weight in alone.items():
        assert (weight - shared[name]).norm() <= 1e-3 * weight.norm() + 1e-6, name


SHARDED = """
import json, os, pathlib, sys, lift
model, document, tasks, out, knobs = sys.argv[1:]
base = lift.load_base_model(model, device="cpu", dtype="float32", shard="WORLD_SIZE" in os.environ)
weights = list(base.network.get_decoder().layers.parameters())
held, whole = sum(getattr(w, "to_local", lambda: w)().numel() for w in weights), sum(w.numel() for w in weights)
lifted = lift.absorb(document, model=base, generator=f"recorded:{tasks}", recipe=json.loads(knobs))
answer = lifted.ask("Where was he born?", max_new_tokens=8)
pathlib.Path(out, os.environ.get("RANK", "alone")).write_text(json.dumps([held, whole, answer]))
"""


@pytest.mark.integration
def test_processes_hold_half_of_the_layers_and_answer_together(
    document: Path, tiny_model: Path, tmp_path: Path
) -> None:
    script = tmp_path / "sharded.py"
    script.write_text(SHARDED, encoding="utf-8")
    knobs = json.dumps({"rank": 4, "alpha": 8, "lr": 0.05, "epochs": 1, "min_steps": 1, "tasks_per_segment": 2})
    arguments = [str(script), str(tiny_model), str(document), str(RECORDED), str(tmp_path), knobs]
    together = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    for launch in ([], together):
        subprocess.run([sys.executable, *launch, *arguments], check=True, timeout=200)
    alone, *others = (json.loads((tmp_path / rank).read_text(encoding="utf-8")) for rank in ("alone", "0", "1"))
    assert alone[0] == alone[1]
    for held, whole, answer in others:
        assert 0 < 2 * held == whole == alone[1]
        assert answer == alone[2]


@pytest.mark.integration
def test_one_client_asks(document: Path, tiny_model: Path, tmp_path: Path) -> None:
    with ReplayServer(RECORDED) as server:
        done = absorb(document, tiny_model, tmp_path / "a", server.url, "--processes", "2")
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout)["counts"]
    assert len(server.requests) == counts["requests"] == counts["segments"]
    assert counts["visits"] == 2 * counts["tasks"]


@pytest.mark.integration
def test_a_generator_that_fails_ends_all(document: Path, tiny_model: Path, tmp_path: Path) -> None:
    done = absorb(document, tiny_model, tmp_path / "a", "http://127.0.0.1:9/v1", "--processes", "2")
    assert done.returncode == 1
    assert done.stderr.count("error: cannot ask http://127.0.0.1:9/v1") == 1


@pytest.mark.integration
def test_a_budget_is_one_choice(document: Path, tiny_model: Path, tmp_path: Path) -> None:
    generator = f"recorded:{RECORDED}"
    done = absorb(document, tiny_model, tmp_path / "a", generator, "--budget", "60s", "--processes", "2")
    assert done.returncode == 0, done.stderr
    manifest = json.loads(done.stdout)
    assert manifest["counts"]["visits"] == manifest["recipe"]["epochs"] * manifest["counts"]["tasks"]
    assert not (tmp_path / "a" / "budget.json").exists()  # it is for a run that is still going on


MEETING = """
import torch
from lift.processes import Processes
processes = Processes()
processes.join(torch.device("cpu"))
for _ in range(20):
    processes.sum(torch.ones(100_000))
"""


@pytest.mark.integration
def test_processes_end_well() -> None:
    """Left as it was, the group's threads made one process in three abort at its end."""
    for _ in range(3):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2", "OMP_NUM_THREADS": "1"}
        both = [
            subprocess.Popen([sys.executable, "-c", MEETING], env={**os.environ, **common, "RANK": rank})
            for rank in ("0", "1")
        ]
        assert [process.wait(timeout=100) for process in both] == [0, 0]


def test_packs_are_dealt_by_size(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = [5, 9, 3, 7, 1]
    assert Processes().shares("abcde", sizes) == [list("abcde")]
    monkeypatch.setenv("WORLD_SIZE", "2")
    shares = Processes().shares("abcde", sizes)
    assert sorted(shares[0] + shares[1]) == list("abcde")
    loads = [sum(sizes["abcde".index(part)] for part in share) for share in shares]
    assert abs(loads[0] - loads[1]) <= 1


def test_a_sharded_model_needs_company(tiny_model: Path) -> None:
    with pytest.raises(ModelError, match="--processes N"):
        load_base_model(tiny_model, device="cpu", shard=True)
