"""Phrases that say what they are about."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lift.synthesis.phrases import Capitals, find_phrases, find_speakers


def alone(sentence: str, *names: str) -> list[str]:
    return [phrase.text for phrase in find_phrases(sentence, Capitals(frozenset(names))) if phrase.alone]


@pytest.mark.parametrize(
    ("sentence", "phrases"),
    [
        # A plain word grows over prepositions and articles, to the right and then to the left.
        ("It is on the walls of the castle in Jerez.", ["walls of the castle in Jerez", "castle in Jerez", "Jerez"]),
        ("It has a view of the old mill and the river.", ["view of the old mill", "old mill and the river"]),
        # Verbs, counts and participles end a phrase; a number does not belong to the name after it.
        ("The police autopsy concluded Abe died.", ["Abe"]),
        ("In 1945 Picardo entered several small competitions.", ["Picardo"]),
        ("There was Madrid smiling.", ["Madrid"]),
        ("They left on 8 July 1962.", ["8 July 1962"]),
        # What ends in -ed or -ly may name something.
        ("His family in Spain was large.", ["family in Spain", "Spain"]),
        # Times and sizes are nothing to ask about, nor is what is only said of something.
        ("She came to the mill in Jerez at 4:55 pm.", ["mill in Jerez", "Jerez"]),
        ("The river was mostly unknown in Spain.", ["Spain"]),
        ("Berg told us it's a mill that runs north of a large fault of about 160 km in Spain.", ["Spain"]),
        ("In Jerez on 26 January 2017 many left.", ["Jerez", "26 January 2017"]),
        ("France possesses a Ministry of the Interior.", ["Ministry of the Interior"]),
        ("They marched on Thursday, 19 January, in Jerez.", ["Jerez"]),
        # A name goes on over "de la".
        ("He was born in Jerez de la Frontera.", ["Jerez de la Frontera"]),
        ("They marched to the Place de l'Opéra.", ["Place de l'Opéra"]),
        ("He wrote to the Ministerio de Obras y Puertos.", ["Ministerio de Obras y Puertos"]),
        ("It was the 2024 Summer Festival of Rota.", ["2024 Summer Festival of Rota"]),
        ("During the 1950s Anna Berg sailed.", ["Anna Berg"]),
        ("It was built in company with Anna Berg.", ["Anna Berg"]),
        # No phrase ends with an adjective, but for a size, and none goes on to what was spoken of before.
        ("He led restorations of old, grand mills in Jerez.", ["grand mills in Jerez", "Jerez"]),
        ("It is a wall of Jerez, 14 metres wide.", ["wall of Jerez", "Jerez"]),
        ("They saw mills in these towns near Rota.", ["Rota"]),
        # Some capitals name nothing.
        ("It burned, as Fig. 3 shows, in Jerez.", ["Jerez"]),
        # A year belongs to what stands before it.
        ("Work began in 1920 with the mill in Jerez.", ["mill in Jerez", "Jerez"]),
        # Both of two things are named.
        ("She found boats between Jerez and Rota.", ["boats between Jerez and Rota", "Jerez and Rota", "Rota"]),
        ("They left the villages of Hamar and Moss.", ["villages of Hamar and Moss", "Hamar", "Moss"]),
        # Adverbs, words within prepositions, and two sentences in one word end phrases.
        ("The next day Berg fled from Jerez ahead of a vote in favour of the mill.Anna left.", ["Berg", "Jerez"]),
        ("By mid-April the war took place in eastern Spain alone.", ["eastern Spain"]),
        # So do verbs, by what follows them, and participles after what does something.
        ("There Berg wants to go, said officials mentioning the mill in Jerez.", ["Berg", "mill in Jerez", "Jerez"]),
        ("Eight of Jerez's mills were in Spanish-occupied Rota.", ["Jerez's mills", "Rota"]),
        # Commas and other words keep phrases apart.
        ("The mill, which stood in Jerez, was sold.", ["Jerez"]),
    ],
)  # fmt: skip
def test_what_stands_alone(sentence: str, phrases: list[str]) -> None:
    assert alone(sentence) == phrases


@pytest.mark.parametrize(
    ("sentence", "phrases"),
    [
        ("The way took forty-five minutes, or half an hour.", ["way"]),
        ("He was 41 years old and a miller.", ["miller"]),
        ("It was unknown, but the river was beautiful.", ["river"]),
        ("Against this background the miller lived 14 metres up.", ["miller"]),
        ("The queue was 80 cars long.", ["queue", "80 cars long"]),
        # Something is always found where there are words.
        ("He was 41 years old.", ["41 years old"]),
        ("It was beautiful.", ["beautiful"]),
    ],
)
def test_measures_and_what_is_said_of_things_come_last(sentence: str, phrases: list[str]) -> None:
    assert [phrase.text for phrase in find_phrases(sentence)] == phrases


def test_a_sentence_begins_with_a_name_only_if_it_is_known() -> None:
    assert Capitals.of(["Anna met Berg, who said “Then go”."]).names == {"Berg"}
    assert alone("Anna was old.") == []
    assert alone("Anna was old.", "Anna") == ["Anna"]


def test_who_speaks_more_than_once_has_a_name() -> None:
    turns = ["Anna B. Berg: Hello.", "Ben: Hello.", "Anna B. Berg: What about the mill?", "It was: gone."]
    assert find_speakers(turns) == {"Anna B. Berg"}
    assert Capitals.of([], find_speakers(turns)).names == {"Anna", "B.", "Berg"}


def test_a_word_that_is_written_small_elsewhere_is_no_name_by_itself() -> None:
    capitals = Capitals.of(["The states agreed.", "Each State in Europe signed the State Treaty."])
    phrases = find_phrases("The State signed the State Treaty.", capitals)
    assert [(phrase.text, phrase.alone) for phrase in phrases] == [("State", False), ("State Treaty", True)]


WORDS = st.sampled_from(
    "Anna Berg's mill 1912 built slowly of the river. and, facing Then ’s “Moon” 霊感商法 - a.m. x".split()
)


@given(st.lists(WORDS, min_size=1, max_size=40).map(" ".join))
def test_phrases_are_the_sentences_own_words(sentence: str) -> None:
    phrases = find_phrases(sentence)
    assert all(phrase.text in sentence for phrase in phrases)
    assert len({phrase.text.lower() for phrase in phrases}) == len(phrases)
    assert all(phrase.alone for phrase in phrases if phrase.named)
