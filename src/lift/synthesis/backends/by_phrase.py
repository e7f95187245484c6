"""What the generators that ask for one phrase of a segment after the other have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from lift.document import Document, Segment
from lift.errors import DocumentError, RecipeError
from lift.recipe import Recipe
from lift.synthesis.foci import warn_unless_english
from lift.synthesis.prompts import Request

__all__ = ["check_can_ask", "requests_by_phrase"]


def check_can_ask(name: str, document: Document, recipe: Recipe) -> None:
    """Check that the generator of this name can do what is asked of it.

    Raises:
        DocumentError: the document is no prose, so that it has no sentences to ask about.
        RecipeError: the recipe asks for more than questions about single segments.
    """
    if recipe.ask_about != "everything" or recipe.document_share:
        raise RecipeError(f"{name} asks about single segments alone: not about needles, no document_share")
    if not document.is_prose:
        raise DocumentError(
            f"{name} asks about sentences, and {document.source} has none; name a generator that reads programs and "
            "data (`--generator`)"
        )


def requests_by_phrase(
    name: str,
    rules: str,
    document: Document,
    segments: Sequence[Segment],
    recipe: Recipe,
    shown: Callable[[Segment], str],
) -> Iterator[Request]:
    """One request a segment; a warning where the document is not in English, whose stop words end phrases.

    Args:
        name: the generator's.
        rules: the version of its rules: by others a segment is asked about again.
        shown: what of the document a request about a segment holds.
    """
    warn_unless_english(document, name)
    for segment in segments:
        yield Request(
            segments=(segment,),
            kind="segment",
            system=rules,
            user=shown(segment),
            count=recipe.tasks_per_segment,
            max_tokens=recipe.generator_max_tokens,
            temperature=recipe.generator_temperature,
            may_be_empty=True,
        )
