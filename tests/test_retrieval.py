"""What a document says about a question is found, with its neighbours, and shown with it."""

import dataclasses
import json
from pathlib import Path

import pytest

import lift
from lift.document import Document
from lift.retrieval import Recall, WordIndex
from lift.splitting import split_document
from tests.conftest import RECORDED

KNOBS = {"rank": 2, "epochs": 1, "min_steps": 1, "tasks_per_segment": 1}
TOLD = "What does the zoological appendix enumerate? Aardvarks."
QUESTIONS = ["Where was he born?", "And when?", "Why?"]


class Finder:
    """Finds something else for every question, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, question: str) -> str:
        self.asked.append(question)
        return f"This is about {question}"


@pytest.fixture
def lifted(tiny_model: Path, short: Document) -> lift.LiftedModel:
    return lift.absorb(short, model=tiny_model, generator=f"recorded:{RECORDED}", recipe=KNOBS, dtype="float32")


def test_the_place_and_its_neighbours(picardo: Document) -> None:
    found = lift.Retriever(picardo)("Which troops were housed in the Castle of Santa Catalina?")
    assert len(found) < len(picardo.text) / 5
    lines = found.splitlines()
    assert any("Castle of Santa Catalina" in line for line in lines)
    assert len(lines) > 5
    places = [picardo.text.index(line) for line in lines]
    assert places == sorted(places)


def test_as_many_segments_as_the_recipe_says(picardo: Document) -> None:
    question = "Which troops were housed in the Castle of Santa Catalina?"
    best = lift.Retriever(picardo, lift.Recipe(retrieved_segments=1))(question)
    assert len(best.splitlines()) == 3  # with its neighbours
    assert "Castle of Santa Catalina" in best.splitlines()[1]
    assert best in lift.Retriever(picardo)(question)


def test_a_model_says_how_much_it_reads(lifted: lift.LiftedModel, picardo: Document) -> None:
    question = "Which troops were housed in the Castle of Santa Catalina?"
    assert len(lifted.retriever(picardo)(question).splitlines()) > 5
    one = lifted.retriever(picardo, segments=1)(question)
    with pytest.raises(lift.LiftError, match="retrieved_segments"):
        lifted.retriever(picardo, segments=0)
    small = dataclasses.replace(lifted.manifest, recipe={**lifted.manifest.recipe, "retrieved_segments": 1, "new": 0})
    lifted = lift.LiftedModel(lifted.base, lifted.adapted, small)
    best = lifted.retriever(picardo)(question)
    assert len(best.splitlines()) == 3
    assert best == one == lift.Retriever(picardo, lift.Recipe(retrieved_segments=1))(question)


@pytest.fixture
def told(tiny_model: Path, short: Document, tmp_path: Path) -> lift.LiftedModel:
    """A model with one task, about the third segment, which has none of its words."""
    segment = split_document(short, lift.Recipe())[2]
    task = {"question": "What does the zoological appendix enumerate?", "answer": "Aardvarks."}
    tasks = tmp_path / "recorded.jsonl"
    record = {"start": segment.start, "end": segment.end, "text": segment.text, "tasks": [task]}
    tasks.write_text(json.dumps(record), encoding="utf-8")
    return lift.absorb(short, model=tiny_model, generator=f"recorded:{tasks}", recipe=KNOBS, dtype="float32")


def test_what_tasks_say_helps_to_find_what_they_are_about(told: lift.LiftedModel, short: Document) -> None:
    segments = split_document(short, lift.Recipe())
    question = "Are there aardvarks in the appendix?"
    assert lift.Retriever(short)(question) == ""
    expected = [*(segment.text for segment in segments[1:4]), TOLD]
    assert told.retriever(short)(question).splitlines() == expected
    edited = Document.from_text(f"There is a preface to it now.\n\n{short.text}", short.title)
    assert told.retriever(edited)(question).splitlines() == expected


def test_tasks_alone_are_looked_up_without_a_document(told: lift.LiftedModel, tmp_path: Path) -> None:
    question = "Are there aardvarks in the appendix?"
    assert told.retriever()(question) == TOLD
    assert told.retriever()("Where was Picardo born?") == ""
    told.save(tmp_path / "adapter")
    loaded = lift.load(tmp_path / "adapter", model=told.base)
    assert loaded.retriever()(question) == TOLD
    (tmp_path / "adapter" / "tasks.jsonl").unlink()
    with pytest.raises(lift.LiftError, match="no tasks are left"):
        loaded.retriever()


def test_recall_shows_each_task_once() -> None:
    told = [["Who? Ann and Bo.", "When? In May."], ["Who? Ann and Bo.", "Where? In Cádiz."], ["Why? For gold."]]
    assert Recall(told, 2)("And Ann in May?").splitlines() == ["Who? Ann and Bo.", "When? In May.", "Where? In Cádiz."]


def test_other_forms_of_a_word_are_found() -> None:
    texts = ["The ship was built in Cádiz.", "He sailed to Cuba.", "Restoration of the castles took years."]
    assert WordIndex(texts).rank("Who restored the castle?", 3) == [2]
    assert WordIndex(texts).rank("Sailing ships", 3) == [1, 0]


def test_a_language_without_spaces() -> None:
    texts = ["他出生在赫雷斯。", "这座城堡建于1754年。", "城堡的修复持续了很多年。"]
    assert WordIndex(texts).rank("城堡是哪一年建的？", 1) == [1]
    assert WordIndex(texts).rank("他在哪里出生？", 1) == [0]


@pytest.mark.parametrize("question", ["", "Who is it?", "Xylophones?", "¿?"])
def test_what_nothing_is_found_for_is_asked_without_a_text(question: str, lifted: lift.LiftedModel) -> None:
    find = lift.Retriever(Document.from_text("José Luis Picardo was born in Jerez in 1919.", "Picardo"))
    assert find(question) == ""
    assert find("Where was Picardo born?")
    assert lifted.ask(question, context=find, max_new_tokens=6) == lifted.ask(question, max_new_tokens=6)


def test_each_question_has_a_context_of_its_own(lifted: lift.LiftedModel) -> None:
    find = Finder()
    answers = lifted.ask_many(QUESTIONS, context=find, max_new_tokens=6)
    assert find.asked == QUESTIONS
    assert answers == [lifted.ask(q, context=f"This is about {q}", max_new_tokens=6) for q in QUESTIONS]
    assert answers != lifted.ask_many(QUESTIONS, max_new_tokens=6)


def test_a_conversation_looks_for_what_was_asked_before_as_well(lifted: lift.LiftedModel) -> None:
    find, conversation = Finder(), lifted.chat()
    for question in QUESTIONS:
        list(conversation.ask(question, context=find, max_new_tokens=4))
    assert find.asked == ["Where was he born?", "Where was he born? And when?", "And when? Why?"]
