"""Rows of a public data set: from local files, or from the Hugging Face hub."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any
from zipfile import ZipFile

from lift.errors import BenchmarkError, LiftWarning
from lift.evaluation.benchmarks.base import read_lines

__all__ = ["read_rows"]


def read_rows(name: str, data: Path | None, *, hub: str, split: str = "test") -> Iterator[dict[str, Any]]:
    """The rows of the set `name`; broken lines of a file are left out, with a warning that counts them.

    Args:
        name: the local file is DATA/NAME.jsonl; on the hub it is a file of this name, or the configuration.
        data: the folder; None downloads.
        hub: the data set's id.

    Raises:
        BenchmarkError: it is not to be had; the message says how to get it.
    """
    hint = f"Download {name}.jsonl from https://huggingface.co/datasets/{hub} and name its folder with --data"
    if data is not None:
        yield from _rows_of(data / f"{name}.jsonl", hint)
        return
    try:
        with tempfile.TemporaryDirectory() as scratch:
            file = _download(f"{name}.jsonl", hub, Path(scratch))
            yield from _rows_of(file, hint) if file else _rows_by_datasets(name, hub, split)
    except BenchmarkError:
        raise
    except ImportError:
        raise BenchmarkError(f"{hint}; or install the extra lift-llm[eval], which downloads it") from None
    except Exception as error:  # whatever a download can meet: network, a moved file, a changed schema
        raise BenchmarkError(f"cannot download {hub} ({name}): {error}. {hint}") from error


def _rows_of(path: Path, hint: str) -> Iterator[dict[str, Any]]:
    broken: list[int] = []
    for _, row in read_lines(path, hint, broken):
        yield row
    if broken:
        message = f"{path.name}: {len(broken)} broken lines are left out, the first is line {broken[0]}"
        warnings.warn(message, LiftWarning, stacklevel=3)


def _download(name: str, hub: str, scratch: Path) -> Path | None:
    """The data set's file of this name, wherever it lies, in an archive as well; None if there is none.

    LongBench's loader is a script, which `datasets` 4 refuses to run; its files lie in an archive.
    """
    from huggingface_hub import hf_hub_download, list_repo_files

    files = list_repo_files(hub, repo_type="dataset")
    for file in files:
        if PurePosixPath(file).name == name:
            return Path(hf_hub_download(hub, file, repo_type="dataset"))
    for file in files:
        if file.endswith(".zip"):
            with ZipFile(hf_hub_download(hub, file, repo_type="dataset")) as archive:
                for member in archive.namelist():
                    if PurePosixPath(member).name == name:
                        return Path(archive.extract(member, scratch))
    return None


def _rows_by_datasets(name: str, hub: str, split: str) -> Iterator[dict[str, Any]]:
    from datasets import load_dataset

    yield from load_dataset(hub, name, split=split)
