"""Every error that lift raises on purpose.

A message says what was wrong and what to do about it; the command line prints it and exits with 1.
Each class is also the standard type that a caller would expect (`except FileNotFoundError` works).
"""

__all__ = [
    "AdapterError",
    "AdapterExistsError",
    "BaseModelMismatchError",
    "BenchmarkError",
    "DocumentError",
    "DocumentNotFoundError",
    "GenerationError",
    "GeneratorUnavailableError",
    "LiftError",
    "LiftWarning",
    "MissingExtraError",
    "ModelError",
    "RecipeError",
    "SpendingLimitError",
    "StoreLockedError",
    "StoreMismatchError",
    "TaskFileError",
    "TrainingError",
]


class LiftError(Exception):
    """Base class: catch it to catch everything that lift raises on purpose."""


class LiftWarning(UserWarning):
    """Something may not be as expected, but nothing is wrong yet."""


class DocumentError(LiftError, ValueError):
    """The document cannot be read as text, or holds none."""


class DocumentNotFoundError(DocumentError, FileNotFoundError):
    """There is no such document."""


class MissingExtraError(LiftError, ImportError):
    """An optional dependency is needed; the message says how to get it.

    Args:
        what: what needs it.
        command: what brings it.
        error: why its import failed: it may be there, but broken.
    """

    def __init__(self, what: str, command: str, error: ImportError | None = None) -> None:
        reason = f" ({error})" if error else ""
        super().__init__(f"{what} needs an optional package{reason}; run `{command}`")


class RecipeError(LiftError, ValueError):
    """A knob of the recipe is unknown or has a value outside its range."""


class TaskFileError(LiftError, ValueError):
    """A task file is malformed; the message gives file and line."""


class StoreMismatchError(LiftError, ValueError):
    """A task store belongs to another document, prompt or generator."""


class StoreLockedError(LiftError, BlockingIOError):
    """Another process is writing this task store."""


class GenerationError(LiftError, RuntimeError):
    """Generation ended without enough tasks; what was written is kept."""


class GeneratorUnavailableError(GenerationError, ConnectionError):
    """The generator cannot be reached, refuses the key or does not know the model."""


class SpendingLimitError(GenerationError):
    """Generation stopped at `max_requests` or `max_tokens`; the same command goes on."""


class ModelError(LiftError, ValueError):
    """The base model cannot be found, loaded or used."""


class TrainingError(LiftError, RuntimeError):
    """Training cannot go on (a loss that is not finite, a task that cannot be encoded)."""


class AdapterError(LiftError, ValueError):
    """An adapter folder is missing, unfinished or damaged."""


class AdapterExistsError(AdapterError, FileExistsError):
    """The folder already holds a finished adapter."""


class BaseModelMismatchError(AdapterError):
    """An adapter was trained on another base model than the one that was loaded."""


class BenchmarkError(LiftError, ValueError):
    """A benchmark, a method or a judge is unknown, or its data are missing or malformed."""
