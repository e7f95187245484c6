"""Answers after the passage that they come from: in training, and in use."""

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

import lift
from lift.document import Document, Segment
from lift.evaluation.methods import Setting, parse_method
from lift.recipe import Recipe
from lift.recitation import recited, split_recited, without_recited
from lift.tasks import Task
from lift.training.source import RecitingSource
from tests.conftest import RECORDED, Here

QUESTION = "How often does the ferry cross?"
PASSAGE = "The ferry crosses nine times a day."
SAID = f"> {PASSAGE}\n\nNine times."
RECIPE = {"rank": 2, "epochs": 1, "min_steps": 1, "segment_max_chars": 100, "recite": True}


@pytest.mark.parametrize(
    ("said", "passage", "answer"),
    [
        (SAID, PASSAGE, "Nine times."),
        (recited(["def f():\n\n    return 1"], "It returns 1."), "def f():\n    return 1", "It returns 1."),
        (recited(["One."], "Two.\n\n> Three.\n\nFour."), "One.", "Two.\n\n> Three.\n\nFour."),
        (recited(["One.", "Two."], "Both."), "One.\nTwo.", "Both."),
        ("Nine times.\n\nEvery day.", "", "Nine times.\n\nEvery day."),
        (f"\n> {PASSAGE}\n \n\n Nine times. ", PASSAGE, "Nine times."),
        # At its limit before the answer.
        (f"> {PASSAGE}", PASSAGE, PASSAGE),
        (f"> {PASSAGE}\n\n", PASSAGE, PASSAGE),
        ("", "", ""),
    ],
)
def test_passage_and_answer_are_told_apart(said: str, passage: str, answer: str) -> None:
    assert split_recited(said) == (passage, answer)
    for size in range(1, len(said) + 1):
        pieces = [said[start : start + size] for start in range(0, len(said), size)]
        assert "".join(without_recited(pieces)).rstrip() == answer


def test_what_follows_the_passage_is_streamed() -> None:
    def pieces() -> Iterable[str]:
        yield from ("> ", PASSAGE, "\n", "\n", "Nine")
        taken.append("Nine")
        yield " times."

    taken: list[str] = []
    stream = without_recited(pieces())
    assert next(stream) == "Nine"
    assert not taken  # it was not waited for more
    assert list(stream) == [" times."]


class Given:
    """A source of these tasks."""

    seconds_left = 3.0

    def __init__(self, *tasks: Task) -> None:
        self._tasks = list(tasks)

    def take(self, timeout: float | None = None) -> list[Task]:
        if not self._tasks:
            raise EOFError
        return [self._tasks.pop(0)]


def test_tasks_recite_what_they_are_about() -> None:
    texts = [PASSAGE, "It is old. Its cat has one eye.", "Ingrid is its captain."]
    source = RecitingSource(
        Given(
            Task("a", QUESTION, "Nine times.", segments=(0,)),
            Task("b", "Who is on board?", "Ingrid and a cat.", "group", (1, 2)),
            Task("c", "What is this about?", "A ferry.", "outline", (0, 1, 2)),
            Task("d", "What is said about the cat?", "Its cat has one eye.", "quote", (1,)),
            Task("e", "What is said about the ferry?", PASSAGE, segments=(0,)),
        ),
        [Segment(number, 0, len(text), text) for number, text in enumerate(texts)],
    )
    assert source.seconds_left == 3.0
    answers = [source.take()[0].answer for _ in range(5)]
    assert answers == [
        SAID,
        f"> {texts[1]}\n> {texts[2]}\n\nIngrid and a cat.",
        "A ferry.",
        "Its cat has one eye.",
        PASSAGE,
    ]
    with pytest.raises(EOFError):
        source.take()


