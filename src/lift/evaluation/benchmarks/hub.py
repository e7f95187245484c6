"""Rows of a public data set: from local files, or through `datasets`."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lift.errors import BenchmarkError, LiftWarning
from lift.evaluation.benchmarks.base import read_lines

__all__ = ["read_rows"]


def read_rows(name: str, data: Path | None, *, hub: str, split: str = "test") -> Iterator[dict[str, Any]]:
    """The rows of the set `name`; broken lines of a file are left out, with a warning that counts them.

    Args:
        name: the local file is DATA/NAME.jsonl; on the hub it is the configuration.
        data: the folder; None downloads.
        hub: the data set's id.

    Raises:
        BenchmarkError: it is not to be had; the message says how to get it.
    """
    hint = f"Download {name}.jsonl from https://huggingface.co/datasets/{hub} and name its folder with --data"
    if data is not None:
        broken: list[int] = []
        for _, row in read_lines(data / f"{name}.jsonl", hint, broken):
            yield row
        if broken:
            message = f"{name}.jsonl: {len(broken)} broken lines are left out, the first is line {broken[0]}"
            warnings.warn(message, LiftWarning, stacklevel=2)
        return
    try:
        from datasets import load_dataset
    except ImportError:
        raise BenchmarkError(f"{hint}; or install the extra lift-llm[eval], which downloads it") from None
    try:
        yield from load_dataset(hub, name, split=split)
    except Exception as error:  # whatever a download can meet: network, a moved file, a changed schema
        raise BenchmarkError(f"cannot download {hub} ({name}): {error}. {hint}") from error
