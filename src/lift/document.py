"""Documents: read a file as text, normalise it, find its title."""

from __future__ import annotations

import hashlib
import io
import os
import re
import unicodedata
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from lift.captions import CAPTION_FORMATS, caption_text
from lift.errors import DocumentError, DocumentNotFoundError, MissingExtraError
from lift.markdown import without_marks

__all__ = ["Document", "Segment", "read_document"]

# Files whose lines are no sentences: programs and data.
_NO_PROSE: Final = frozenset(
    ".bash .c .cc .cfg .clj .conf .cpp .cs .css .csv .cu .cxx .dart .erl .ex .f90 .go .h .hpp .hs .ini .java .jl .js "
    ".json .jsonl .jsx .kt .lisp .log .lua .m .ml .mm .php .pl .pm .ps1 .py .pyi .r .rb .rs .scala .scss .sh .sql "
    ".svelte .swift .tf .toml .ts .tsv .tsx .vb .vue .xml .yaml .yml .zig .zsh".split()
)
_MARKDOWN: Final = frozenset((".md", ".markdown"))
# Formats that need the optional reader, with what their files begin with.
_RICH_FORMATS: Final = {
    ".pdf": b"%PDF",
    ".docx": b"PK",
    ".epub": b"PK",
    ".ipynb": b"{",
    ".html": b"",
    ".htm": b"",
    ".xhtml": b"",
}
_EXTRA: Final = 'pip install "lift-llm[documents]"'
_BOMS: Final = {
    b"\xff\xfe\x00\x00": "utf-32",
    b"\x00\x00\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
# Control characters but tab and newline; zero-width characters and soft hyphens, which only split words.
_NOISE: Final = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f\u00ad\u200b\u2060\ufeff]")
# All that Unicode counts among the ends of paragraphs and lines.
_PARAGRAPH_END: Final = re.compile(r"[\f\u2029]")
_LINE_END: Final = re.compile(r"\r\n|[\r\x85\u2028]")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
_TITLE_LIMIT: Final = 120


@dataclass(frozen=True)
class Document:
    """A text and its title.

    Attributes:
        text: the normalised text; every offset in lift counts its characters.
        title: how questions refer to it.
        source: the file it came from, if any.
    """

    text: str
    title: str
    source: str | None = None

    @classmethod
    def from_text(cls, text: str, title: str) -> Document:
        """A document from a string.

        Raises:
            DocumentError: the text is empty.
        """
        normalised = normalise(text)
        if not normalised.strip():
            raise DocumentError("the document is empty")
        return cls(normalised, title)

    @property
    def is_prose(self) -> bool:
        """Whether it has sentences, as far as the file's name tells: it is no program and no data file."""
        return self.source is None or Path(self.source).suffix.lower() not in _NO_PROSE

    @cached_property
    def sha256(self) -> str:
        """Hash of the normalised text."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a document: `text == document.text[start:end]`, without white space at either end."""

    index: int
    start: int
    end: int
    text: str


