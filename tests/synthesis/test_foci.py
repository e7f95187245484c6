"""What a segment can be asked for."""

import pytest

from lift.synthesis.foci import find_foci, mentions


@pytest.mark.parametrize(
    ("text", "foci"),
    [
        (
            "On 24 August 2021, Masayoshi Kajikuri of the UPF's Japanese branch said that 2,500 couples had come.",
            ["24 August 2021", "Masayoshi Kajikuri", "UPF's Japanese branch", "2,500 couples", "come"],
        ),
        (
            "He built the Parador de Arcos de la Frontera, at the Castle of Santa Catalina.",
            ["built", "Parador de Arcos de la Frontera", "Castle of Santa Catalina"],
        ),
        ("Madrid. Madrid's mayor", ["Madrid", "Madrid's mayor"]),
        ("It was so.", []),
        ("The Place de l'Opéra, the Place de épice", ["Place de l'Opéra", "Place", "épice"]),
        ("US troops were at The Hague in May 1936, and so was I.", ["US troops", "The Hague", "May 1936"]),
        ("on YouTube\nAnd I was in The\nHague", ["YouTube", "The\nHague"]),  # a line begins with a capital anyway
        ("", []),
        ("red blue green white black brown grey", []),  # no phrase has so many words
    ],
)
def test_phrases(text: str, foci: list[str]) -> None:
    assert find_foci(text) == foci


def test_every_focus_stands_in_its_text() -> None:
    text = (
        "In 1992, each follower had to bring three more people into the church; the fee was 1.4 million yen (in won)."
    )
    assert find_foci(text)
    assert all(focus in text and mentions(text, focus) for focus in find_foci(text))


@pytest.mark.parametrize(
    ("text", "phrase", "found"),
    [
        ("Alvaro was an architect.", "architects", True),  # endings do not count
        ("It was in Cádiz.", "Cadiz", True),
        ("It was 1.4 million.", "1.4 million", True),
        ("The red old bridge", "red bridge", False),  # one after the other
        ("a cat", "category", False),
        ("", "x", False),
    ],
)
def test_mentions(text: str, phrase: str, found: bool) -> None:
    assert mentions(text, phrase) is found
