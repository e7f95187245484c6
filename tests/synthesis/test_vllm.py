"""`vllm:MODEL` with a stand-in for the executable: a real process that serves the protocol on a real port."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lift.document import Document
from lift.errors import GeneratorUnavailableError
from lift.synthesis.backends import open_backend
from lift.synthesis.backends.vllm import EXECUTABLE_VARIABLE, VLLMBackend
from tests.conftest import RECORDED
from tests.synthesis.test_openai import generate

ROOT = Path(__file__).parents[2]
STAND_IN = """#!{python}
import os, sys, time
sys.path.insert(0, {root!r})
arguments = sys.argv[1:]
assert arguments[0] == "serve" and "--enable-prefix-caching" in arguments, arguments
port = int(arguments[arguments.index("--port") + 1])
open({folder!r} + "/started", "w").write(str(os.getpid()))
print("loading", arguments[1], flush=True)
{body}
"""
SERVE = """
from pathlib import Path
from tests.replay_server import ReplayServer
with ReplayServer(Path({recorded!r}), models=[arguments[1]], port=port) as server:
{meanwhile}
"""


def stand_in(folder: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    path = folder / "vllm"
    path.write_text(STAND_IN.format(python=sys.executable, root=str(ROOT), folder=str(folder), body=body))
    path.chmod(0o755)
    monkeypatch.setenv(EXECUTABLE_VARIABLE, str(path))


def serving(meanwhile: str = "    time.sleep(600)") -> str:
    return SERVE.format(recorded=str(RECORDED), meanwhile=meanwhile)


def is_running(folder: Path) -> bool:
    try:
        os.kill(int((folder / "started").read_text()), 0)
    except ProcessLookupError:
        return False
    return True


def wait_until_ended(folder: Path) -> None:
    deadline = time.monotonic() + 60
    while is_running(folder):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_it_is_started_asked_and_ended(short: Document, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path, monkeypatch, serving())
    backend = open_backend("vllm:Some/Model --max-model-len 4096")
    assert isinstance(backend, VLLMBackend)
    store = generate(backend, short, tmp_path / "t.jsonl")
    assert store.n_tasks == 25
    assert backend.name == "vllm:Some/Model"
    assert backend.host is None
    wait_until_ended(tmp_path)


def test_a_progress_bar_of_any_length_is_read(short: Document, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than a pipe holds, and more than a line should: a download of hours has no line end."""
    progress = 'for n in range(20_000): print(f"{n:9} of 20000 files", end="\\r", flush=True)\n'
    stand_in(tmp_path, monkeypatch, progress + serving())
    assert generate(VLLMBackend("m"), short, tmp_path / "t.jsonl").n_tasks == 25
    stand_in(tmp_path, monkeypatch, f'print("starting")\n{progress}\nsys.exit("no room")')
    with pytest.raises(GeneratorUnavailableError, match=r"last:\n  loading m\n  starting\n  no room$"):
        generate(VLLMBackend("m"), short, tmp_path / "t.jsonl")


def test_a_start_that_fails_shows_the_last_lines(
    short: Document, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path, monkeypatch, 'print("CUDA out of memory"); sys.exit(3)')
    with pytest.raises(GeneratorUnavailableError, match=r"did not start \(exit code 3\)(?s:.*)CUDA out of memory"):
        generate(VLLMBackend("m"), short, tmp_path / "t.jsonl")


def test_a_server_that_dies_is_said_with_its_last_lines(
    short: Document, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = """
    server.token_seconds = 0.05
    while not server.active: time.sleep(0.01)
    print("killed", flush=True)
    os._exit(9)"""
    stand_in(tmp_path, monkeypatch, serving(body))
    with pytest.raises(GeneratorUnavailableError, match=r"vLLM died(?s:.*)killed"):
        generate(VLLMBackend("m"), short, tmp_path / "t.jsonl")


def test_no_executable(short: Document, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(EXECUTABLE_VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(GeneratorUnavailableError, match=r"Install vLLM(?s:.*)No such file"):
        generate(VLLMBackend("m"), short, tmp_path / "t.jsonl")


def test_a_port_that_is_taken(replay: object, short: Document, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = replay.url.rpartition(":")[2].removesuffix("/v1")  # type: ignore[attr-defined]
    with pytest.raises(GeneratorUnavailableError, match=f"port {port} is taken"):
        generate(VLLMBackend(f"m --port {port}"), short, tmp_path / "t.jsonl")


def test_no_model() -> None:
    with pytest.raises(GeneratorUnavailableError, match="name the model"):
        open_backend("vllm:")


@pytest.mark.integration
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_it_ends_with_lift_however_that_ends(
    how: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in(tmp_path, monkeypatch, serving("    server.token_seconds = 30; time.sleep(600)"))
    document = tmp_path / "d.txt"
    document.write_text("Picardo was born in Jerez de la Frontera. " * 5, encoding="utf-8")
    command = [sys.executable, "-m", "lift", "tasks", str(document), "--out", str(tmp_path / "t.jsonl")]
    process = subprocess.Popen([*command, "--generator", "vllm:m"], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not (tmp_path / "started").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(how)
    assert process.wait(60) == (130 if how == signal.SIGINT else -signal.SIGKILL)
    wait_until_ended(tmp_path)
