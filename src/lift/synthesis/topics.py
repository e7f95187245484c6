"""What a sentence without a name is about: a name that stands before it, or the title."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lift.synthesis.foci import words_of
from lift.synthesis.phrases import Capitals, Phrase

__all__ = ["Topics", "names_among"]

# Among its first words these make a sentence go on about what an earlier one names.
_THINGS: Final = frozenset("it its this these they their".split())
_PERSONS: Final = frozenset("he his him she her".split())
_FIRST_WORDS: Final = 8


class Topics:
    """Follows a document, sentence by sentence.

    A sentence that begins with a name is about it, and so are those after it that go on with a pronoun. What else has
    no name is about the section's heading, if that has a name, or about the title; where the title has none, about
    the last name before it. "He" and "she" are the title's if a name is its first word.

    Args:
        title: of the document.
        capitals: what the document's capitals say.
    """

    def __init__(self, title: str, capitals: Capitals) -> None:
        self._title = title
        names = [word[0] in capitals.names and not capitals.are_plain(word[0]) for word in words_of(title)]
        self._begins_with_name = names[:1] == [True]
        self._has_name = any(names)
        self._section = self._topic = title

    def enter(self, heading: Sequence[Phrase]) -> None:
        """Begin a section.

        Args:
            heading: its phrases.
        """
        # A heading's first word has a capital anyway: "Geological effects".
        names = (name for name in names_among(heading) if " " not in name or any(map(_has_capital, name.split()[1:])))
        self._section = self._topic = next(names, self._title)

    def read(self, sentence: str, phrases: Sequence[Phrase]) -> str:
        """The next sentence: what it is about, if it has no name.

        Args:
            phrases: those of the sentence.
        """
        names = names_among(phrases)
        first_words = frozenset(sentence.lower().split()[:_FIRST_WORDS])
        begun = next((name for name in (self._title, *names) if sentence.startswith((name, f"The {name}"))), None)
        if begun:
            self._topic = begun
        elif first_words.isdisjoint(_THINGS | _PERSONS):
            self._topic = self._section if self._has_name else next(filter(_has_capital, names), self._topic)
        elif self._begins_with_name and not first_words.isdisjoint(_PERSONS):
            return self._title
        return self._topic


def names_among(phrases: Sequence[Phrase]) -> list[str]:
    """The names, without dates and numbers."""
    return [phrase.text for phrase in phrases if phrase.named and not any(map(str.isdecimal, phrase.text))]


def _has_capital(words: str) -> bool:
    return words[0].isupper()
