"""What a segment can be asked for: the names, numbers and phrases in it."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from typing import Final

from lift.document import Document
from lift.errors import LiftWarning
from lift.synthesis.checks import stems

__all__ = ["STOP_WORDS", "find_foci", "mentions", "phrase_spans", "warn_unless_english", "words_of"]

_WORD: Final = re.compile(r"\w[\w’'.,:%-]*\w|\w")
_MOST_WORDS: Final = 6
_LEAST_CHARS: Final = 3
# Within a name these do not end it: Parador de Arcos, Castle of Santa Catalina.
_JOINTS: Final = frozenset(("of", "de", "la", "del", "y"))
# An article or "de" that has lost its vowel: "l'Opéra".
_ELIDED: Final = re.compile(r"^[dl]['’]")
STOP_WORDS: Final = frozenset(
    "a about above after again against all also although am among an and another any are around as at be because been "
    "before being below between both but by can could de del did do does doing down during each either else etc ever "
    "every few for from further had has have having he her here hers herself him himself his how however i if in into "
    "is it its itself just la like made make many may me might more most much must my near neither no nor not now of "
    "off often on once one only onto or other our out over own per rather said same say says she should since so some "
    "such than that the their theirs them then there these they this those though through thus to together too toward "
    "towards under unless until up upon us very via was we were what when where whether which while who whom whose why "
    "will with within without would y yet you your including included according".split()
)

# A fifth to a third of the words of any English text are these, and hardly any of another language's.
_ENGLISH: Final = frozenset("the of and to that was is it for with as on by at from be this are which".split())
_LEAST_ENGLISH: Final = 0.1
_SAMPLE_CHARS: Final = 20_000


def find_foci(text: str) -> list[str]:
    """Phrases between stop words and punctuation marks, in their order, each once (as in RAKE, Rose et al., 2010)."""
    words = words_of(text)
    phrases = (text[words[first].start() : words[last].end()] for first, last in phrase_spans(text, words))
    bare = (phrase.removesuffix("'s").removesuffix("’s") for phrase in phrases)
    kept = (phrase for phrase in bare if len(phrase) >= _LEAST_CHARS and len(phrase.split()) <= _MOST_WORDS)
    return list({phrase.lower(): phrase for phrase in kept}.values())


def words_of(text: str) -> list[re.Match[str]]:
    """The words of `text`, numbers among them, each with its place."""
    return list(_WORD.finditer(text))


def phrase_spans(text: str, words: Sequence[re.Match[str]]) -> Iterator[tuple[int, int]]:
    """The first and the last word of every phrase between stop words and punctuation marks.

    Args:
        words: those of `text`.
    """
    first = last = -1  # of the phrase that is being gathered
    for number, word in enumerate(words):
        gap = text[words[number - 1].end() : word.start()] if number else "\n"
        touches = number > 0 and not gap.strip()
        joint = word[0] in _JOINTS and first >= 0 and touches and _joins_names(text, words, number)
        within = joint or _has_own_capital(word[0], touches and "\n" not in gap) or word[0].lower() not in STOP_WORDS
        if first >= 0 and not (touches and within):
            yield first, last
            first = -1
        if within:
            first, last = number if first < 0 else first, number
    if first >= 0:
        yield first, last


def warn_unless_english(document: Document, who: str) -> None:
    """A warning where English stop words will not end the document's phrases; `who` asks for them."""
    if not _is_english(document.text):
        message = f"{document.title}: {who} is made for English texts; its tasks about others are poor"
        warnings.warn(message, LiftWarning, stacklevel=3)


def _is_english(text: str) -> bool:
    """Whether the commonest English words are about as common in `text` as they should be."""
    words = re.findall(r"[^\W\d_]+", text[:_SAMPLE_CHARS].lower())
    return sum(word in _ENGLISH for word in words) >= _LEAST_ENGLISH * len(words)


def mentions(text: str, phrase: str) -> bool:
    """Whether the words of `phrase` stand in `text` one after the other, whatever their endings."""
    wanted, words = stems(phrase), stems(text)
    return any(words[start : start + len(wanted)] == wanted for start in range(len(words) - len(wanted) + 1))


def _has_own_capital(word: str, touches: bool) -> bool:
    """Whether it has a capital that no sentence gave it, as the stop words in "May 1936" and "the US" have.

    Args:
        touches: the word stands after another one in its line, without a punctuation mark between them.
    """
    return len(word) > 1 and word != "No" and word[0].isupper() and (touches or word.isupper())  # "Decree No. 117"


def _joins_names(text: str, words: Sequence[re.Match[str]], number: int) -> bool:
    """Whether the word, maybe with one more such word, stands between two capitalised ones."""
    before = number - 2 if number > 1 and words[number - 1][0] in _JOINTS else number - 1
    after = number + 2 if number + 2 < len(words) and words[number + 1][0] in _JOINTS else number + 1
    if after == len(words):
        return False
    between = text[words[number].end() : words[after].start()].split()
    touches = between == [word[0] for word in words[number + 1 : after]]
    return touches and all(_ELIDED.sub("", words[place][0])[:1].isupper() for place in (before, after))
