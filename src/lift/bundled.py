"""What comes with lift: the demo's document, the embedded model's name and its task writer."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from lift.errors import DocumentNotFoundError

__all__ = ["EMBEDDED", "EMBEDDED_WRITER", "EXAMPLE_TITLE", "example_folder"]

# What the base model is called where the user names none.
EMBEDDED: Final = "embedded"

EXAMPLE_TITLE: Final = "José Luis Picardo"

# An adapter folder; docs/benchmarks.md says what it was trained on and how good it is.
EMBEDDED_WRITER: Final = Path(__file__).resolve().parent / "embedded_writer"


def example_folder() -> Path:
    """The demo's document: inside the package when installed from a wheel, else in the checkout."""
    package = Path(__file__).resolve().parent
    for folder in (package / "examples" / "picardo", package.parents[1] / "examples" / "picardo"):
        if folder.is_dir():
            return folder
    raise DocumentNotFoundError("the demo's document is missing from this installation of lift; install it again")
