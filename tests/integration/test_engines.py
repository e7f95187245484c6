"""Real engines write tasks for a real text, and the model is trained on them."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import lift
from lift.document import Document
from lift.errors import LiftWarning
from lift.progress import Progress
from lift.splitting import split_document
from lift.synthesis.checks import is_grounded
from lift.synthesis.parser import Pair
from lift.synthesis.writing import view
from tests.conftest import EXAMPLE

pytestmark = pytest.mark.integration

# What the embedded model writes is poor: here it matters that it is asked, read, stored and trained on.
KNOBS = {
    "tasks_per_segment": 2,
    "generator_max_tokens": 120,
    "generator_retries": 2,
    "check_pairs": False,
    "max_failed_share": 0.5,
    "epochs": 1,
    "min_steps": 1,
    "rank": 4,
}


@pytest.fixture
def document() -> Document:
    return Document.from_text((EXAMPLE / "picardo.txt").read_text(encoding="utf-8")[:340], title="José Luis Picardo")


@pytest.fixture
def llama_cpp() -> Iterator[str]:
    """The URL of llama.cpp's own server with the embedded model's GGUF."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.llama_server"],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout
    url = process.stdout.readline().strip()
    yield f"{url}/v1"
    process.communicate()


def test_llama_cpp_writes_tasks_to_a_schema(llama_cpp: str, document: Document, tmp_path: Path) -> None:
    lifted = lift.absorb(
        document, generator=llama_cpp, recipe=lift.load_recipe("cpu", KNOBS), out=tmp_path / "a", dtype="float32"
    )
    counts = lifted.manifest.counts
    assert lifted.manifest.generator == f"{llama_cpp} smollm2"
    assert counts["tasks"] >= counts["segments"] >= 3
    assert counts["visits"] == counts["tasks"]
    # The engine's own count of tokens; an answer that goes on after its last pair is cut off and estimated.
    assert counts["generator_tokens"]["estimated"] < counts["requests"]
    assert counts["generator_tokens"]["prompt"] > 300 * counts["segments"]
    assert counts["generator_tokens"]["completion"] > 0
    assert lifted.ask("Who was born in Jerez?", max_new_tokens=8)


def test_the_base_model_writes_its_own_tasks(document: Document, tmp_path: Path) -> None:
    """Its adapter off while it writes, in turn with training; nothing of the base model changes."""
    base = lift.load_base_model()
    before = {name: weight.clone() for name, weight in base.network.state_dict().items()}
    seen: list[Progress] = []
    knobs = {**KNOBS, "generator_max_tokens": 80, "generator_retries": 0, "max_failed_share": 1}
    recipe = lift.load_recipe("cpu", knobs)
    with pytest.warns(LiftWarning, match="poor tasks"):
        lifted = lift.absorb(
            document, model=base, generator="self", recipe=recipe, out=tmp_path / "a", on_progress=seen.append
        )
    counts = lifted.manifest.counts
    assert lifted.manifest.generator == "self"
    assert counts["tasks"] >= 1
    assert counts["generator_tokens"]["completion"] > 0
    assert seen[-1].phase == "done"
    lifted.close()
    after = base.network.state_dict()
    assert all((after[name] == weight).all() for name, weight in before.items())


def test_an_interruption_does_not_wait_for_a_long_answer(document: Document, tmp_path: Path) -> None:
    """The batch in progress is cut off at its next token, and its segments are asked again by the next run."""
    recipe = lift.load_recipe("cpu", {**KNOBS, "generator_max_tokens": 6000, "generator_temperature": 1.5})
    seen: list[float] = []

    def interrupt(progress: Progress) -> None:
        if progress.phase == "generating":
            seen.append(time.monotonic())
            if len(seen) == 8:  # two seconds into the first batch
                raise KeyboardInterrupt

    with pytest.warns(LiftWarning, match="poor tasks"), pytest.raises(KeyboardInterrupt):
        lift.absorb(document, generator="self", recipe=recipe, out=tmp_path / "a", on_progress=interrupt)
    assert time.monotonic() - seen[-1] < 20
    assert '"done"' not in (tmp_path / "a" / "tasks.jsonl").read_text(encoding="utf-8")


def test_a_text_and_nothing_else(document: Document, tmp_path: Path) -> None:
    """No model, no generator: the embedded model writes the tasks with its writer's adapter, which leaves no trace."""
    base = lift.load_base_model()
    before = {name: weight.clone() for name, weight in base.network.state_dict().items()}
    recipe = lift.load_recipe("cpu", {"tasks_per_segment": 2, "epochs": 2, "min_steps": 1, "rank": 4})
    lifted = lift.absorb(document, model=base, recipe=recipe, out=tmp_path / "a")
    counts = lifted.manifest.counts
    assert lifted.manifest.generator == "writer"
    assert 2 <= counts["tasks"] <= 2 * counts["segments"]
    assert counts["visits"] == 2 * counts["tasks"]
    assert counts["generator_tokens"]["completion"] > 0
    segments = split_document(document, recipe)
    for line in (tmp_path / "a" / "tasks.jsonl").read_text(encoding="utf-8").splitlines():
        task = json.loads(line)
        if task["record"] == "task":
            pair = Pair(task["question"], task["answer"])
            assert is_grounded(pair, view(document, segments[task["segments"][0]]))
    lifted.close()
    after = base.network.state_dict()
    assert list(after) == list(before)
    assert all((after[name] == weight).all() for name, weight in before.items())