def read_document(path: str | os.PathLike[str], title: str | None = None) -> Document:
    """Read a file: text, Markdown, a program; PDF, DOCX, HTML, EPUB, a notebook, subtitles with the `documents` extra.

    Of Markdown, and of what becomes Markdown (all but PDF and subtitles), the text is what a reader sees: without
    emphasis, targets of links, images and tags.

    Args:
        path: the file; the encoding of plain text is detected.
        title: the document's title; else its metadata, its first heading or its file name.

    Raises:
        DocumentNotFoundError: there is no such file.
        DocumentError: it is empty, binary, damaged, or a scan without text.
        MissingExtraError: its format needs the `documents` extra.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise DocumentNotFoundError(f"no document at {path}") from None
    except IsADirectoryError:
        raise DocumentError(f"{path} is a folder; give one file") from None
    except OSError as error:
        raise DocumentError(f"cannot read {path}: {error.strerror}") from error
    if not data.strip():
        raise DocumentError(f"{path} is empty")
    rich = _rich_suffix(path, data)
    suffix = rich or path.suffix.lower()
    text, found = _convert(path, data, rich) if rich else (_decode(path, data), None)
    text = normalise(text)
    if suffix in CAPTION_FORMATS:
        text = _captions(path, text, suffix)
    elif suffix in _MARKDOWN or rich not in (None, ".pdf"):
        text = without_marks(text)
    if not text.strip():
        hint = "; if it is a scan, run it through OCR first (for example ocrmypdf)" if rich == ".pdf" else ""
        raise DocumentError(f"{path} holds no text{hint}")
    heading = _heading(text) if rich or suffix in (*_MARKDOWN, ".txt", "") else None
    return Document(text, title or found or heading or path.stem.replace("_", " "), str(path))


def normalise(text: str) -> str:
    """Unix line ends, composed characters (NFC), no control or zero-width characters."""
    text = _PARAGRAPH_END.sub("\n\n", _LINE_END.sub("\n", text))
    return unicodedata.normalize("NFC", _NOISE.sub("", text))


def _rich_suffix(path: Path, data: bytes) -> str | None:
    suffix = path.suffix.lower()
    if suffix in _RICH_FORMATS:
        if not data.lstrip()[:8].startswith(_RICH_FORMATS[suffix]):
            raise DocumentError(f"{path} is not a {suffix[1:].upper()} file, whatever its name says")
        return suffix
    return ".pdf" if data.startswith(b"%PDF-") else None


def _decode(path: Path, data: bytes) -> str:
    for bom, encoding in _BOMS.items():
        if data.startswith(bom):
            try:
                return data.decode(encoding)
            except UnicodeDecodeError:
                break
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        from charset_normalizer import from_bytes

        matches = [] if b"\0" in data else list(from_bytes(data))
        if not matches:
            raise DocumentError(f"{path} looks like a binary file, not text") from None
        # Of encodings that fit equally well, the most common one.
        fit = (matches[0].chaos, matches[0].coherence)
        usual = [m for m in matches if m.encoding == "cp1252" and (m.chaos, m.coherence) == fit]
        text = str(usual[0] if usual else matches[0])
    if len(_CONTROL.findall(text)) > len(text) / 200:
        raise DocumentError(f"{path} looks like a binary file, not text")
    return text


def _convert(path: Path, data: bytes, suffix: str) -> tuple[str, str | None]:
    """Text and title of a file in one of the rich formats."""
    kind = suffix[1:].upper()
    try:
        from markitdown import MissingDependencyException, StreamInfo, converters
    except ImportError:
        raise MissingExtraError(f"reading {kind}", _EXTRA) from None
    # Not MarkItDown itself: it would fall back to reading a damaged PDF as plain text.
    converter = {
        ".pdf": converters.PdfConverter,
        ".docx": converters.DocxConverter,
        ".epub": converters.EpubConverter,
        ".ipynb": converters.IpynbConverter,
    }.get(suffix, converters.HtmlConverter)
    try:
        result = converter().convert(io.BytesIO(data), StreamInfo(extension=suffix, filename=path.name))
    except MissingDependencyException:
        raise MissingExtraError(f"reading {kind}", _EXTRA) from None
    except Exception as error:  # a damaged file fails anywhere inside the format's own parser
        reason = str(error).strip().split("\n")[-1] or type(error).__name__
        raise DocumentError(f"cannot read {path} as {kind}: {reason}") from error
    title = (result.title or "").strip()[:_TITLE_LIMIT] or None
    return result.markdown, title


def _captions(path: Path, text: str, suffix: str) -> str:
    try:
        return caption_text(text, suffix)
    except ImportError as error:
        raise MissingExtraError("reading subtitles", _EXTRA) from error
    except ValueError as error:
        raise DocumentError(f"cannot read {path} as {suffix[1:].upper()}: {error}") from error


def _heading(text: str) -> str | None:
    """The title in a front matter or the first heading, if the text begins with one or has a Markdown one."""
    front = re.match(r"---\n(.*?)\n---\n", text, re.DOTALL)
    if front and (title := re.search(r"^title:\s*[\"']?(.+?)[\"']?\s*$", front[1], re.MULTILINE)):
        return title[1][:_TITLE_LIMIT]
    if found := re.search(r"^#{1,3}\s+(\S.*?)\s*#*$", text, re.MULTILINE):
        return found[1][:_TITLE_LIMIT]
    first, _, rest = text.strip().partition("\n")
    if rest.startswith("\n") and len(first) <= _TITLE_LIMIT and not first.rstrip().endswith((".", "!", "?", ":", ",")):
        return first.strip()
    return None
