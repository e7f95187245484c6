"""Documents into segments with exact character offsets; nothing is lost but white space."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import Final

from lift.blocks import Span, find_blocks, find_paragraphs, is_heading, is_whole, trimmed
from lift.document import Document, Segment
from lift.errors import MissingExtraError, RecipeError
from lift.recipe import Recipe
from lift.rows import is_delimiter
from lift.sentences import sentence_spans

__all__ = ["split_document"]

# Length of a token, for `segment: N`; an estimate, so that splitting needs no model.
_BYTES_PER_TOKEN: Final = 4


def split_document(document: Document, recipe: Recipe) -> list[Segment]:
    """Cut `document` as the recipe says (`segment`, `segment_min_chars`, `segment_max_chars`, `splitter`).

    Headings are joined to what follows, and so are segments below the minimum length (the last one to
    what precedes it). What is longer than the maximum is cut at a blank line, a line's end or white space. Fenced
    code, the rows of tables, and the paragraphs of a document that is no prose are never cut into sentences.

    Raises:
        MissingExtraError: spaCy or its pipeline is asked for and not installed.
    """
    text = document.text
    by_block: Iterable[list[Span]] = ([paragraph] for paragraph in find_paragraphs(text))
    headings: set[Span] = set()
    if document.is_prose:
        blocks = list(find_blocks(text))
        by_block, headings = _sentences(text, blocks, recipe.splitter), set(_headings(text, blocks))
    if isinstance(recipe.segment, int):
        sentences = [span for block in by_block for span in block]
        limit = recipe.segment * _BYTES_PER_TOKEN
        spans = _group(text, sentences, limit)
        most = max(limit, recipe.segment_max_chars)
    else:
        most = recipe.segment_max_chars
        if recipe.segment == "paragraph":
            spans = [span for sentences in by_block for span in _group(text, sentences, most)]
        else:
            spans = [span for sentences in by_block for span in sentences]
    spans = _join_short(spans, headings, recipe.segment_min_chars)
    spans = [piece for span in spans for piece in _cut(text, span, most)]
    return [Segment(index, start, end, text[start:end]) for index, (start, end) in enumerate(spans)]


def _headings(text: str, blocks: Sequence[Span]) -> Iterator[Span]:
    """Headings, and the names of tables' columns."""
    for block, after in zip_longest(blocks, blocks[1:], fillvalue=(0, 0)):
        if is_heading(text[slice(*block)]) or any(is_delimiter(text[slice(*row)]) for row in (block, after)):
            yield block


def _sentences(text: str, blocks: Iterable[Span], splitter: str) -> Iterator[list[Span]]:
    """The sentences of every block."""
    kind, _, pipeline = splitter.partition(":")
    if kind == "spacy":
        yield from _spacy_sentences(text, list(blocks), pipeline)
        return
    for block in blocks:
        yield list(sentence_spans(text, *block))


def _spacy_sentences(text: str, blocks: list[Span], pipeline: str) -> Iterator[list[Span]]:
    what = f"splitter=spacy:{pipeline} (unlike splitter=rules)"
    try:
        import spacy
    except ImportError:
        raise MissingExtraError(what, 'pip install "lift-llm[spacy]"') from None
    try:
        # `spacy:blank` would have no sentence ends: only trained pipelines and those with a sentencizer will do.
        nlp = spacy.load(pipeline, exclude=["ner", "lemmatizer", "attribute_ruler"])
    except OSError:
        raise MissingExtraError(what, f"python -m spacy download {pipeline}") from None
    for (start, _), parsed in zip(blocks, nlp.pipe(text[slice(*block)] for block in blocks), strict=True):
        if not parsed.has_annotation("SENT_START"):
            raise RecipeError(f"spaCy's pipeline {pipeline!r} finds no sentences; give one with a parser or senter")
        if is_whole(parsed.text):
            yield [(start, start + len(parsed.text))]
            continue
        spans = [trimmed(text, start + sentence.start_char, start + sentence.end_char) for sentence in parsed.sents]
        yield [span for span in spans if span[0] < span[1]]


def _group(text: str, sentences: Iterable[Span], limit: int) -> list[Span]:
    """Neighbouring sentences together, up to `limit` UTF-8 bytes."""
    groups: list[Span] = []
    size = 0
    for start, end in sentences:
        length = len(text[start:end].encode())
        if groups and size + length <= limit:
            groups[-1] = (groups[-1][0], end)
            size += length
        else:
            groups.append((start, end))
            size = length
    return groups


def _join_short(spans: list[Span], headings: set[Span], least: int) -> list[Span]:
    """Join headings and spans below `least` characters to what follows; the last one to what precedes it."""
    joined: list[Span] = []
    pending: int | None = None
    for start, end in spans:
        begin = start if pending is None else pending
        if end - begin < least or (start, end) in headings:
            pending = begin
        else:
            joined.append((begin, end))
            pending = None
    if pending is not None:
        last = spans[-1][1]
        if joined:
            joined[-1] = (joined[-1][0], last)
        else:
            joined.append((pending, last))
    return joined


def _cut(text: str, span: Span, most: int) -> Iterator[Span]:
    """Pieces of like length, none longer than `most`, cut at white space where there is some."""
    start, end = span
    while end - start > most:
        parts = -(-(end - start) // most)
        target = start + -(-(end - start) // parts)
        gaps = (text.rfind(gap, start + most // 4 + 1, target + 1) for gap in ("\n\n", "\n", " "))
        cut = next((gap for gap in gaps if gap >= 0), target)
        piece = trimmed(text, start, cut)
        if piece[0] < piece[1]:
            yield piece
        start = trimmed(text, cut, end)[0]
    if start < end:
        yield start, end
