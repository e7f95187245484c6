"""Folders: which of their files are read, and programs among texts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

__all__ = ["as_code", "files_in"]

# Made by programs for programs.
_NOT_WRITTEN: Final = frozenset(("__pycache__", "node_modules"))
_TICKS: Final = re.compile(r"`{3,}")


def files_in(folder: Path) -> Iterator[Path]:
    """The files of a folder and of those in it, in the order of their names, without hidden and empty ones."""
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name in _NOT_WRITTEN:
            continue
        if path.is_dir():
            yield from () if path.is_symlink() else files_in(path)  # it may lead back here
        elif path.is_file() and path.stat().st_size:
            yield path


def as_code(text: str) -> str:
    """The text between two fences that are longer than any in it."""
    fence = "`" * (1 + max(map(len, _TICKS.findall(text)), default=2))
    return f"{fence}\n{text.strip(chr(10))}\n{fence}"
