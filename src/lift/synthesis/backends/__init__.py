"""Generator backends: each one streams a generator's answer to a request as text.

A new backend is one module here with a subclass of `Backend`, a line in `open_backend`, and one test file.
"""

from __future__ import annotations

from pathlib import Path

from lift.bundled import EMBEDDED, EMBEDDED_WRITER
from lift.errors import GeneratorUnavailableError
from lift.synthesis.backends.base import Backend, RequestError
from lift.synthesis.backends.providers import PROVIDERS

__all__ = ["Backend", "RequestError", "default_generator", "open_backend"]

_KINDS = (
    "the URL of an OpenAI-compatible server (http://localhost:8000/v1), a provider "
    f"({', '.join(PROVIDERS)}), vllm:MODEL, self, writer, writer:DIR, quotes or recorded:FILE"
)


def default_generator(model: str | None) -> str:
    """Who writes tasks for the base model called `model` where the user names nobody.

    Raises:
        GeneratorUnavailableError: only the embedded model has a writer of its own.
    """
    if model not in (None, EMBEDDED):
        raise GeneratorUnavailableError(f"name who writes the tasks (--generator): {_KINDS}")
    return "writer"


def open_backend(generator: str, model: str | None = None) -> Backend:
    """The backend that `generator` names: a server's URL, a provider's name, `vllm:MODEL`, `self` (the base model),
    `writer` (the embedded model's, or `writer:DIR`), `quotes` (no model: the document's own sentences), or
    `recorded:FILE`.

    Raises:
        GeneratorUnavailableError: there is no such kind of generator.
        TaskFileError: the recorded file cannot be read.
    """
    kind, _, detail = generator.partition(":")
    if kind == "recorded":
        from lift.synthesis.backends.recorded import RecordedBackend

        return RecordedBackend.read(Path(detail))
    if generator == "self":
        from lift.synthesis.backends.local import LocalBackend

        return LocalBackend()
    if kind == "writer":
        from lift.synthesis.backends.writer import WriterBackend

        return WriterBackend(Path(detail) if detail else EMBEDDED_WRITER, generator)
    if generator == "quotes":
        from lift.synthesis.backends.quotes import QuotesBackend

        return QuotesBackend()
    if kind == "vllm":
        from lift.synthesis.backends.vllm import VLLMBackend

        return VLLMBackend(detail)
    if generator in PROVIDERS:
        generator = PROVIDERS[generator].url
        kind = "https"
    if kind in ("http", "https"):
        from lift.synthesis.backends.openai import OpenAIBackend

        return OpenAIBackend(generator, model)
    raise GeneratorUnavailableError(f"no generator {generator!r}; give {_KINDS}")
