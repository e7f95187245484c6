"""What a sentence without a name is about: a name that stands before it, in a heading maybe, or the title."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from lift.blocks import is_markdown_heading
from lift.synthesis.english import CALENDAR, CONNECTORS, DETERMINERS, is_measure, is_year, separates
from lift.synthesis.foci import STOP_WORDS, words_of
from lift.synthesis.phrases import Capitals, Phrase, find_phrases

__all__ = ["Topics", "is_heading", "names_among", "refers_back"]

# Among its first words these make a sentence go on about what an earlier one names.
_THINGS: Final = frozenset("it its this these they their".split())
_PERSONS: Final = frozenset("he his him she her".split())
_FIRST_WORDS: Final = 8
# A date at the beginning is among these: "On 8 July", "In 1912".
_DATE_WORDS: Final = 3
_MOST_WORDS_OF_A_HEADING: Final = 9
_IN_HEADINGS: Final = CONNECTORS | DETERMINERS | frozenset("de del la y about after before or to".split())


class Topics:
    """Follows a document, sentence by sentence.

    A sentence that begins with a name is about it, and so are those after it that go on with a pronoun. What else has
    no name is about the section: its heading's name, or the title, with the heading if that is marked as one; where the
    title has no name, about the last name before it in its paragraph, as long as no date begins something new. "He" and
    "she" are the title's if that begins with a name.

    Args:
        title: of the document.
        capitals: what the document's capitals say.

    Attributes:
        section: what the section is about.
    """

    def __init__(self, title: str, capitals: Capitals) -> None:
        self._title = title
        self._capitals = capitals
        names = [word[0] in capitals.names and not capitals.are_plain(word[0]) for word in words_of(title)]
        self._begins_with_name = names[:1] == [True]
        self._has_name = any(names)
        self._chapter = self.section = self._topic = title
        self._is_new = True

    def enter(self, heading: str) -> None:
        """Begin a section."""
        text = heading.lstrip(" #")
        if is_markdown_heading(heading):
            self._chapter = self._title if text == self._title else f"{self._title}: {text}"
            if _is_in_title_case(text):
                self.section = self._topic = text.rstrip("?!.:")
                return
        names = names_among(find_phrases(text, self._capitals))
        # A heading's first word has a capital anyway: "Geological effects".
        sure = (name for name in names if " " not in name or any(map(_has_capital, name.split()[1:])))
        self.section = self._topic = next(sure, self._chapter)

    def begin_paragraph(self) -> None:
        """What follows is about the section again, but for a sentence that goes on with a pronoun."""
        self._is_new = True

    def read(self, sentence: str, phrases: Sequence[Phrase]) -> str:
        """The next sentence: what it is about, if it has no name.

        Args:
            phrases: those of the sentence.
        """
        names = names_among(phrases)
        # A date begins something new as well.
        dated = any(word in CALENDAR or word[0].isdecimal() for word in sentence.split()[:_DATE_WORDS])
        earlier = self.section if self._is_new or dated else self._topic
        self._is_new = False
        begun = next((name for name in (self._title, *names) if _begins(sentence, name)), None)
        if begun:
            self._topic = begun
        elif not refers_back(sentence):
            self._topic = self.section if self._has_name else next(filter(_has_capital, names), earlier)
        elif self._begins_with_name and not _first_words(sentence).isdisjoint(_PERSONS):
            return self._title
        return self._topic


def refers_back(sentence: str) -> bool:
    """Whether it goes on about something, with a pronoun among its first words."""
    return not _first_words(sentence).isdisjoint(_THINGS | _PERSONS)


def is_heading(sentence: str) -> bool:
    """Whether it is one by its mark, or by its words: few, and none is a verb, or looks like one, or is a pronoun."""
    words = [word[0].lower() for word in words_of(sentence)]
    few = len(words) <= _MOST_WORDS_OF_A_HEADING
    tells = any(after in DETERMINERS and word not in _IN_HEADINGS for word, after in pairwise(words))  # "prepares the"
    return is_markdown_heading(sentence) or (few and not tells and all(map(_may_head, words)))


def _is_in_title_case(heading: str) -> bool:
    """Whether its capitals tell nothing of names: "What Is Ownership?"."""
    words = [word[0] for word in words_of(heading)]
    return len(words) > 1 and not any(word[0].islower() and word not in STOP_WORDS for word in words)


def _first_words(sentence: str) -> frozenset[str]:
    return frozenset(sentence.lower().split()[:_FIRST_WORDS])


def _may_head(word: str) -> bool:
    return word in _IN_HEADINGS or is_measure(word) or not (word in STOP_WORDS or separates(word))


def names_among(phrases: Sequence[Phrase]) -> list[str]:
    """The names, without dates and numbers, apart from what begins with a year ("2024 Summer Olympics")."""
    return [phrase.text for phrase in phrases if phrase.named and _is_name(phrase.text)]


def _is_name(text: str) -> bool:
    first, _, rest = text.partition(" ")
    bare = rest if is_year(first) and _has_capital(rest) else text
    return not any(map(str.isdecimal, bare))


def _begins(sentence: str, name: str) -> bool:
    """Whether the sentence begins with the name, or with "The" and the name."""
    starts = (start for start in (name, f"The {name}") if sentence.startswith(start))
    return any(not sentence[len(start) : len(start) + 1].isalnum() for start in starts)


def _has_capital(words: str) -> bool:
    return words[:1].isupper()
