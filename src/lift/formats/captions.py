"""Subtitles as a text: what was said, and by whom, without numbers and times."""

from __future__ import annotations

import html
import io
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from webvtt import Caption

__all__ = ["caption_text"]

# Seconds without a word that begin a new paragraph.
_PAUSE: Final = 3


def caption_text(text: str, suffix: str) -> str:
    """The captions of an SRT or WebVTT file, one paragraph for every speaker's turn or until a pause.

    Automatic captions show each line again above the next one: it is taken once.

    Args:
        text: the file's.
        suffix: .srt or .vtt.

    Raises:
        ImportError: webvtt-py is not installed.
        ValueError: it is no such file.
    """
    import webvtt
    from webvtt.errors import MalformedCaptionError, MalformedFileError

    try:
        captions = webvtt.from_buffer(io.StringIO(text), suffix[1:]).captions
    except (MalformedCaptionError, MalformedFileError) as error:
        raise ValueError(str(error)) from error
    return "\n\n".join(_paragraphs(captions))


def _paragraphs(captions: Iterable[Caption]) -> Iterator[str]:
    lines: list[str] = []
    speaker: str | None = None
    last, end = "", 0
    for caption in captions:
        said = (" ".join(html.unescape(line).split()) for line in caption.text.splitlines())
        turns = (caption.voice or speaker) != speaker
        if lines and (turns or caption.start_in_seconds - end >= _PAUSE):
            yield "\n".join(lines)
            lines, last = [], ""
        speaker, end = caption.voice or speaker, caption.end_in_seconds
        for line in filter(None, said):
            if line != last:
                lines.append(line if lines or not speaker else f"{speaker}: {line}")
            last = line
    if lines:
        yield "\n".join(lines)
