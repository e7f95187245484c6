"""What the tests of the evaluation need."""

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    """The embedded model's."""
    from lift.model import load_base_model

    return load_base_model().tokenizer


@pytest.fixture(scope="session")
def tiny(tiny_model: Path) -> Any:
    """A loaded model that is fast and knows nothing."""
    from lift.model import load_base_model

    return load_base_model(tiny_model, dtype="float32")
