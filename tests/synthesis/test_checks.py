import json

import pytest

from lift.document import Document
from lift.synthesis.checks import fault_of, follows_text, is_grounded, normalised
from lift.synthesis.parser import Pair
from tests.conftest import RECORDED

SEGMENT = "He was born in Jerez de la Frontera on 18 June 1919, one of five brothers. His father left 1,200 pesetas."
# As the prompt has it, whose own words do not count.
SOURCE = f"Title: José Luis Picardo\n\nSegment:\n{SEGMENT}\n\nWrite 5 question-answer pairs about the segment."


@pytest.mark.parametrize(
    ("question", "answer", "fault"),
    [
        ("Where was Picardo born?", "Picardo was born in Jerez de la Frontera.", None),
        ("When was José Luis Picardo born?", "Jose Luis Picardo was born on 18 June 1919.", None),
        ("How many brothers were there?", "There were 5 brothers.", None),
        ("How much did his father leave?", "Picardo's father left 1200 pesetas.", None),
        ("When was Picardo born?", "Picardo was born in 1920.", "a number that the text does not have"),
        ("Where was Picardo born?", "Picardo was born in Seville.", "a name that the text does not have"),
        ("Was Picardo born in Seville?", "No, not in Seville but in Jerez.", None),
        ("What does the passage say?", "Picardo was born in Jerez.", "does not stand alone"),
        ("According to the author, where was he born?", "In Jerez.", "does not stand alone"),
    ],
)
def test_what_is_dropped(question: str, answer: str, fault: str | None) -> None:
    assert fault_of(Pair(question, answer), SOURCE, SEGMENT) == fault


def test_a_document_about_texts_may_be_asked_about() -> None:
    source = "The passage of the Act was delayed."
    assert fault_of(Pair("What delayed the passage of the Act?", "The passage was delayed."), source, source) is None


def test_good_pairs_are_kept(picardo: Document) -> None:
    """Of the recorded pairs, which a strong model wrote, hardly any is dropped."""
    faults = pairs = 0
    for line in RECORDED.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        source = f"{picardo.title} {picardo.text[max(0, record['start'] - 2048) : record['end']]}"
        for task in record["tasks"]:
            pairs += 1
            faults += fault_of(Pair(task["question"], task["answer"]), source, record["text"]) is not None
    assert pairs == 511
    assert faults / pairs < 0.02


@pytest.mark.parametrize(
    ("question", "answer", "follows"),
    [
        ("Who managed the mill from 1912?", "Anna Berg managed the mill from 1912.", True),
        ("When did Anna Berg manage the mill?", "From 1912.", True),
        # Words of the title.
        ("Who managed the mill at Jerez from 1912?", "Anna Berg managed the mill at Jerez from 1912.", True),
        # Two sentences in one; other words.
        ("Who managed the mill after the flood?", "Anna Berg managed the mill after the flood.", False),
        ("Who managed the mill from 1912?", "In 1912 it was Berg who managed, after Anna, the mill.", False),
    ],
)  # fmt: skip
def test_pairs_that_follow_the_text(question: str, answer: str, follows: bool) -> None:
    sentences = ["Anna Berg managed the mill from 1912.", "A flood ended the work of sixty years."]
    assert follows_text(Pair(question, answer), sentences, "The mill at Jerez") is follows


@pytest.mark.parametrize(
    ("answer", "grounded"),
    [("In the 1950s, in the 13th century.", True), ("In the 1960s.", False), ("In the 14th century.", False)],
)
def test_numbers_with_letters_are_whole(answer: str, grounded: bool) -> None:
    assert is_grounded(Pair("When?", answer), "Built in the mid-13th century, it fell in the 1950s.") is grounded


def test_duplicates_are_normalised() -> None:
    assert normalised("Where was  Picardo born?") == normalised("where was picardo BORN")
