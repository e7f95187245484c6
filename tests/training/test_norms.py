"""RMS norms with a gradient of their own compute what the families' norms compute."""

from typing import Any

import pytest
import torch
from torch import nn
from transformers.models.gemma2.modeling_gemma2 import Gemma2RMSNorm
from transformers.models.gemma3.modeling_gemma3 import Gemma3RMSNorm
from transformers.models.llama.modeling_llama import LlamaRMSNorm
from transformers.models.mistral.modeling_mistral import MistralRMSNorm
from transformers.models.olmo2.modeling_olmo2 import Olmo2RMSNorm
from transformers.models.phi3.modeling_phi3 import Phi3RMSNorm
from transformers.models.qwen2.modeling_qwen2 import Qwen2RMSNorm
from transformers.models.qwen3.modeling_qwen3 import Qwen3RMSNorm

from lift.training.norms import lean_norms

WIDTH = 24
EPS = 0.1  # large enough to be missed if it were left out
FAMILIES = [
    LlamaRMSNorm, MistralRMSNorm, Qwen2RMSNorm, Qwen3RMSNorm, Phi3RMSNorm, Gemma2RMSNorm, Gemma3RMSNorm, Olmo2RMSNorm
]  # fmt: skip


class HalfRMSNorm(LlamaRMSNorm):
    """Of no known form."""

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        halved: torch.Tensor = super().forward(hidden_states) / 2
        return halved


def frozen(family: type[Any], dtype: torch.dtype = torch.float32) -> nn.Module:
    torch.manual_seed(0)
    norm: nn.Module = family(WIDTH, eps=EPS).to(dtype).train()
    nn.init.normal_(norm.weight)  # type: ignore[arg-type]
    return norm.requires_grad_(requires_grad=False)


def computed(norm: nn.Module, x: torch.Tensor, out_gradient: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Output, and the gradient of x."""
    x = x.clone().requires_grad_()
    output = norm(x)
    output.backward(out_gradient)
    assert x.grad is not None
    return output.detach(), x.grad


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("shape", [(5, WIDTH), (1, 4, 3, WIDTH)])
def test_outputs_and_gradients_are_the_familys(family: type[Any], shape: tuple[int, ...]) -> None:
    norm = frozen(family)
    x, out_gradient = torch.randn(shape), torch.randn(shape)
    expected = computed(norm, x, out_gradient)
    kept = x.clone()
    with lean_norms(norm) as count:
        assert count == 1
        found = computed(norm, x, out_gradient)
    assert torch.equal(x, kept)  # in float32 nothing needs a cast, and is still not computed in place
    assert "forward" not in vars(norm)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("family", FAMILIES)
def test_narrow_dtypes_are_computed_in_float32(family: type[Any]) -> None:
    norm = frozen(family, torch.bfloat16)
    x, out_gradient = (torch.randn(50, WIDTH, dtype=torch.bfloat16) for _ in range(2))
    _, exact = computed(frozen(family), x.float(), out_gradient.float())
    _, stock = computed(norm, x, out_gradient)
    with lean_norms(norm) as count:
        assert count == 1
        output, found = computed(norm, x, out_gradient)
    torch.testing.assert_close(output, norm(x), rtol=0.01, atol=0.01)
    assert (found - exact).norm() <= 1.05 * (stock - exact).norm()


def test_in_double_precision_too() -> None:
    class WideRMSNorm(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight, self.eps = nn.Parameter(torch.randn(WIDTH, dtype=torch.float64), requires_grad=False), EPS

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.weight * x / (x.square().mean(-1, keepdim=True) + self.eps).sqrt()

    norm = WideRMSNorm()
    x = torch.randn(3, WIDTH, dtype=torch.float64, requires_grad=True)
    with lean_norms(norm) as count:
        assert count == 1
        assert torch.autograd.gradcheck(norm, (x,))


def test_others_are_left_alone() -> None:
    trained = frozen(LlamaRMSNorm).requires_grad_()
    with lean_norms(nn.ModuleList([frozen(HalfRMSNorm), trained, nn.LayerNorm(WIDTH), nn.Linear(2, 2)])) as count:
        assert count == 0


def test_answers_in_between_and_other_dtypes_are_computed_as_before() -> None:
    norm = frozen(LlamaRMSNorm)
    x = torch.randn(3, WIDTH, requires_grad=True)
    with lean_norms(norm):
        assert "_RMSNorm" in str(norm(x).grad_fn)
        assert norm(x.bfloat16()).dtype == torch.float32
        assert "_RMSNorm" not in str(norm.eval()(x).grad_fn)
