"""A small model is kept from names and numbers that a text does not have."""

from typing import Any

import pytest

from lift.decoding import decode_batch
from lift.model import BaseModel, load_base_model
from lift.synthesis.naming import NameGuard

OWN = "The mill of Jerez, built by “Anna Berg” in 1912."


@pytest.fixture(scope="module")
def base() -> BaseModel:
    return load_base_model()


def test_what_may_be_said(base: BaseModel) -> None:
    barred = NameGuard(base.tokenizer).barred(OWN)

    def free(text: str) -> bool:
        return not barred[base.tokenizer(text, add_special_tokens=False)["input_ids"]].any()

    assert all(map(free, (" Anna Berg", "Anna", " Jerez", " 1912", " 129", " a large windmill, perhaps", OWN)))
    assert not any(map(free, (" Madrid", "Madrid", " Otto", " 1837")))
    assert not barred[base.tokenizer.eos_token_id]
    assert NameGuard(base.tokenizer).barred("").sum() > barred.sum()


def test_answers_without_them(base: BaseModel) -> None:
    rows = [base.tokenizer(text)["input_ids"] for text in ("The capital of France is", "The largest city in Italy is")]

    def decode(**options: Any) -> list[str]:
        return decode_batch(base.network, base.tokenizer, rows, stop_ids=[], max_new_tokens=24, **options)

    def named(text: str) -> bool:
        _, _, rest = text.partition(" ")  # the first token is free: a question begins with a capital
        return any(char.isupper() or char.isdecimal() for char in rest)

    french, italian = decode()
    assert named(french)
    guard = NameGuard(base.tokenizer)
    nameless, same = decode(barred=[guard.barred("the mill"), guard.barred(italian)])
    assert not named(nameless)
    assert same == italian
