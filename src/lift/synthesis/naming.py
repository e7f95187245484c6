"""Which tokens would name or count something that a text does not have: a small model invents most in its names."""

from __future__ import annotations

import re
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Final

import torch

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

__all__ = ["NameGuard"]

_WORD: Final = re.compile(r"[\w’'-]+")


class NameGuard:
    """Bars the names and numbers of elsewhere, by the tokens that begin with a capital or a digit.

    It keeps most of them out, not all: a name's later tokens are free, and digits come in any order.

    Args:
        tokenizer: of the model that decodes.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer = tokenizer

    @cached_property
    def _names(self) -> torch.Tensor:
        """All tokens that may begin a name or a number; found when first asked for, since there are many."""
        pieces = self._tokenizer.batch_decode([[token] for token in range(len(self._tokenizer))])
        return torch.tensor([_begins_name(piece.lstrip()) for piece in pieces])

    def barred(self, text: str) -> torch.Tensor:
        """The tokens that name or count something, apart from those in the words of `text`: [vocabulary], bool."""
        words = {*text.split(), *_WORD.findall(text)}
        spelled = [spelling for word in sorted(words) for spelling in (word, f" {word}")]
        own = self._tokenizer(spelled, add_special_tokens=False)["input_ids"] if spelled else []
        barred = self._names.clone()
        barred[sorted(set(chain.from_iterable(own)))] = False
        return barred


def _begins_name(piece: str) -> bool:
    return bool(piece) and (piece[0].isupper() or piece[0].isdecimal())
