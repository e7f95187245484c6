"""What exactness tests need."""

import pytest
import torch
from torch.nn import functional


@pytest.fixture(autouse=True)
def softmax_in_full_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """transformers' eager attention rounds its softmax to float32, which would hide errors below 1e-7."""
    stock = functional.softmax

    def softmax(
        states: torch.Tensor, dim: int | None = None, dtype: torch.dtype | None = None, _stacklevel: int = 3
    ) -> torch.Tensor:
        return stock(states, dim=dim, dtype=states.dtype if states.dtype == torch.float64 else dtype)

    monkeypatch.setattr(functional, "softmax", softmax)
