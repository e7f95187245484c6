"""Text files: which encoding they are in."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from lift.errors import DocumentError

__all__ = ["decode_text"]

_BOMS: Final = {
    b"\xff\xfe\x00\x00": "utf-32",
    b"\x00\x00\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
_CONTROL: Final = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")


def decode_text(path: Path, data: bytes) -> str:
    """The text of a file.

    Args:
        path: for messages.

    Raises:
        DocumentError: it is no text.
    """
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
            raise _no_text(path) from None
        # Of encodings that fit equally well, the most common one.
        fit = (matches[0].chaos, matches[0].coherence)
        usual = [m for m in matches if m.encoding == "cp1252" and (m.chaos, m.coherence) == fit]
        text = str(usual[0] if usual else matches[0])
    if len(_CONTROL.findall(text)) > len(text) / 200:
        raise _no_text(path)
    return text


def _no_text(path: Path) -> DocumentError:
    return DocumentError(f"{path} looks like a binary file, not text; save it as text, PDF, DOCX or HTML")
