import torch
from hypothesis import given
from hypothesis import strategies as st

from lift.prefix import shared_prefix
from lift.training.encoding import EncodedTask
from lift.training.packing import pack_tasks

IDS = st.lists(st.integers(0, 2), min_size=1, max_size=12).map(tuple)
TASKS = st.lists(st.builds(EncodedTask, st.uuids().map(str), IDS, IDS), min_size=1, max_size=12)


@given(TASKS)
def test_the_prefix_is_common_and_leaves_the_last_prompt_token(tasks: list[EncodedTask]) -> None:
    length = shared_prefix([task.prompt_ids for task in tasks])
    assert len({task.ids[:length] for task in tasks}) == 1
    assert all(length < len(task.prompt_ids) for task in tasks)
    longer = [task.ids[: length + 1] for task in tasks]
    assert len(set(longer)) > 1 or any(len(task.prompt_ids) == length + 1 for task in tasks)


@given(TASKS, st.integers(1, 60))
def test_every_task_stands_in_one_pack_as_it_is(tasks: list[EncodedTask], pack_tokens: int) -> None:
    packs = pack_tasks(tasks, pack_tokens)
    assert sorted(task.task_id for pack in packs for task in pack.tasks) == sorted(task.task_id for task in tasks)
    for pack in packs:
        assert pack.n_tokens <= pack_tokens or len(pack.tasks) == 1
        batch = pack.tensors(torch.device("cpu"))
        ids, positions = batch.input_ids[0].tolist(), batch.position_ids[0].tolist()
        assert len(ids) == len(positions) == pack.n_tokens
        prefix = pack.prefix_length
        start, labels = prefix, []
        for task in pack.tasks:
            end = start + len(task) - prefix
            assert (*ids[:prefix], *ids[start:end]) == task.ids
            assert positions[start:end] == list(range(prefix, len(task)))
            labels += list(range(end - len(task.answer_ids) - 1, end - 1))
            start = end
        assert batch.label_positions.tolist() == labels
        assert batch.labels.tolist() == [label for task in pack.tasks for label in task.answer_ids]
        layout = batch.layout
        real = layout.padded_index[layout.token_index]
        assert real.tolist() == list(range(pack.n_tokens - prefix))


def test_tasks_of_like_length_share_a_pack() -> None:
    tasks = [EncodedTask(str(n), (1, 2, n), (5,) * n) for n in (2, 30, 3, 31)]
    # Two packs are needed; both have room for more than they get, since they are of like size.
    assert [[task.task_id for task in pack.tasks] for pack in pack_tasks(tasks, 70)] == [["31", "30"], ["3", "2"]]


def test_tasks_with_a_long_beginning_of_their_own_share_a_pack() -> None:
    head, first, second = tuple(range(10)), tuple(range(100, 200)), tuple(range(300, 400))
    tasks = [
        EncodedTask(f"{name}{number}", head + passage + (number,), (1, 2))
        for name, passage in (("a", first), ("b", second))
        for number in range(3)
    ]
    lonely = [EncodedTask(f"c{number}", (*head, 500 + number), (1,)) for number in range(2)]
    packs = pack_tasks([*tasks, *lonely], pack_tokens=1000)
    assert sorted("".join(sorted({task.task_id[0] for task in pack.tasks})) for pack in packs) == ["a", "b", "c"]
    assert sorted(pack.prefix_length for pack in packs) == [10, 110, 110]
