"""What several tests need."""

import io
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from lift.cli import main
from lift.document import Document, read_document
from tests.replay_server import ReplayServer

# A shell that starts the tests in the background has them, and the processes that they start, ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Read when transformers is imported: no test asks a model hub.
os.environ["HF_HUB_OFFLINE"] = "1"

EXAMPLE = Path(__file__).parents[1] / "examples" / "picardo"
RECORDED = EXAMPLE / "tasks.jsonl"


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the user's keys."""
    monkeypatch.delenv("LIFT_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


@pytest.fixture(scope="session")
def picardo() -> Document:
    """The demo's document: 17k characters, 106 recorded segments."""
    return read_document(EXAMPLE / "picardo.txt", title="José Luis Picardo")


@pytest.fixture(scope="session")
def short() -> Document:
    """Its first five recorded segments."""
    text = (EXAMPLE / "picardo.txt").read_text(encoding="utf-8")
    return Document.from_text(text[:388], title="José Luis Picardo")


@pytest.fixture
def replay() -> Iterator[ReplayServer]:
    """A server that answers at once."""
    with ReplayServer(RECORDED) as server:
        yield server


class Done(NamedTuple):
    """How a command ended."""

    returncode: int | str
    stdout: str
    stderr: str


Here = Callable[..., Done]


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Here:
    """The command in this process, which has torch loaded: the same entry point, seconds faster."""

    def run(*arguments: str | Path, stdin: str = "") -> Done:
        monkeypatch.setattr(sys, "argv", ["lift", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        return Done(ended.value.code or 0, *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny random Llama and the embedded model's tokenizer: fast, and knows nothing."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from lift.model import load_base_model

    tokenizer = load_base_model().tokenizer
    folder = tmp_path_factory.mktemp("models") / "tiny"
    torch.manual_seed(0)
    # Large weights, so that its answers differ and adapters show.
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        initializer_range=0.2,
        bos_token_id=1,
        eos_token_id=2,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
