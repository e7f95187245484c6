"""What sentences without a name are about."""

import pytest

from lift.synthesis.phrases import Capitals, find_phrases
from lift.synthesis.topics import Topics, is_heading

CAPITALS = Capitals(frozenset({"Anna", "Berg", "Jerez", "Rota", "Cádiz"}), frozenset({"mill", "geological", "castle"}))


def about(title: str, *sentences: str) -> list[str]:
    topics = Topics(title, CAPITALS)
    return [topics.read(sentence, find_phrases(sentence, CAPITALS)) for sentence in sentences]


@pytest.mark.parametrize(
    ("title", "sentences", "topic"),
    [
        # The name that a sentence began with, for those that go on with a pronoun.
        ("Towns of Cádiz", ["Rota is a town.", "It grows."], "Rota"),
        ("Towns of Cádiz", ["Rota is a town.", "In 1912 its walls fell.", "They were old."], "Rota"),
        ("Towns of Cádiz", ["The Rota was a ship.", "It sank."], "Rota"),
        ("Towns of Cádiz", ["Rota is a town.", "Boats lay in the mud.", "They were old."], "Towns of Cádiz"),
        ("Towns of Cádiz", ["They went to Rota by sea.", "It was far."], "Towns of Cádiz"),
        # A person of the title, and others.
        ("Anna Berg", ["Rota is a town.", "She was born there."], "Anna Berg"),
        ("Towns of Cádiz", ["Anna Berg was here.", "She was born there."], "Anna Berg"),
        # A title without a name says too little.
        ("Old mills", ["A mill of Rota burned.", "Nothing was left."], "Rota"),
        ("Old mills", ["Nothing was left."], "Old mills"),
        ("Old mills", ["A mill of Rota burned.", "In May 1912 another one burned."], "Old mills"),
        ("Old mills", ["Old mills stood in Rota.", "They burned."], "Old mills"),
        ("T", ["Rota is a town.", "They live by the sea."], "Rota"),
    ],
)
def test_topics(title: str, sentences: list[str], topic: str) -> None:
    assert about(title, *sentences)[-1] == topic


@pytest.mark.parametrize(
    ("heading", "topic"),
    [
        ("Rota.", "Rota"),
        ("# The castle of Rota", "castle of Rota"),
        ("Early life.", "Towns of Cádiz"),
        ("## Early life", "Towns of Cádiz: Early life"),
        ("## Budget", "Towns of Cádiz: Budget"),
        ("# Towns of Cádiz", "Towns of Cádiz"),
        ("Geological effects.", "Towns of Cádiz"),
        ("## What Is the Mill?", "What Is the Mill"),
        ("## The Castle of Rota", "The Castle of Rota"),
    ],
)
def test_a_heading_begins_a_section(heading: str, topic: str) -> None:
    topics = Topics("Towns of Cádiz", CAPITALS)
    topics.read("Jerez is a town.", find_phrases("Jerez is a town.", CAPITALS))
    topics.enter(heading)
    assert topics.read("It was old.", []) == topic
    assert topics.read("Boats lay in the mud.", []) == topic


@pytest.mark.parametrize(
    ("sentence", "heading"),
    [
        ("Early life.", True),
        ("# How Anna built the mill", True),
        ("He escaped.", False),
        ("Relationship between the Bergs and the mill.", True),
        ("Parador de Jaén: Castillo de Santa Catalina.", True),
        ("She sold the mill in Jerez.", False),
        ("The mill in Jerez was old.", False),
        ("Rain delayed work on the mill.", False),
        ("Tom prepares the slides about the heating.", False),
        ("Anna Berg and all sons of hers in Jerez run the mill on the river.", False),  # too long for one
    ],
)
def test_headings(sentence: str, heading: bool) -> None:
    assert is_heading(sentence) is heading


@pytest.mark.parametrize(("sentence", "topic"), [("Nothing was left.", "Old mills"), ("It had burned.", "Rota")])
def test_a_paragraph_is_about_the_section_again(sentence: str, topic: str) -> None:
    """But for what goes on with a pronoun."""
    topics = Topics("Old mills", CAPITALS)
    topics.read("Rota is a town.", find_phrases("Rota is a town.", CAPITALS))
    topics.begin_paragraph()
    assert topics.read(sentence, []) == topic
    assert topics.read("They were old.", []) == topic
