"""The command line in its own process words: stdout, stderr, exit codes."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lift.cli.app import app
from lift.presets import PRESETS, load_recipe
from tests.conftest import EXAMPLE, RECORDED, Here
from tests.replay_server import ReplayServer

KNOBS = [f"--set={knob}" for knob in ("rank=4", "alpha=8", "lr=0.05", "epochs=1", "min_steps=1", "tasks_per_segment=2")]


COMMANDS = [command.name for command in app.registered_commands if command.name]


def lift(*arguments: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "lift", *map(str, arguments)], capture_output=True, text=True, input=stdin, check=False
    )


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("documents") / "picardo.txt"
    path.write_text((EXAMPLE / "picardo.txt").read_text(encoding="utf-8")[:388], encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path, document: Path) -> Path:
    folder = tmp_path_factory.mktemp("adapters") / "picardo"
    done = lift(
        "absorb",
        document,
        "--out",
        folder,
        "--model",
        tiny_model,
        "--generator",
        f"recorded:{RECORDED}",
        *KNOBS,
        "--title",
        "José Luis Picardo",
        "--device",
        "cpu",
        "--seed",
        "3",
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert re.match(r"Loading the model: 0/5 segments, 0 tasks\nDone: 5/5 segments, 10 tasks; step \d", done.stderr)
    assert "10 tasks from 5 segments" in done.stderr
    assert f"Ask it: lift ask {folder}" in done.stderr
    return folder


def test_help_teaches_every_command(here: Here) -> None:
    done = here("--help")
    assert done.returncode == 0
    assert all(command in done.stdout for command in COMMANDS)
    for command in COMMANDS:
        assert here(command, "--help").returncode == 0


def test_version() -> None:
    assert lift("--version").stdout.startswith("lift 0.")


def test_absorb_prints_one_json_summary(tiny_model: Path, document: Path, tmp_path: Path, here: Here) -> None:
    done = here(
        "absorb",
        document,
        "--out",
        tmp_path / "a",
        "--model",
        tiny_model,
        "--generator",
        f"recorded:{RECORDED}",
        *KNOBS,
        "--json",
    )
    assert done.stderr == ""
    summary = json.loads(done.stdout)
    assert summary["folder"] == str(tmp_path / "a")
    assert summary["counts"]["tasks"] == 10
    assert summary["recipe"]["rank"] == 4


def test_ask_prints_an_answer_a_line(adapter: Path, here: Here) -> None:
    done = here("ask", adapter, "Who?", "When?", "--max-new-tokens", "4")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 2
    assert done.stderr == ""
    base = here("ask", adapter, "Who?", "When?", "--max-new-tokens", "4", "--base")
    assert base.stdout != done.stdout


def test_ask_answers_a_file(adapter: Path, tmp_path: Path, here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    questions, answers = tmp_path / "q.jsonl", tmp_path / "new" / "a.jsonl"
    questions.write_text('{"id": 7, "question": "Who?", "answer": "reference"}\n\n{"id": "b", "question": "Wén?"}\n')
    monkeypatch.setattr("lift.cli.ask._AT_ONCE", 1)
    done = here("ask", adapter, "--questions", questions, "--out", answers, "--max-new-tokens", "4")
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    records = [json.loads(line) for line in answers.read_text().splitlines()]
    assert [(r["id"], r["question"]) for r in records] == [(7, "Who?"), ("b", "Wén?")]
    assert all(set(r) == {"id", "question", "answer"} and r["answer"] != "reference" for r in records)
    printed = here("ask", adapter, "--questions", questions, "--max-new-tokens", "4").stdout
    assert printed == answers.read_text()


def test_where_answers_cannot_be_written_is_said_before_any_is_there(
    adapter: Path, tmp_path: Path, here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lift.chat.LiftedModel.ask_many", lambda *_, **__: pytest.fail("asked"))
    questions = tmp_path / "q.jsonl"
    questions.write_text('{"question": "Who?"}\n')
    done = here("ask", adapter, "--questions", questions, "--out", tmp_path)
    assert done.returncode == 1
    assert "Is a directory" in done.stderr


def test_ask_with_a_text_in_the_context(adapter: Path, here: Here) -> None:
    answers = set()
    picardo = EXAMPLE / "picardo.txt"
    for more in ([], ["--context", picardo], ["--retrieve", picardo], ["--recall"]):
        done = here("ask", adapter, "Where was Picardo born?", *more, "--max-new-tokens", "8")
        assert done.returncode == 0, done.stderr
        answers.add(done.stdout)
    assert len(answers) == 4
    base, scaled = (here("ask", adapter, "Who?", *how) for how in (["--base"], ["--adapter-scale", "0"]))
    assert base.stdout == scaled.stdout
    for impossible in (["--adapter-scale", "-1"], ["--adapter-scale", "0.5", "--base"]):
        assert here("ask", adapter, "Who?", *impossible).returncode == 2
    for two in (["--context", picardo, "--retrieve", picardo], ["--retrieve", picardo, "--recall"]):
        done = here("ask", adapter, "Who?", *two)
        assert done.returncode == 2
        assert "give one of --context, --retrieve and --recall" in done.stderr
    shown = [
        here("ask", adapter, "Where was Picardo born?", "--retrieve", picardo, "--segments", n).stdout
        for n in ("1", "5")
    ]
    assert shown[0] != shown[1]
    done = here("ask", adapter, "Who?", "--context", picardo, "--segments", "1")
    assert done.returncode == 2
    assert "goes with --retrieve or --recall" in done.stderr


def test_chat_streams_answers_until_the_end(adapter: Path, here: Here) -> None:
    done = here("chat", adapter, "--retrieve", EXAMPLE / "picardo.txt", stdin="Who?\n\n/new\nWhen?\n/exit\n")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) >= 2
    assert here("chat", adapter, stdin="").returncode == 0


def test_chat_goes_on_after_a_question_that_is_too_long(adapter: Path, here: Here) -> None:
    done = here("chat", adapter, stdin=f"{'Who? ' * 600}\nWho?\n")
    assert done.returncode == 0, done.stderr
    assert "does not fit into the model's context window" in done.stderr
    assert done.stdout.strip()


def test_info_says_what_is_there(adapter: Path, tiny_model: Path, here: Here) -> None:
    done = here("info", adapter)
    assert "José Luis Picardo (388 characters)" in done.stdout
    assert f"vllm serve {tiny_model} --enable-lora --max-lora-rank" in done.stdout
    assert json.loads(here("info", adapter, "--json").stdout)["recipe"]["seed"] == 3


def test_recipe_writes_a_file_that_can_be_named(tmp_path: Path, here: Here) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text(here("recipe", "cpu", "--set", "epochs=7").stdout, encoding="utf-8")
    assert load_recipe(mine) == PRESETS["cpu"].replace(epochs=7)
    again = here("recipe", mine)
    assert again.stdout == mine.read_text(encoding="utf-8")
    assert "\n# Visits of every task. The paper: 5.\nepochs: 7\n" in again.stdout


def test_merge_writes_a_full_model(adapter: Path, tmp_path: Path, here: Here) -> None:
    done = here("merge", adapter, "--adapter-scale", "0.5", "--out", tmp_path / "merged")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "merged" / "model.safetensors").exists()


def test_tasks_can_be_made_first_and_absorbed_later(
    tiny_model: Path, document: Path, tmp_path: Path, here: Here
) -> None:
    with ReplayServer(RECORDED) as server:
        done = here("tasks", document, "--out", tmp_path / "t.jsonl", "--generator", server.url, "--json", *KNOBS[-1:])
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["complete"] is True
        asked = len(server.requests)
        again = here("tasks", document, "--out", tmp_path / "t.jsonl", "--generator", server.url, *KNOBS[-1:])
        assert again.returncode == 0
        assert len(server.requests) == asked  # nothing is asked twice
    done = here(
        "absorb",
        document,
        "--out",
        tmp_path / "a",
        "--model",
        tiny_model,
        "--json",
        *KNOBS,
        "--generator",
        f"recorded:{tmp_path / 't.jsonl'}",
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["counts"]["tasks"] == 10


def test_a_writer_from_a_folder(tiny_model: Path, document: Path, tmp_path: Path, here: Here) -> None:
    folder = tmp_path / "recordings"
    folder.mkdir()
    shutil.copy(RECORDED, folder / "picardo.tasks.jsonl")
    knobs = ["--model", tiny_model, "--set", "rank=4", "--set", "epochs=1"]
    none = here("writer", folder, "--out", tmp_path / "writer", *knobs)
    assert none.returncode == 2
    assert "has 0 documents beside it" in " ".join(none.stderr.split())
    shutil.copy(document, folder / "picardo.txt")
    done = here("writer", folder, "--out", tmp_path / "writer", *knobs)
    assert done.returncode == 0, done.stderr
    assert re.search(r"A writer taught in \d+ lessons from 1 documents", done.stderr)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["absorb", "DOC", "--out", "OUT", "--model", "m"], 1, "name who writes the tasks"),
        (["writer", "DOC", "--out", "OUT"], 2, "is neither DOCUMENT=TASKS.jsonl nor a folder"),
        (["writer", "FOLDER", "--out", "OUT"], 2, "holds no NAME.tasks.jsonl"),
        (["writer", "none.txt=none.jsonl", "--out", "OUT"], 1, "error: no document at none.txt"),
        (["eval", "picardo", "--methods", "lora", "--out", "OUT"], 1, "error: no method 'lora'"),
        (["eval", "picardo", "--seeds", "x", "--out", "OUT"], 2, "is no list of whole numbers"),
        (["report", "OUT"], 1, "holds no results"),
        (["recipe", "quick"], 1, "error: no recipe 'quick'"),
        (["absorb", "DOC"], 2, "--out"),
        (["ask", "OUT"], 2, "either questions or --questions"),
        (["nothing"], 2, "No such command"),
        (["absorb", "none.txt", "--out", "OUT", "--generator", "recorded:x"], 1, "error: no document at none.txt"),
        (["absorb", "DOC", "--out", "OUT", "--generator", "recorded:none"], 1, "error: cannot read none"),
        (["absorb", "DOC", "--out", "OUT", "--generator", "x", "--set", "epoch=1"], 1, "error: unknown knob epoch"),
        (["absorb", "DOC", "--out", "OUT", "--generator", "x", "--recipe", "no"], 1, "error: no recipe 'no'"),
        (["absorb", "DOC", "--out", "ADAPTER", "--generator", "x"], 1, "already holds a finished adapter"),
        (["absorb", "DOC", "--out", "DOC", "--generator", "x"], 1, "is a file; give a folder"),
        (["absorb", "DOC", "--out", "OUT", "--generator", "gpt-4"], 1, "error: no generator 'gpt-4'"),
        (["ask", "OUT", "Who?"], 1, "error: no adapter folder at"),
        (["ask", "ADAPTER", "Who?", "--model", "./none"], 1, "error: no model at ./none"),
        (["ask", "ADAPTER", "Who?", "--model", "nobody/nothing"], 1, "error: cannot load the base model"),
        (["ask", "ADAPTER", "Who?", "--device", "warp"], 1, "error: no device 'warp'"),
        (["ask", "ADAPTER", "Who?", "--dtype", "int3"], 1, "error: no dtype 'int3'"),
        (["ask", "ADAPTER", "--questions", "DOC"], 1, ":1: not JSON"),
        (["info", "OUT"], 1, "error: no adapter folder at"),
        (["info", "DOC"], 1, "error: no adapter folder at"),
    ],
)
def test_what_goes_wrong_is_said_with_the_right_code(
    arguments: list[str], code: int, message: str, document: Path, adapter: Path, tmp_path: Path, here: Here
) -> None:
    places = {"DOC": document, "OUT": tmp_path / "out", "ADAPTER": adapter, "FOLDER": tmp_path}
    done = here(*(places.get(argument, argument) for argument in arguments))
    assert done.returncode == code, done.stderr
    assert message in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert not (tmp_path / "out").exists()


def test_nothing_else_is_said(tmp_path: Path) -> None:
    """Nobody's warnings beside the error, in a process that has imported nothing yet."""
    done = lift("ask", tmp_path / "none", "Who?")
    assert done.stderr == f"error: no adapter folder at {tmp_path / 'none'}\n"
    done = lift("absorb", "none.txt", "--out", tmp_path / "out")
    assert done.stderr == "error: no document at none.txt\n"


