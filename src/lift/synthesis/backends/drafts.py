"""What a task writer has about a segment so far, and which of its questions and answers are no use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from lift.synthesis.backends.in_process import Job
from lift.synthesis.checks import (
    content_stems,
    fault_of,
    follows_text,
    has_whole_names,
    is_grounded,
    known_share,
    normalised,
    strange_stems,
)
from lift.synthesis.foci import mentions
from lift.synthesis.parser import Pair
from lift.synthesis.phrases import Capitals, Phrase, find_phrases
from lift.synthesis.usage import Usage
from lift.synthesis.wanted import has_time_or_count, has_what_is_wanted, premise, says_enough, says_something
from lift.synthesis.writing import foci_of, title_in

__all__ = ["ASKED_BEFORE", "DRAFTS_VERSION", "Draft"]

# To be raised with every change of the rules.
DRAFTS_VERSION: Final = "drafts-2"
ASKED_BEFORE: Final = "asked before"

# The checks leave a pair of so many, and a second round for a few more foci would take nearly as long as the first.
_FOCI_A_PAIR: Final = 8
# The share of its words that a question may have from elsewhere (one in any case) and an answer must have from here.
_STRANGE_IN_QUESTION: Final = 0.3
_KNOWN_OF_ANSWER: Final = 0.85


@dataclass
class Draft:
    """The pairs about one segment so far.

    Attributes:
        job: the request about it.
        topics: what the segment's sentences are about; the title need not be among them.
        sentences: of the segment.
        sayings: those of them that say something by themselves.
        capitals: what the document's capitals say.
        missing: pairs wanted still.
        tried: foci asked for so far.
        asked: questions so far.
        told: questions whose answers are no use, answered with their sentences.
        cost: tokens so far.
    """

    job: Job
    topics: Sequence[str]
    sentences: Sequence[str]
    sayings: Sequence[str]
    capitals: Capitals
    missing: int = field(init=False)
    tried: int = 0
    asked: set[str] = field(default_factory=set)
    told: list[Pair] = field(default_factory=list)
    cost: Usage = field(default_factory=Usage)

    def __post_init__(self) -> None:
        self.missing = self.job.request.count

    @property
    def shown(self) -> str:
        """What the writer sees of the document."""
        return self.job.request.user

    @cached_property
    def own(self) -> str:
        """What the segment is about, and itself: where the names of a question must come from.

        The other names that the writer sees are for the answers' pronouns; in questions they are mostly wrong.
        """
        (segment,) = self.job.request.segments
        return f"{self._about} {segment.text}"

    @cached_property
    def foci(self) -> list[str]:
        """What to ask for, the best first."""
        return foci_of(self._phrases)

    @cached_property
    def _about(self) -> str:
        return " ".join([title_in(self.shown), *self.topics])

    @cached_property
    def _known(self) -> str:
        return f"{self.shown} {self.own}"

    @cached_property
    def _phrases(self) -> dict[str, list[Phrase]]:
        return {sentence: find_phrases(sentence, self.capitals) for sentence in self.sentences}

    @cached_property
    def _is_named(self) -> bool:
        return any(phrase.named for inside in self._phrases.values() for phrase in inside)

    def next_foci(self, most: int | None = None) -> Sequence[str]:
        """What to ask for now, at most so many; nothing once all pairs are there or every focus has been asked for."""
        if self.job.stopped or not self.missing:
            return []
        chosen = self.foci[self.tried :][: self.missing * _FOCI_A_PAIR][:most]
        self.tried += len(chosen)
        return chosen

    def fault_of_question(self, question: str, focus: str) -> str | None:
        """Why the question is no use, by rules."""
        if not question.endswith("?"):
            return "not a question"
        if mentions(question, focus):
            return "does not ask for its focus"
        if normalised(question) in self.asked:
            return ASKED_BEFORE
        if self._is_named and not any(phrase.named for phrase in find_phrases(question, self.capitals)):
            return "asks about nothing that has a name"
        grounded = is_grounded(Pair(question, ""), self.own) and has_whole_names(question, self._known)
        given = premise(question)
        bearable = max(1, _STRANGE_IN_QUESTION * len(content_stems(given)))
        if not grounded or len(strange_stems(given, self._known)) > bearable:
            return "asks about what the text does not have"
        return None

    def fault_of_answer(self, pair: Pair, foci: Sequence[str]) -> str | None:
        """Why the pair is no use, now that it has an answer; `foci` are the ones that its question was written for."""
        brought = any(mentions(pair.answer, focus) for focus in foci)
        if not (brought and has_time_or_count(*pair)):
            return "the answer is not what was asked for"
        grounded = is_grounded(pair, self._known) and has_whole_names(pair.answer, self._known)
        known = known_share(pair.answer, self._known) >= _KNOWN_OF_ANSWER
        if not (grounded and known) or fault_of(pair, self._known, self.own):
            return "says what the text does not"
        said = says_enough(pair) and follows_text(pair, self.sentences, self._about)
        return None if said else "says what no sentence says"

    def tell(self, pair: Pair, foci: Sequence[str]) -> None:
        """Let a sentence answer the question of a pair that is no use, if it has a focus and the answer comes of it."""
        for sentence in self.sayings:
            told = Pair(pair.question, " ".join(sentence.split()))
            if any(mentions(sentence, focus) for focus in foci) and self._comes_of(pair, told):
                self.told.append(told)
                return

    def _comes_of(self, pair: Pair, told: Pair) -> bool:
        if fault_of(told, self._known, self.own) or not has_what_is_wanted(*told):
            return False
        return says_something(pair) and follows_text(pair, [told.answer], self._about)
