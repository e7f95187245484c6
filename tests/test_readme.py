"""The README's commands do what it says; all but `make test` itself, which runs this."""

import re
import shlex
import subprocess
import textwrap
from pathlib import Path

import pytest

from tests.conftest import EXAMPLE, RECORDED, Here
from tests.replay_server import ReplayServer
from tests.test_document import pdf

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def commands(language: str) -> list[str]:
    blocks = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


def test_the_two_commands_do_everything() -> None:
    assert commands("bash")[:2] == ["make demo", "make test"]
    targets = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in ("demo", "test", "setup"):
        assert re.search(rf"^{target}:", targets, re.MULTILINE)
    assert "make test" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_demo() -> None:
    for command in commands("bash"):
        if command == "make test":
            continue
        done = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        if command == "make demo":
            right = re.search(r"right answers: (\d+) of 31 before .*, (\d+) of 31 after", done.stdout)
            assert right, done.stdout
            assert int(right[1]) <= 3
            assert int(right[2]) >= 12
        else:
            assert done.stdout.strip()


@pytest.fixture
def stand_ins(tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The README's document, model and server, as small ones of the same kind."""
    sentence = (EXAMPLE / "picardo.txt").read_text(encoding="utf-8")[:117].encode("ascii", "ignore").decode()
    (tmp_path / "report.pdf").write_bytes(pdf("\n".join(textwrap.wrap(sentence.strip(), 60))))
    (tmp_path / "notes.md").write_text(sentence, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return {"Qwen/Qwen3-4B": str(tiny_model), "http://localhost:8001/v1": "URL"}


def small(command: str, stand_ins: dict[str, str], url: str) -> str:
    for name, stand_in in stand_ins.items():
        command = command.replace(name, url if stand_in == "URL" else stand_in)
    return command


def test_a_users_own_document_on_the_command_line(stand_ins: dict[str, str], here: Here) -> None:
    lines = [line.removeprefix(".venv/bin/") for line in commands("sh")]
    assert [line.split()[:3] for line in lines] == [
        ["lift", "absorb", "notes.md"],  # offline: nothing of it reaches the server
        ["lift", "ask", "adapters/notes"],
        ["lift", "absorb", "report.pdf"],
        ["lift", "ask", "adapters/report"],
        ["lift", "chat", "adapters/report"],
    ]
    with ReplayServer(RECORDED) as server:
        for line in lines:
            arguments = shlex.split(small(line, stand_ins, server.url))[1:]
            if arguments[0] == "absorb":
                arguments += ["--set", "epochs=1", "--set", "rank=4", "--set", "min_steps=1"]
            done = here(*arguments, stdin="Who?\n")
            assert done.returncode == 0, done.stderr
    assert [segment[:31] for segment in server.segments] == ["Early life. Picardo was born in"]


def test_the_same_in_python(stand_ins: dict[str, str]) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    with ReplayServer(RECORDED) as server:
        exec(compile(small(code, stand_ins, server.url), "README.md", "exec"), {})
    assert Path("adapters/report/lift.json").exists()


def test_no_place_is_left_to_fill_in() -> None:
    for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        text = path.read_text(encoding="utf-8")
        assert "{{" not in text
        for target in re.findall(r"\]\(([^)#]+)", text):
            assert target.startswith("http") or (path.parent / target).exists(), target
