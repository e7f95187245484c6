import torch

from lift.training.optimizer import MasterAdamW


def parameters(dtype: torch.dtype) -> list[torch.nn.Parameter]:
    torch.manual_seed(0)
    return [torch.nn.Parameter(torch.randn(shape).to(dtype)) for shape in ((3, 4), (5,), (2, 2))]


def test_equals_adamw_in_float32() -> None:
    ours, theirs = parameters(torch.float32), parameters(torch.float32)
    optimizer = MasterAdamW(ours, lr=0.1, weight_decay=0.01, max_grad_norm=1.0)
    reference = torch.optim.AdamW(theirs, lr=0.1, weight_decay=0.01)
    for step in range(4):
        for _ in range(2):  # two packs a step
            for group in (ours, theirs):
                sum((p * (p + step)).sum() for p in group).backward()  # type: ignore[union-attr]
            optimizer.gather()
        optimizer.step()
        torch.nn.utils.clip_grad_norm_(theirs, 1.0)
        reference.step()
        reference.zero_grad()
        for a, b in zip(ours, theirs, strict=True):
            torch.testing.assert_close(a, b)


def test_masters_keep_what_bfloat16_would_lose() -> None:
    (parameter,) = [torch.nn.Parameter(torch.ones(1, dtype=torch.bfloat16))]
    optimizer = MasterAdamW([parameter], lr=1e-3)
    for _ in range(10):
        parameter.sum().backward()
        optimizer.gather()
        optimizer.step()
    # Each step of 0.001 is below half of bfloat16's spacing at 1 (0.0039): in bfloat16 none would count.
    assert abs(parameter.item() - 0.99) < 0.004


def test_gradients_of_packs_are_summed_in_float32() -> None:
    parameter = torch.nn.Parameter(torch.zeros(1, dtype=torch.bfloat16))
    optimizer = MasterAdamW([parameter], lr=1.0)
    for value in (256.0, 1.0, 1.0):
        (parameter * value).sum().backward()
        optimizer.gather()
    assert optimizer.gradient.item() == 258  # bfloat16 would stay at 256


def test_the_learning_rate_warms_up() -> None:
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = MasterAdamW([parameter], lr=1.0, warmup_steps=3)
    moved, before = [], 0.0
    for _ in range(5):
        parameter.sum().backward()
        optimizer.gather()
        optimizer.step()
        moved.append(round(before - parameter.item(), 4))
        before = parameter.item()
    assert moved == [0.25, 0.5, 0.75, 1.0, 1.0]


def test_release_gives_the_gradients_back() -> None:
    group = parameters(torch.float32)
    optimizer = MasterAdamW(group, lr=0.1)
    optimizer.release()
    assert all(parameter.grad is None for parameter in group)