def test_a_dry_run_says_what_it_would_cost_and_sends_nothing(document: Path, tmp_path: Path, here: Here) -> None:
    with ReplayServer(RECORDED) as server:
        for command in ("absorb", "tasks"):
            arguments = [command, document, "--out", tmp_path / "out", "--generator", server.url, "--dry-run"]
            shown = here(*arguments).stdout
            assert "5 requests" in shown
            assert f"The document goes to {server.url.split('/')[2]}." in shown
            assert json.loads(here(*arguments, "--json").stdout)["requests"] == 5
        assert not server.requests
    assert not (tmp_path / "out").exists()


def test_a_limit_stops_resumably(document: Path, tmp_path: Path, here: Here) -> None:
    out = tmp_path / "t.jsonl"
    with ReplayServer(RECORDED) as server:
        command = ["tasks", document, "--out", out, "--generator", server.url, "--set", "tasks_per_segment=5"]
        done = here(*command, "--max-requests", "2")
        assert done.returncode == 1
        assert "stopped at max_requests=2" in done.stderr
        assert len(server.requests) == 2
        summary = json.loads(here(*command, "--json").stdout)
        assert len(server.requests) == 5
    assert summary["tasks"] == 25
    assert summary["generator_tokens"]["prompt"] > 0


def test_several_documents_get_an_adapter_each(tiny_model: Path, document: Path, tmp_path: Path, here: Here) -> None:
    """The base model is loaded once; a document that fails does not stop the others."""
    stranger = tmp_path / "stranger.txt"
    stranger.write_text("Nothing was recorded about this text.", encoding="utf-8")
    again = tmp_path / "again.txt"
    again.write_text(document.read_text(encoding="utf-8"), encoding="utf-8")
    done = here(
        "absorb", document, stranger, again, "--out-dir", tmp_path / "adapters", "--model", tiny_model, "--json",
        "--generator", f"recorded:{RECORDED}", "--recipe", "cpu", "--set", "epochs=1", "--set", "rank=4",
        "--set", "prompt_template={question}",
    )  # fmt: skip
    assert done.returncode == 1
    assert "stranger.txt" in done.stderr
    assert "1 of 3 documents failed" in done.stderr
    summaries = [json.loads(line) for line in done.stdout.splitlines()]
    assert [Path(summary["folder"]).name for summary in summaries] == [document.stem, "again"]
    first, second = (
        (tmp_path / "adapters" / name / "adapter_model.safetensors").read_bytes() for name in (document.stem, "again")
    )
    assert first == second  # nothing of the first document is left in the model when the second one comes


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--out", "OUT"], "give --out-dir"),
        (["--out", "OUT", "--out-dir", "OUT"], "--out-dir DIR for several"),
        (["--out-dir", "OUT"], "several documents are called"),
    ],
)
def test_where_several_documents_go(
    arguments: list[str], message: str, document: Path, tmp_path: Path, here: Here
) -> None:
    words = [tmp_path / "out" if argument == "OUT" else argument for argument in arguments]
    done = here("absorb", document, document, *words, "--generator", "recorded:x")
    assert done.returncode == 2
    assert message in " ".join(done.stderr.split())


