"""What pandoc reads: LaTeX, word processors' files, and markup languages that few other readers know."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Final

from lift.errors import LiftWarning
from lift.formats.markdown import without_marks
from lift.formats.plain import decode_text

__all__ = ["PANDOC_FORMATS", "WORD_PROCESSED", "text_by_pandoc"]

# Pandoc's names of the formats, by suffix.
PANDOC_FORMATS: Final = {
    ".dbk": "docbook",
    ".docbook": "docbook",
    ".fb2": "fb2",
    ".mediawiki": "mediawiki",
    ".odt": "odt",
    ".org": "org",
    ".rtf": "rtf",
    ".tex": "latex",
    ".textile": "textile",
}
# No text, or one that says itself how it is encoded; a title is a paragraph there, and headings are those of chapters.
WORD_PROCESSED: Final = frozenset((".odt", ".rtf"))
_MARKDOWN: Final = "commonmark+footnotes+pipe_tables+tex_math_dollars-raw_html"
_FILTER: Final = Path(__file__).with_suffix(".lua")


def text_by_pandoc(path: Path, data: bytes, suffix: str) -> str:
    """What a file's reader sees, in Markdown; not the files that it includes.

    Its title is the first heading, but for those of `WORD_PROCESSED`. What pandoc does not understand is read as plain
    text, with a warning.

    Args:
        path: for messages.
        suffix: that of its format, one of `PANDOC_FORMATS`.

    Raises:
        DocumentError: it is no text.
        ImportError: pandoc is not installed.
        ValueError: it is an ODT or RTF file, and damaged.
    """
    source = data if suffix in WORD_PROCESSED else decode_text(path, data)
    try:
        return without_marks(_markdown(source, PANDOC_FORMATS[suffix]))
    except ValueError as error:
        if isinstance(source, bytes):
            raise
        message = f"{path} is read as plain text, marks and all, since pandoc does not understand it: {error}"
        warnings.warn(message, LiftWarning, stacklevel=2)
        return source


def _markdown(source: str | bytes, kind: str) -> str:
    import pypandoc

    # It tells of every picture and macro that it leaves out.
    logging.getLogger("pypandoc").setLevel(logging.CRITICAL)
    options = ["--wrap=none", "--reference-location=block", f"--lua-filter={_FILTER}"]
    try:
        markdown: str = pypandoc.convert_text(source, to=_MARKDOWN, format=kind, extra_args=options, sandbox=True)
    except OSError as error:  # pypandoc is there, without the program
        raise ImportError(str(error)) from error
    except RuntimeError as error:
        # Where it stopped, and at what; then come the line and a pointer.
        place, *reasons = str(error).partition("conversion: ")[2].split("\n")
        raise ValueError(" ".join([place, *reasons[:1]]).strip()) from error
    return markdown