@pytest.fixture(scope="module")
def adapter(tiny_model: Path, short: Document, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trained to recite, though it knows nothing."""
    out = tmp_path_factory.mktemp("reciting") / "adapter"
    generator = f"recorded:{RECORDED}"
    lift.absorb(short, generator=generator, model=tiny_model, recipe=RECIPE, out=out, device="cpu")
    return out


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Models say what they would if they could; the limits of what they were let say."""

    def decode(network: Any, tokenizer: Any, prompts: Sequence[Any], **options: Any) -> list[str]:
        limits.append(options["max_new_tokens"])
        if streamer := options.get("streamer"):
            streamer.on_finalized_text(SAID, stream_end=True)
        return [SAID for _ in prompts]

    limits: list[int] = []
    monkeypatch.setattr("lift.asking.decode_batch", decode)
    return limits


def test_the_answer_comes_without_the_passage_that_it_was_read_off(adapter: Path, limits: list[int]) -> None:
    lifted = lift.load(adapter)
    assert lifted.ask(QUESTION, max_new_tokens=8) == "Nine times."
    assert lifted.ask(QUESTION, max_new_tokens=8, context=PASSAGE) == "Nine times."
    assert lifted.ask(QUESTION, max_new_tokens=8, with_passage=True) == SAID
    assert "".join(lifted.stream(QUESTION, max_new_tokens=8)) == "Nine times."
    assert "".join(lifted.stream(QUESTION, max_new_tokens=8, with_passage=True)) == SAID
    # The base model recites nothing.
    assert lifted.ask(QUESTION, max_new_tokens=8, without_adapter=True) == SAID
    assert lifted.ask(QUESTION, max_new_tokens=8, adapter_scale=0) == SAID
    room = lifted.manifest.recited_tokens
    assert room == lifted.manifest.recipe["segment_max_chars"] == 100
    recipe = {**lifted.manifest.recipe, "segment": 1000}
    assert dataclasses.replace(lifted.manifest, recipe=recipe).recited_tokens == 1000
    assert limits == [8 + room] * 5 + [8] * 2


def test_a_conversation_remembers_answers_alone(adapter: Path, limits: list[int]) -> None:
    conversation = lift.load(adapter).chat()
    assert "".join(conversation.ask(QUESTION, with_passage=True)) == SAID
    assert "".join(conversation.ask(QUESTION)) == "Nine times."
    assert [turn.answer for turn in conversation.history] == ["Nine times."] * 2


def test_the_passage_on_the_command_line(adapter: Path, limits: list[int], here: Here) -> None:
    assert here("ask", adapter, QUESTION).stdout == "Nine times.\n"
    assert here("ask", adapter, QUESTION, "--passage").stdout == f"{SAID}\n"
    done = here("chat", adapter, "--passage", stdin=f"{QUESTION}\n/exit\n")
    assert SAID in done.stdout


def test_an_evaluated_method_is_scored_by_its_answer(
    tiny_model: Path, short: Document, tmp_path: Path, limits: list[int]
) -> None:
    base = lift.load_base_model(tiny_model, device="cpu", dtype="float32")
    method = parse_method("lift").open(Setting(base, Recipe.of(RECIPE), f"recorded:{RECORDED}", tmp_path, 8))
    method.prepare(short)
    assert method.answer(short, [QUESTION]) == method.ask_plainly([QUESTION]) == ["Nine times."]
    assert limits == [8 + 100] * 2
    method.close()


def test_an_adapter_that_recites_nothing(tiny_model: Path, short: Document, tmp_path: Path, here: Here) -> None:
    generator, out = f"recorded:{RECORDED}", tmp_path / "adapter"
    lifted = lift.absorb(short, generator=generator, model=tiny_model, recipe=RECIPE | {"recite": False}, out=out)
    assert not lifted.manifest.recited_tokens
    for command in (["ask", out, QUESTION], ["chat", out]):
        done = here(*command, "--passage")
        assert done.returncode == 2
        assert "--set recite=true" in done.stderr


def test_what_is_trained_on_recites_and_what_is_kept_does_not(
    tiny_model: Path, short: Document, tmp_path: Path, adapter: Path
) -> None:
    base = lift.load_base_model(tiny_model, device="cpu", dtype="float32")
    generator, out = f"recorded:{RECORDED}", tmp_path / "tasks.jsonl"
    with lift.task_dataset(short, base, out, generator=generator, recipe=RECIPE) as dataset:
        examples = list(dataset)
    for example in examples:
        said = base.tokenizer.decode([token for token in example["labels"] if token >= 0], skip_special_tokens=True)
        passage, answer = split_recited(str(said))
        assert passage in short.text
        assert answer not in ("", passage)
    # `absorb` trains on the same.
    trained = lift.load(adapter, model=base).manifest.counts["tokens"]
    assert trained == sum(len(example["input_ids"]) for example in examples)
    for kept in (out, adapter / "tasks.jsonl"):
        assert ">" not in kept.read_text(encoding="utf-8")
