import pytest
import torch
from torch.nn import functional

from lift.training import objective
from lift.training.encoding import EncodedTask
from lift.training.objective import label_loss, label_weights


@pytest.mark.parametrize("at_once", [1, 7, 300])
@pytest.mark.parametrize("rows", [1, 128, 300])
def test_loss_and_gradient_equal_torchs(rows: int, at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objective, "_BUFFER_BYTES", at_once * 50 * 8)
    torch.manual_seed(0)
    logits = torch.randn(rows, 50, dtype=torch.float64, requires_grad=True)
    labels, weights = torch.randint(50, (rows,)), torch.rand(rows, dtype=torch.float64)
    ours = label_loss(logits.clone(), labels, weights)
    (gradient,) = torch.autograd.grad(3 * ours, logits)
    reference = (functional.cross_entropy(logits, labels, reduction="none") * weights).sum()
    (expected,) = torch.autograd.grad(3 * reference, logits)
    torch.testing.assert_close(ours, reference)
    torch.testing.assert_close(gradient, expected)


def test_bfloat16_logits_are_summed_in_float32() -> None:
    torch.manual_seed(0)
    logits = torch.randn(64, 50_000).bfloat16()
    labels, weights = torch.randint(50_000, (64,)), torch.full((64,), 1 / 64)
    reference = functional.cross_entropy(logits.double(), labels)
    torch.testing.assert_close(label_loss(logits, labels, weights).double(), reference, rtol=1e-6, atol=0)


def test_weights_of_a_step() -> None:
    tasks = [EncodedTask("a", (1,), (1, 2, 3)), EncodedTask("b", (1,), (4,))]
    assert label_weights(tasks, "token", step_tasks=4, step_labels=8) == [1 / 8] * 4
    assert label_weights(tasks, "task", step_tasks=4, step_labels=8) == [1 / 12] * 3 + [1 / 4]
