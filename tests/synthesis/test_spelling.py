"""Names that a small model gets wrong by a letter or two are spelled as the text has them."""

import pytest

from lift.synthesis.spelling import respelled

SOURCE = "Picardo signed the ''Manifiesto de la Alhambra'' in Gerona; Anna and the mayor of Austria's north did too."


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        ("Who signed the 'Manifiedto de la Alhambra'?", "Who signed the 'Manifiesto de la Alhambra'?"),
        ("Who signed Manifesto, and where is Girona?", "Who signed Manifiesto, and where is Gerona?"),
        ("What did Piccardo's friend sign?", "What did Picardo's friend sign?"),
        ("Which Austrian did the Picardos know?", "Which Austrian did the Picardos know?"),  # other forms
        ("Who is the Mayor of Austria?", "Who is the Mayor of Austria?"),  # as it stands, but for its capital
        ("Gerone or Madrid?", "Gerone or Madrid?"),  # the first word, and a name of elsewhere
        ("Who is Anne?", "Who is Anne?"),  # too short to tell
    ],
)
def test_names(text: str, spelled: str) -> None:
    assert respelled(text, SOURCE) == spelled


def test_a_source_without_names() -> None:
    assert respelled("Who is Picardo?", "") == "Who is Picardo?"
