"""Files of one JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lift.errors import TaskFileError

__all__ = ["read_jsonl"]


def read_jsonl(path: Path, broken: list[int] | None = None) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a JSONL file with their line numbers; empty lines are passed over.

    Args:
        broken: takes the numbers of lines that hold no object; None makes them an error.

    Raises:
        TaskFileError: the file is missing, not UTF-8, or a line is not a JSON object.
    """
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                try:
                    value = json.loads(line)
                except json.JSONDecodeError as error:
                    value, reason = None, f"not JSON ({error.msg})"
                else:
                    reason = "not a JSON object"
                if isinstance(value, dict):
                    yield number, value
                elif broken is None:
                    raise TaskFileError(f"{path}:{number}: {reason}")
                else:
                    broken.append(number)
    except UnicodeDecodeError as error:
        raise TaskFileError(f"{path}: not UTF-8 ({error.reason} at byte {error.start})") from None
    except OSError as error:
        raise TaskFileError(f"cannot read {path}: {error.strerror}") from None
