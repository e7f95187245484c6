"""What questions want, and whether an answer brings it."""

import pytest

from lift.synthesis.parser import Pair
from lift.synthesis.wanted import has_time_or_count, has_what_is_wanted, premise, says_enough, says_something


@pytest.mark.parametrize(
    ("question", "text", "has_it"),
    [
        ("When was the mill built?", "It was built in 1912.", True),
        ("When was the mill built?", "It was built in March.", True),
        ("When was the mill built?", "It was built during the war.", True),
        ("When was the mill built?", "It was built of stone.", False),
        ("In which year was the mill built?", "It was built of stone.", False),
        ("Since what time does it stand?", "It stands by the river.", False),
        ("How many towers has it?", "It has nine towers.", True),
        ("How many towers has it?", "It has several towers.", True),
        ("How many towers has it?", "It has a tower.", False),
        ("About how long is it?", "It is 31 metres long.", True),
        ("Who built the mill?", "Anna Berg built it.", True),
        ("Who built the mill of Jerez?", "The mill of Jerez was built by a widow.", False),
        ("In which city does Anna live?", "Anna lives in Rota.", True),
        ("In which city does Anna live?", "Anna lives by the river.", False),
        ("What did Anna build?", "It stands by the river.", True),  # anything may be an answer
        ("Whenever Anna came, what happened?", "It stands by the river.", True),
    ],
)
def test_what_is_wanted(question: str, text: str, has_it: bool) -> None:
    assert has_what_is_wanted(question, text) is has_it
    asks_who = question.startswith(("Who ", "In which city"))
    assert has_time_or_count(question, text) is (has_it or asks_who)


@pytest.mark.parametrize(
    ("question", "answer", "enough", "something"),
    [
        ("What did Anna build?", "Anna built a wooden mill.", True, True),
        ("When did Anna build the mill?", "Anna built the mill in 1912.", True, True),
        ("How many mills has Rota?", "Rota has four mills.", False, True),
        ("In which town is the mill of Anna?", "The mill of Anna is in the town of Rota.", False, True),
        ("Who cleaned the mill?", "Anna cleaned the mill.", False, True),
        ("What did Anna paint of wood?", "Anna painted a mill of wood.", False, False),
        ("What did Anna clean?", "Anna cleaned.", False, False),
    ],
)
def test_an_answer_says_something(question: str, answer: str, enough: bool, something: bool) -> None:
    pair = Pair(question, answer)
    assert (says_enough(pair), says_something(pair)) == (enough, something)


@pytest.mark.parametrize(
    ("question", "given"),
    [
        ("In which town was the mill built?", "In  was the mill built?"),
        ("What year did it burn?", " did it burn?"),
        ("Who built the mill?", "Who built the mill?"),
    ],
)
def test_what_is_taken_as_given(question: str, given: str) -> None:
    assert premise(question) == given
