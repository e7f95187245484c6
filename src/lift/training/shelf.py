"""Encoded tasks on disk: a document of a million tokens has more of them than should lie in memory."""

from __future__ import annotations

import tempfile
from array import array
from collections.abc import Sequence
from typing import overload

from lift.training.encoding import EncodedTask

__all__ = ["TaskShelf"]


class TaskShelf(Sequence[EncodedTask]):
    """A list of encoded tasks that keeps 12 bytes of each in memory; the rest lies in an unnamed temporary file."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115  # it lives as long as this object
        self._places = array("Q", [0])
        self._prompt_lengths = array("I")

    def append(self, task: EncodedTask) -> None:
        """Put `task` at the end."""
        content = array("i", task.ids).tobytes()
        self._file.seek(self._places[-1])
        self._file.write(content)
        self._places.append(self._places[-1] + len(content))
        self._prompt_lengths.append(len(task.prompt_ids))

    def __len__(self) -> int:
        return len(self._prompt_lengths)

    @overload
    def __getitem__(self, index: int) -> EncodedTask: ...

    @overload
    def __getitem__(self, index: slice) -> list[EncodedTask]: ...

    def __getitem__(self, index: int | slice) -> EncodedTask | list[EncodedTask]:
        """The task at `index`, with that number as its id."""
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        number = index if index >= 0 else len(self) + index
        if not 0 <= number < len(self):
            raise IndexError(index)
        start, end = self._places[number], self._places[number + 1]
        self._file.seek(start)
        ids = array("i", self._file.read(end - start))
        prompt = self._prompt_lengths[number]
        return EncodedTask(str(number), tuple(ids[:prompt]), tuple(ids[prompt:]))
