"""What comes with lift: the demo's document, and the embedded model's task writer."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from lift.errors import DocumentNotFoundError

__all__ = ["EMBEDDED_WRITER", "EXAMPLE_TITLE", "example_folder"]

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
