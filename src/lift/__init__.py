"""lift makes a short-context LLM know a long document (LIFT, arXiv 2502.14644).

import lift

lifted = lift.absorb("report.pdf", model="Qwen/Qwen3-4B", generator="http://localhost:8001/v1")
lifted.ask("Who signed the agreement?")
lifted.save("adapters/report")
lifted = lift.load("adapters/report")
"""

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any

from lift.errors import LiftError

if TYPE_CHECKING:
    from lift.chat import LiftedModel, load
    from lift.document import Document, read_document
    from lift.generation import task_dataset, write_tasks
    from lift.model import BaseModel, load_base_model
    from lift.pipeline import absorb
    from lift.presets import load_recipe
    from lift.progress import Progress
    from lift.recipe import Recipe
    from lift.retrieval import Retriever
    from lift.tasks import Task
    from lift.writer import train_writer

# peft imports it where it is installed, and it then tells of kernels that it would rather have.
logging.getLogger("bitsandbytes").setLevel(logging.ERROR)

__all__ = [
    "BaseModel",
    "Document",
    "LiftError",
    "LiftedModel",
    "Progress",
    "Recipe",
    "Retriever",
    "Task",
    "absorb",
    "load",
    "load_base_model",
    "load_recipe",
    "read_document",
    "task_dataset",
    "train_writer",
    "write_tasks",
]

# Where each public name lives; imported at first use, since torch and transformers take seconds.
_HOMES = {
    "BaseModel": "lift.model",
    "Document": "lift.document",
    "LiftedModel": "lift.chat",
    "Progress": "lift.progress",
    "Recipe": "lift.recipe",
    "Retriever": "lift.retrieval",
    "Task": "lift.tasks",
    "absorb": "lift.pipeline",
    "load": "lift.chat",
    "load_base_model": "lift.model",
    "load_recipe": "lift.presets",
    "read_document": "lift.document",
    "task_dataset": "lift.generation",
    "train_writer": "lift.writer",
    "write_tasks": "lift.generation",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'lift' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
