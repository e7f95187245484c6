"""Subtitles as a text."""

import pytest

from lift.formats.captions import caption_text

SRT = """\
1
00:00:01,000 --> 00:00:04,500
The <i>crane</i> was moved
to the quay.

2
00:00:04,600 --> 00:00:06,000
It lifts R&amp;D.

3
00:00:20,000 --> 00:00:22,000
Much later, it sank.
"""

VOICES = """\
WEBVTT

NOTE not
shown

STYLE
::cue { color: red }

one
00:01.000 --> 00:04.000 align:start
<v Anna Berg>Who comes?

00:04.000 --> 00:06.000
<v Anna Berg>And when?

00:06.000 --> 00:09.000
<v Ben>And when?

00:09.000 --> 00:11.000
On Monday.
"""

# As YouTube writes them: every line twice or three times.
ROLLING = """\
WEBVTT
Kind: captions

00:00:00.240 --> 00:00:02.470 align:start position:0%
 \nhi<00:00:00.400><c> everyone</c>

00:00:02.470 --> 00:00:02.480
hi everyone
 \n
00:00:02.480 --> 00:00:04.000
hi everyone
we talk<00:00:03.000><c> today</c>

00:00:04.000 --> 00:00:04.010
we talk today
"""


@pytest.mark.parametrize(
    ("text", "suffix", "expected"),
    [
        (SRT, ".srt", "The crane was moved\nto the quay.\nIt lifts R&D.\n\nMuch later, it sank."),
        (VOICES, ".vtt", "Anna Berg: Who comes?\nAnd when?\n\nBen: And when?\nOn Monday."),
        (ROLLING, ".vtt", "hi everyone\nwe talk today"),
    ],
    ids=["pauses", "speakers", "rolling"],
)
def test_what_was_said(text: str, suffix: str, expected: str) -> None:
    pytest.importorskip("webvtt")
    assert caption_text(text, suffix) == expected


@pytest.mark.parametrize("suffix", [".srt", ".vtt"])
def test_no_captions(suffix: str) -> None:
    pytest.importorskip("webvtt")
    with pytest.raises(ValueError, match="Invalid format"):
        caption_text("Just text.", suffix)
