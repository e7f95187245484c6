"""A batch decodes as each prompt does alone, also where what prompts share is computed once."""

from pathlib import Path
from typing import Any

import pytest

from lift.attaching import attach_adapter
from lift.decoding import CommonStarts, decode_batch
from lift.model import load_base_model
from lift.recipe import Recipe

WORDS = "the river begins as rain and where many small ways meet a brook is made of them".split()
FIRST, SECOND = " ".join(WORDS[:9]), " ".join(WORDS[9:])
ENDS = (" Who?", " What is the name of it?", " When")


@pytest.fixture(scope="module")
def tiny(tiny_model: Path) -> Any:
    return load_base_model(tiny_model, dtype="float32")


def prompts(base: Any, *texts: str) -> list[list[int]]:
    return [base.tokenizer(text)["input_ids"] for text in texts]


def decode(base: Any, rows: list[list[int]], **options: Any) -> list[str]:
    limits = {"stop_ids": [2], "max_new_tokens": 6, **options}
    return decode_batch(base.network, base.tokenizer, rows, **limits)


def begun(base: Any, *starts: str) -> tuple[CommonStarts, list[list[int]]]:
    """The starts, and three prompts for each of them, in turn."""
    rows = prompts(base, *(start + end for end in ENDS for start in starts))
    return CommonStarts(base.network, base.tokenizer, prompts(base, *starts)), rows


@pytest.mark.parametrize("starts", [[], [FIRST], [FIRST, SECOND, "the"]], ids=["none", "one", "three"])
def test_as_each_prompt_alone(tiny: Any, starts: list[str]) -> None:
    common, rows = begun(tiny, *starts) if starts else (None, prompts(tiny, FIRST, SECOND, "the"))
    numbers = [row % len(starts) for row in range(len(rows))] if starts else []
    assert decode(tiny, rows, starts=common, begun=numbers) == [decode(tiny, [row])[0] for row in rows]


def test_starts_serve_several_batches(tiny: Any) -> None:
    common, rows = begun(tiny, FIRST, SECOND)
    once = decode(tiny, rows, starts=common, begun=[0, 1] * 3)
    assert decode(tiny, rows[1:2] * 2, starts=common, begun=[1, 1]) == once[1:2] * 2
    assert decode(tiny, rows, starts=common, begun=[0, 1] * 3) == once


def test_answers_at_their_end_leave_the_batch(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that end early are not computed along; the others do not notice."""
    common, rows = begun(tiny, FIRST, SECOND)
    vocabulary = len(tiny.tokenizer)
    whole = decode(tiny, rows, max_new_tokens=30, stop_ids=[vocabulary])
    ids = [tiny.tokenizer(text)["input_ids"] for text in whole]
    stop = next(token for token in ids[0][:8] if any(token not in other[:20] for other in ids))
    expected = [decode(tiny, [row], max_new_tokens=30, stop_ids=[stop])[0] for row in rows]
    sizes = []
    generate = tiny.network.generate
    monkeypatch.setattr(
        tiny.network, "generate", lambda **options: sizes.append(len(options["input_ids"])) or generate(**options)
    )
    assert decode(tiny, rows, max_new_tokens=30, stop_ids=[stop], starts=common, begun=[0, 1] * 3) == expected
    assert sizes[0] == len(rows)
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] < sizes[0]


def test_pieces_go_to_their_rows_and_a_false_ends_a_row(tiny: Any) -> None:
    common, rows = begun(tiny, FIRST)
    seen: list[list[str]] = [[], [], []]

    def on_text(row: int, text: str) -> bool:
        seen[row].append(text)
        return row > 0

    texts = decode(tiny, rows, max_new_tokens=20, starts=common, begun=[0, 0, 0], on_text=on_text)
    assert len(seen[0]) == 1
    assert ["".join(pieces).strip() for pieces in seen[1:]] == texts[1:]


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("adapter", [None, "lora", "none"])
def test_the_output_layer_copies_no_weights(tiny: Any, rows: int, adapter: str | None) -> None:
    """With the strides of a slice of the prompt's states torch would do so for every row."""
    strides = set()
    adapted = attach_adapter(tiny, Recipe(adapter=adapter, rank=2)) if adapter else None
    watch = tiny.network.get_output_embeddings().register_forward_hook(
        lambda layer, inputs, output: strides.add(inputs[0].stride())
    )
    try:
        decode_batch(tiny.network, tiny.tokenizer, prompts(tiny, FIRST) * rows, stop_ids=[2], max_new_tokens=2)
    finally:
        watch.remove()
        if adapted:
            tiny.take_off(adapted)
    width = tiny.network.config.hidden_size
    assert strides == {(width, width, 1)}
