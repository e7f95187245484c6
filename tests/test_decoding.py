"""A batch decodes as each prompt does alone, also where what prompts share is computed once."""

from pathlib import Path
from typing import Any

import pytest

from lift.decoding import decode_batch

WORDS = "the river begins as rain and where many small ways meet a brook is made of them".split()


@pytest.fixture(scope="module")
def tiny(tiny_model: Path) -> Any:
    from lift.model import load_base_model

    return load_base_model(tiny_model, dtype="float32")


def prompts(base: Any, *texts: str) -> list[list[int]]:
    return [base.tokenizer(text)["input_ids"] for text in texts]


def decode(base: Any, rows: list[list[int]], **options: Any) -> list[str]:
    return decode_batch(base.network, base.tokenizer, rows, stop_ids=[2], max_new_tokens=6, **options)


@pytest.mark.parametrize(
    "families",
    [None, [0, 0, 0, 1, 1], [0, 1, 2, 3, 4], [7, 7, 7, 7, 7]],
    ids=["plain", "two", "alone", "one"],
)
def test_as_each_prompt_alone(tiny: Any, families: list[int] | None) -> None:
    first, second = " ".join(WORDS[:9]), " ".join(WORDS[9:])
    ends = (" Who?", " What is the name of it?", " When")
    rows = prompts(tiny, *(first + end for end in ends), *(second + end for end in ends[:2]))
    assert decode(tiny, rows, families=families) == [decode(tiny, [row])[0] for row in rows]


def test_equal_prompts_keep_their_last_token(tiny: Any) -> None:
    rows = prompts(tiny, "the river begins", "the river begins")
    assert decode(tiny, rows, families=[0, 0]) == decode(tiny, rows)


def test_pieces_go_to_their_rows_and_a_false_ends_a_row(tiny: Any) -> None:
    rows = prompts(tiny, "the river", "a brook is made")
    seen: list[list[str]] = [[], []]

    def on_text(row: int, text: str) -> bool:
        seen[row].append(text)
        return row == 1

    texts = decode(tiny, rows, families=[0, 1], on_text=on_text)
    assert len(seen[0]) == 1
    assert "".join(seen[1]).strip() == texts[1]
