"""Scores of one answer against its reference, and intervals of their means."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from functools import cache
from itertools import pairwise
from typing import Any, Final

from lift.errors import MissingExtraError
from lift.evaluation.questions import Question
from lift.overlap import token_f1

__all__ = ["bootstrap_interval", "is_refusal", "keyword_match", "score_answer", "wilson_interval"]

_ARTICLES: Final = re.compile(r"\b(a|an|the)\b")
_REFUSAL: Final = re.compile(
    r"\b(?:do(?:es)? not (?:know|say|mention|provide|specify|contain)|don't know|doesn't (?:say|mention|provide)"
    r"|not (?:known|mentioned|stated|given|provided|specified|available|recorded)|no (?:information|mention|record)"
    r"|unknown|cannot (?:answer|say|tell|find)|can't (?:answer|say|tell)|unable to|not sure|unclear)\b",
    re.IGNORECASE,
)
# Numbers in words, of which many begin or end with another.
_NUMBERS: Final = frozenset(
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand".split()
)


def score_answer(question: Question, answer: str) -> float:
    """From 0 (wrong) to 1 (right), by the question's metric; an answer that says nothing is wrong.

    Raises:
        ValueError: the metric needs a judge.
        MissingExtraError: it needs a library that is not installed.
    """
    if question.metric == "judge":
        raise ValueError(f"question {question.id} is for a judge")
    if not answer.strip():
        return 0.0
    if question.metric == "keywords":
        return float(keyword_match(answer, question.keywords))
    compare = _COMPARISONS[question.metric]
    return max(float(compare(answer, reference)) for reference in (question.answer, *question.also))


def exact_match(answer: str, reference: str) -> bool:
    """Equal but for case, punctuation and articles (SQuAD's normalisation)."""
    return _bare(answer) == _bare(reference)


def contains(answer: str, reference: str) -> bool:
    """Whether the reference's words stand in the answer, one after the other."""
    return f" {_bare(reference)} " in f" {_bare(answer)} "


def keyword_match(answer: str, keywords: Sequence[Sequence[str]]) -> bool:
    """Whether, of every inner list, at least one string occurs in the lower-cased answer.

    Where a keyword begins or ends with a digit, no further digit may touch it there: "4" is not in "1947". One that
    begins or ends with a number in words begins or ends a word there: "nine" is not in "nineteen".
    """
    lowered = answer.lower()
    return all(any(_occurs(keyword, lowered) for keyword in group) for group in keywords)


def order_match(answer: str, reference: str) -> float:
    """Share of neighbours in the reference's order ("3,1,2") that the answer has in that order too."""
    wanted = re.findall(r"\d+", reference)
    places = {number: place for place, number in reversed(list(enumerate(re.findall(r"\d+", answer))))}
    pairs = list(pairwise(wanted))
    return sum(a in places and b in places and places[a] < places[b] for a, b in pairs) / len(pairs) if pairs else 0.0


def rouge_l(answer: str, reference: str) -> float:
    """ROUGE-L's F measure over stemmed words (Lin, 2004)."""
    return float(_rouge().score(reference, answer)["rougeL"].fmeasure)


_COMPARISONS: Final[dict[str, Callable[[str, str], float]]] = {
    "exact": exact_match,
    "contains": contains,
    "f1": token_f1,
    "rouge": rouge_l,
    "order": order_match,
}


def is_refusal(answer: str) -> bool:
    """Whether the answer says that it has no answer; an empty one counts."""
    return not answer.strip() or _REFUSAL.search(answer) is not None


def wilson_interval(right: int, total: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's 95 % interval of the share right / total."""
    if total == 0:
        return 0.0, 1.0
    share = right / total
    scale = 1 + z * z / total
    middle = (share + z * z / (2 * total)) / scale
    half = z * ((share * (1 - share) + z * z / (4 * total)) / total) ** 0.5 / scale
    return max(0.0, middle - half), min(1.0, middle + half)


def bootstrap_interval(groups: Sequence[Sequence[float]], draws: int = 2000) -> tuple[float, float]:
    """95 % percentile bootstrap interval of the mean of all scores.

    Args:
        groups: the scores of each question, one a seed. Questions are drawn, not scores: the same question
            asked of three seeds is not three questions.
        draws: resamples.
    """
    if not groups:
        return 0.0, 1.0
    means = [sum(group) / len(group) for group in groups]
    rng = random.Random(0)
    drawn = sorted(sum(rng.choices(means, k=len(means))) / len(means) for _ in range(draws))
    return drawn[int(0.025 * draws)], drawn[int(0.975 * draws) - 1]


def _occurs(keyword: str, text: str) -> bool:
    keyword = keyword.lower()
    words = keyword.split()
    before = r"(?<!\d)" if keyword[:1].isdigit() else r"\b" if words and words[0] in _NUMBERS else ""
    after = r"(?!\d)" if keyword[-1:].isdigit() else r"\b" if words and words[-1] in _NUMBERS else ""
    return re.search(before + re.escape(keyword) + after, text) is not None


def _bare(text: str) -> str:
    return " ".join(_ARTICLES.sub(" ", re.sub(r"[^\w\s]", " ", text.lower())).split())


@cache
def _rouge() -> Any:
    try:
        from rouge_score.rouge_scorer import RougeScorer
    except ImportError:
        raise MissingExtraError("ROUGE", 'pip install "lift-llm[eval]"') from None
    return RougeScorer(["rougeL"], use_stemmer=True)