def test_several_documents_go_on_where_they_stopped(
    adapter: Path, document: Path, tiny_model: Path, tmp_path: Path, here: Here
) -> None:
    """What is finished is left as it is."""
    folder = tmp_path / "adapters" / document.stem
    shutil.copytree(adapter, folder)
    before = (folder / "lift.json").read_bytes()
    done = here("absorb", document, "--out-dir", tmp_path / "adapters", "--generator", f"recorded:{RECORDED}")
    assert done.returncode == 0
    assert "is finished; it is left as it is" in " ".join(done.stderr.split())
    assert (folder / "lift.json").read_bytes() == before


def test_a_budget_is_kept_and_said(tiny_model: Path, document: Path, tmp_path: Path, here: Here) -> None:
    command = [
        "absorb", document, "--out", tmp_path / "a", "--model", tiny_model, "--generator", f"recorded:{RECORDED}",
        "--recipe", "cpu", "--set", "rank=4", "--set", "epochs=400", "--json", "--budget",
    ]  # fmt: skip
    for _ in range(2):  # a machine may become six times slower between the measurement and the run, but not twice
        done = here(*command, "8s", "--overwrite")
        assert done.returncode == 0, done.stderr
        assert "8 s of training:" in done.stderr
        manifest = json.loads(done.stdout)
        assert 2 <= manifest["recipe"]["epochs"] < 400
        if manifest["seconds"]["training"] < 20:
            break
    assert manifest["seconds"]["training"] < 20
    assert not (tmp_path / "a" / "budget.json").exists()
    done = here(*command, "soon", "--overwrite")
    assert done.returncode == 2
    assert "write 90s, 5m or 1h" in " ".join(done.stderr.split())


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        (["rank=4"], "--max-lora-rank 8"),
        (["rank=4", "adapter=dora"], "takes no DoRA: lift merge"),
        (["rank=4", "adapter=rslora"], "--max-lora-rank 8"),
        (["rank=4", "recite=true"], "after the passage that they come from"),
    ],
)
def test_info_says_which_engines_load_it(
    knobs: list[str], message: str, tiny_model: Path, document: Path, tmp_path: Path, here: Here
) -> None:
    settings = [word for knob in [*knobs, "epochs=1"] for word in ("--set", knob)]
    generator = ["--generator", f"recorded:{RECORDED}"]
    done = here("absorb", document, "--out", tmp_path / "a", "--model", tiny_model, *generator, *settings)
    assert done.returncode == 0, done.stderr
    assert message in here("info", tmp_path / "a").stdout
