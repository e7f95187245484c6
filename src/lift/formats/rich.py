"""Formats that need an optional reader."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, Final

from lift.errors import DocumentError, MissingExtraError
from lift.formats.captions import caption_text
from lift.formats.html import main_part
from lift.formats.markdown import without_marks
from lift.formats.pandoc import PANDOC_FORMATS, text_by_pandoc
from lift.formats.pdf import pdf_text
from lift.formats.plain import decode_text
from lift.formats.rst import page_of_rst

__all__ = ["read_rich", "rich_suffix"]

_RST: Final = ".rst"
# Known by their content as well.
_BEGINNINGS: Final = {".pdf": b"%PDF-", ".rtf": rb"{\rtf"}
# What their files begin with, by suffix.
_FORMATS: Final = {
    **dict.fromkeys(PANDOC_FORMATS, b""),
    **_BEGINNINGS,
    ".docx": b"PK",
    ".pptx": b"PK",
    ".epub": b"PK",
    ".odt": b"PK",
    ".ipynb": b"{",
    ".html": b"",
    ".htm": b"",
    _RST: b"",
    ".xhtml": b"",
    ".srt": b"",
    ".vtt": b"",
}
_CAPTIONS: Final = (".srt", ".vtt")
_PAGES: Final = (".html", ".htm", ".xhtml")
_EXTRA: Final = 'pip install "lift-llm[{}]"'


def rich_suffix(path: Path, data: bytes) -> str | None:
    """The suffix of the file's format, if it is one of those read here; PDF and RTF are known by their content as well.

    Raises:
        DocumentError: its name says so and its content does not.
    """
    suffix = path.suffix.lower()
    if suffix in _FORMATS:
        if not data.lstrip()[:8].startswith(_FORMATS[suffix]):
            raise DocumentError(f"{path} is no {suffix[1:].upper()} file, whatever its name says")
        return suffix
    return next((kind for kind, beginning in _BEGINNINGS.items() if data.startswith(beginning)), None)


def read_rich(path: Path, data: bytes, suffix: str) -> tuple[str, str | None]:
    """Text and title of a file.

    Args:
        path: for messages.
        suffix: that of its format.

    Raises:
        DocumentError: it is damaged.
        MissingExtraError: what reads it is not installed.
    """
    kind = suffix[1:].upper()
    try:
        return _read(path, data, suffix)
    except DocumentError:
        raise
    except ImportError as error:
        extra = "pandoc" if suffix in PANDOC_FORMATS else "documents"
        raise MissingExtraError(f"reading {kind}", _EXTRA.format(extra)) from error
    except Exception as error:  # a damaged file fails anywhere inside the format's own parser
        reason = str(error).strip().split("\n")[-1] or type(error).__name__
        raise DocumentError(f"cannot read {path} as {kind}: {reason}") from error


def _read(path: Path, data: bytes, suffix: str) -> tuple[str, str | None]:
    if suffix == ".pdf":
        return pdf_text(data)
    if suffix in _CAPTIONS:
        return caption_text(decode_text(path, data), suffix), None
    if suffix in PANDOC_FORMATS:
        return text_by_pandoc(path, data, suffix), None
    return _from_markdown(path, data, suffix)


def _from_markdown(path: Path, data: bytes, suffix: str) -> tuple[str, str | None]:
    """What markitdown makes Markdown of."""
    from markitdown import MissingDependencyException, StreamInfo, converters

    # Not MarkItDown itself: it would fall back to reading a damaged file as plain text.
    converter: Any = {
        ".docx": converters.DocxConverter,
        ".epub": converters.EpubConverter,
        ".ipynb": converters.IpynbConverter,
        ".pptx": converters.PptxConverter,
    }.get(suffix, converters.HtmlConverter)
    title = None
    if suffix in _PAGES:
        data = main_part(data)
    elif suffix == _RST:
        data, title = page_of_rst(decode_text(path, data))
    try:
        result = converter().convert(io.BytesIO(data), StreamInfo(extension=suffix, filename=path.name))
    except MissingDependencyException as error:
        raise ImportError(str(error)) from error
    return without_marks(result.markdown), title or (result.title or "").strip() or None
