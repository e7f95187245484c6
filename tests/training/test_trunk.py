"""What is kept of the layers below training gives the same loss and gradients as computing it each time."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch

from lift.training.attention import use_packed_attention
from lift.training.encoding import EncodedTask
from lift.training.objective import pack_loss
from lift.training.packing import pack_tasks
from lift.training.trunk import FrozenTrunk
from tests.training.families import (
    FAMILIES,
    LLAMA,
    N_LAYERS,
    build,
    gradients,
    separate,
    some_tasks,
    worst_difference,
)

TOP = [N_LAYERS - 1]


def step(model: Any, trunk: FrozenTrunk, tasks: Sequence[EncodedTask], pack_tokens: int = 4096) -> None:
    labels = sum(len(task.answer_ids) for task in tasks)
    with use_packed_attention(model.get_base_model()):
        for pack in pack_tasks(tasks, pack_tokens):
            with trunk.replaced_by(trunk.states(pack)):
                pack_loss(model, pack, "token", step_tasks=len(tasks), step_labels=labels).backward()


def trunk_of(model: Any, **options: Any) -> FrozenTrunk:
    trunk = FrozenTrunk.of(model.get_base_model(), **options)
    assert trunk is not None
    return trunk


def calls(model: Any, layer: int) -> list[int]:
    """Grows by the number of tokens whenever `layer` computes."""
    seen: list[int] = []
    projection = model.get_base_model().model.layers[layer].mlp.down_proj
    projection.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].shape[1]))
    return seen


@pytest.mark.parametrize("config", FAMILIES, ids=lambda config: config.model_type)
def test_a_trunk_equals_separate_sequences(config: Any) -> None:
    model = build(config, torch.float64, trained_layers=TOP)
    trunk = trunk_of(model)
    tasks = some_tasks(7, 6)
    separate(model, tasks)
    reference = gradients(model)
    for batch in (tasks, tasks[3:] + tasks[:3]):
        step(model, trunk, batch)
        assert worst_difference(gradients(model), reference) < 1e-10


def test_what_was_computed_for_other_packs_and_prefixes_fits() -> None:
    model = build(LLAMA, torch.float64, trained_layers=TOP)
    trunk = trunk_of(model)
    tasks = some_tasks(7, 6)
    below = calls(model, 0)
    step(model, trunk, tasks[:2], pack_tokens=1)  # alone: the prefix is the whole prompt but its last token
    assert sum(below) == sum(map(len, tasks[:2]))
    below.clear()
    step(model, trunk, tasks)
    assert sum(below) == 7 + sum(len(task) - 7 for task in tasks[2:])
    below.clear()
    gradients(model)
    step(model, trunk, tasks, pack_tokens=40)
    assert not below
    ours = gradients(model)
    separate(model, tasks)
    assert worst_difference(ours, gradients(model)) < 1e-10


def test_the_layers_above_are_not_computed_for_the_trunk() -> None:
    model = build(LLAMA, trained_layers=TOP)
    above = calls(model, 1)
    with use_packed_attention(model.get_base_model()):
        trunk_of(model).states(pack_tasks(some_tasks(7, 6), 4096)[0])
    assert not above


def test_what_finds_no_room_is_computed_again() -> None:
    model = build(LLAMA, torch.float64, trained_layers=TOP)
    tasks = some_tasks(7, 6)
    longest = max(map(len, tasks))
    trunk = trunk_of(model, most_bytes=longest * LLAMA.hidden_size * 8)
    below = calls(model, 0)
    step(model, trunk, tasks)
    gradients(model)
    below.clear()
    step(model, trunk, tasks)
    assert 0 < sum(below) < 7 + sum(len(task) - 7 for task in tasks)
    ours = gradients(model)
    separate(model, tasks)
    assert worst_difference(ours, gradients(model)) < 1e-10


def test_with_activation_checkpointing() -> None:
    model = build(LLAMA, torch.float64, trained_layers=TOP)
    model.train()
    model.get_base_model().activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})
    tasks = some_tasks(7, 6)
    trunk = trunk_of(model)
    step(model, trunk, tasks)
    ours = gradients(model)
    separate(model, tasks)
    assert worst_difference(ours, gradients(model)) < 1e-10


def test_there_is_none_where_the_first_layer_is_trained() -> None:
    assert FrozenTrunk.of(build(LLAMA).get_base_model()) is None


def test_nor_where_the_embedding_is() -> None:
    model = build(LLAMA, trained_layers=TOP).get_base_model()
    model.get_input_embeddings().requires_grad_(True)
    assert FrozenTrunk.of(model) is None


def test_the_model_is_whole_again_afterwards() -> None:
    model = build(LLAMA, trained_layers=TOP)
    tasks = some_tasks(7, 2)
    ids = torch.tensor([tasks[0].ids])
    before = model(input_ids=ids).logits
    step(model, trunk_of(model), tasks)
    assert torch.equal(model(input_ids=ids).logits, before)
