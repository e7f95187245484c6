"""Documents: read a file as text, normalise it, find its title."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from lift.blocks import find_blocks
from lift.errors import DocumentError, DocumentNotFoundError, LiftWarning
from lift.formats.delimited import markdown_of_rows
from lift.formats.folders import as_code, files_in
from lift.formats.markdown import front_matter, without_marks
from lift.formats.pandoc import WORD_PROCESSED
from lift.formats.plain import decode_text
from lift.formats.rich import read_rich, rich_suffix

__all__ = ["Document", "Segment", "read_document"]

# Files whose lines are no sentences: programs and data.
_NO_PROSE: Final = frozenset(
    ".aux .bash .bbl .bib .blg .bst .c .cc .cfg .clj .cls .conf .cpp .cs .css .cu .cxx .dart .erl .ex .f90 .fls .go "
    ".h .hpp .hs .ini .java .jl .js .json .jsonl .jsx .kt .lisp .lof .log .lot .lua .m .ml .mm .php .pl .pm .ps1 "
    ".py .pyi .r .rb .rs .scala .scss .sh .sql .sty .svelte .swift .tf .toc .toml .ts .tsx .vb .vue .xml .yaml .yml "
    ".zig .zsh".split()
)
_MARKDOWN: Final = frozenset((".md", ".markdown"))
_DELIMITED: Final = frozenset((".csv", ".tsv"))
# Control characters but tab and newline; zero-width characters and soft hyphens, which only split words.
_NOISE: Final = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f\u00ad\u200b\u2060\ufeff]")
# All that Unicode counts among the ends of paragraphs and lines.
_PARAGRAPH_END: Final = re.compile(r"[\f\u2029]")
_LINE_END: Final = re.compile(r"\r\n|[\r\x85\u2028]")
# No-break, thin and other spaces: to a model "5 km" with one of them is another word than the user's.
_ODD_SPACE: Final = re.compile(r"[^\S \t\n]")
_MARKDOWN_TITLE: Final = re.compile(r"#{1,3}\s+(\S.*?)\s*#*")
_TITLE_LIMIT: Final = 120
_ADDRESS: Final = re.compile(r"(?:https?|ftp|s3|file):/")
# At the end of a source that is a folder.
_FOLDER_MARK: Final = "/"
# How many of the files that were left out a warning names.
_NAMED: Final = 5


@dataclass(frozen=True)
class Document:
    """A text and its title.

    Attributes:
        text: the normalised text; every offset in lift counts its characters.
        title: how questions refer to it.
        source: the file it came from, if any; or the folder, with a slash at its end.
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
        source = self.source or ""
        return source.endswith(_FOLDER_MARK) or Path(source).suffix.lower() not in _NO_PROSE

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
    """Read a file, or a folder of files.

    Text, Markdown, CSV and programs are read as they come; PDF, DOCX, PPTX, HTML, EPUB, notebooks, RST and subtitles
    with the extra `documents`; LaTeX, ODT, RTF, Org, DocBook, FB2, MediaWiki and Textile with the extra `pandoc`.

    Of Markdown, and of what becomes Markdown (all but PDF and subtitles), the text is what a reader sees: without
    emphasis, targets of links, images and tags. A CSV file becomes a table. Of a folder all files are read, by name,
    each below a heading with its name, programs and data as code; hidden ones are left out, and so are, with a warning,
    those that are no text.

    Args:
        path: the file or folder; the encoding of plain text is detected.
        title: the document's title; else its metadata, its first heading or its file name.

    Raises:
        DocumentNotFoundError: there is no such file.
        DocumentError: it is empty, binary, damaged, or a scan without text.
        MissingExtraError: its format needs the extra `documents` or `pandoc`.
    """
    path = Path(path)
    return _read_folder(path, title) if path.is_dir() else _read_file(path, title)


def _read_folder(folder: Path, title: str | None) -> Document:
    parts, left_out = [], []
    for path in files_in(folder):
        name = path.relative_to(folder).as_posix()
        try:
            file = _read_file(path, name)
        except DocumentError:
            left_out.append(name)
        else:
            parts.append(f"# {name}\n\n{file.text if file.is_prose else as_code(file.text)}")
    if not parts:
        raise DocumentError(f"{folder} holds no file that can be read")
    if left_out:
        names = ", ".join(left_out[:_NAMED]) + (", ..." if len(left_out) > _NAMED else "")
        warnings.warn(f"{folder}: {len(left_out)} files are no text and left out ({names})", LiftWarning, stacklevel=3)
    return Document("\n\n".join(parts), title or folder.resolve().name, f"{folder}{_FOLDER_MARK}")


def _read_file(path: Path, title: str | None) -> Document:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        # A path has lost one of the slashes.
        hint = ", which is an address: download the file and name that" if _ADDRESS.match(str(path)) else ""
        raise DocumentNotFoundError(f"no document at {path}{hint}") from None
    except OSError as error:
        raise DocumentError(f"cannot read {path}: {error.strerror}") from error
    if not data.strip():
        raise DocumentError(f"{path} is empty")
    suffix, rich = path.suffix.lower(), rich_suffix(path, data)
    text, found = read_rich(path, data, rich) if rich else (decode_text(path, data), None)
    text = normalise(text)
    if suffix in _MARKDOWN:
        text = without_marks(text)
    elif suffix in _DELIMITED and text.strip():
        text = markdown_of_rows(text)
    if not text.strip():
        hint = "; if it is a scan, run it through OCR first (for example ocrmypdf)" if rich == ".pdf" else ""
        raise DocumentError(f"{path} holds no text{hint}")
    if not (title or found) and (rich or suffix in (*_MARKDOWN, ".txt", "")):
        found = (_first_line(text) if rich in WORD_PROCESSED else None) or _heading(text)
    return Document(text, title or (found or path.stem.replace("_", " "))[:_TITLE_LIMIT], str(path))


def normalise(text: str) -> str:
    """Unix line ends, plain spaces, composed characters (NFC), no control or zero-width characters."""
    text = _PARAGRAPH_END.sub("\n\n", _LINE_END.sub("\n", text))
    return unicodedata.normalize("NFC", _ODD_SPACE.sub(" ", _NOISE.sub("", text)))


def _heading(text: str) -> str | None:
    """The title in a front matter, the first Markdown heading, or a short line before the first paragraph."""
    if title := re.search(r"^title:\s*[\"']?(.+?)[\"']?\s*$", front_matter(text), re.MULTILINE):
        return title[1]
    blocks = (text[slice(*span)] for span in find_blocks(text))
    if found := next(filter(None, map(_MARKDOWN_TITLE.fullmatch, blocks)), None):
        return found[1]
    return _first_line(text)


def _first_line(text: str) -> str | None:
    """The first paragraph, if it is as short as a title and ends like one."""
    first, _, rest = text.strip().partition("\n")
    if rest.startswith("\n") and len(first) <= _TITLE_LIMIT and not first.rstrip().endswith((".", "!", "?", ":", ",")):
        return first.lstrip("#").strip()
    return None
