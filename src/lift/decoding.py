"""Decoding a batch of prompts, for answers and for the generator that is the base model itself."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any

import torch
from tokenizers.decoders import DecodeStream
from transformers import GenerationConfig, LogitsProcessor, StoppingCriteria

from lift.prefix import shared_prefix

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

__all__ = ["decode_batch"]


def decode_batch(
    network: Any,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Sequence[int]],
    *,
    stop_ids: Collection[int],
    max_new_tokens: int,
    min_new_tokens: int = 0,
    temperature: float = 0.0,
    families: Sequence[int] | None = None,
    barred: Sequence[torch.Tensor] | None = None,
    on_text: Callable[[int, str], bool] | None = None,
    **options: Any,
) -> list[str]:
    """The texts that follow `prompts`, decoded together, padded on the left.

    Args:
        network: a model with `generate`.
        prompts: token ids.
        stop_ids: tokens that end an answer.
        max_new_tokens, min_new_tokens: limits of each answer.
        temperature: of sampling; 0 decodes greedily.
        families: a number for each prompt; what all prompts of a number begin with is computed once for them.
        barred: for each prompt, the tokens that its answer must not have after the first one: [vocabulary], bool.
        on_text: called with the number of a prompt and a new piece of its answer; a false return ends it.
        options: passed on to `generate`.
    """
    pad = tokenizer.pad_token_id
    starts = _common_starts(prompts, families) if families else [0] * len(prompts)
    # What is shared ends in one column, what is not begins there: [padding, start] [padding, rest].
    columns = [[prompt[:start] for prompt, start in zip(prompts, starts, strict=True)],
               [prompt[start:] for prompt, start in zip(prompts, starts, strict=True)]]  # fmt: skip
    (head_ids, head_mask), (rest_ids, rest_mask) = (_padded(rows, pad) for rows in columns)
    ids, mask = torch.cat([head_ids, rest_ids], dim=1), torch.cat([head_mask, rest_mask], dim=1)
    longest = ids.shape[1]
    sampling = {"do_sample": True, "temperature": temperature} if temperature else {"do_sample": False}
    config = GenerationConfig(
        max_new_tokens=max_new_tokens,
        min_new_tokens=min_new_tokens,
        eos_token_id=sorted(stop_ids),
        pad_token_id=pad,
        **sampling,
    )
    if barred:
        options["logits_processor"] = [_Barred(torch.stack(list(barred)).to(network.device), longest)]
    if on_text:
        options["stopping_criteria"] = [_HandOver(tokenizer, len(prompts), frozenset(stop_ids), on_text)]
    with torch.inference_mode():
        if families and head_ids.shape[1]:
            options["past_key_values"] = _computed_once(network, head_ids, head_mask, families)
        output = network.generate(
            input_ids=ids.to(network.device),
            attention_mask=mask.to(network.device),
            generation_config=config,
            **options,
        )
    return [text.strip() for text in tokenizer.batch_decode(output[:, longest:], skip_special_tokens=True)]


def _common_starts(prompts: Sequence[Sequence[int]], families: Sequence[int]) -> list[int]:
    """For each prompt, how many of its tokens its family begins with; each keeps its last one."""
    members: dict[int, list[tuple[int, ...]]] = {}
    for prompt, family in zip(prompts, families, strict=True):
        members.setdefault(family, []).append(tuple(prompt))
    lengths = {family: shared_prefix(rows) for family, rows in members.items()}
    return [lengths[family] for family in families]


def _padded(rows: Sequence[Sequence[int]], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and mask, padded on the left: [rows, longest]."""
    longest = max(map(len, rows))
    ids = torch.tensor([[pad] * (longest - len(row)) + list(row) for row in rows], dtype=torch.long)
    mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows], dtype=torch.long)
    return ids, mask


def _computed_once(network: Any, ids: torch.Tensor, mask: torch.Tensor, families: Sequence[int]) -> Any:
    """The key-value cache of rows that are the same within a family."""
    first = {family: row for row, family in reversed(list(enumerate(families)))}
    numbers = {family: number for number, family in enumerate(first)}
    rows = list(first.values())
    ids, mask = ids[rows].to(network.device), mask[rows].to(network.device)
    positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
    cache = network(
        input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=True, logits_to_keep=1
    ).past_key_values
    cache.batch_select_indices(torch.tensor([numbers[family] for family in families], device=network.device))
    return cache


class _Barred(LogitsProcessor):
    """Leaves tokens out, by rows."""

    def __init__(self, barred: torch.Tensor, prompt_tokens: int) -> None:
        self._barred = barred
        self._prompt_tokens = prompt_tokens

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        if input_ids.shape[1] > self._prompt_tokens:
            # A model may have more outputs than its tokenizer has tokens.
            scores[:, : self._barred.shape[1]].masked_fill_(self._barred, -torch.inf)
        return scores


class _HandOver(StoppingCriteria):
    """Not there to stop, but the one hook that sees every token of a batch; transformers' streamers take one row."""

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        rows: int,
        stop_ids: Collection[int],
        on_text: Callable[[int, str], bool],
    ) -> None:
        self._tokenizer = tokenizer._tokenizer
        self._streams = [DecodeStream(skip_special_tokens=True) for _ in range(rows)]
        self._stop_ids = stop_ids
        self._on_text = on_text
        self._ended = [False] * rows

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        for row, token in enumerate(input_ids[:, -1].tolist()):
            if self._ended[row]:
                continue
            piece = "" if token in self._stop_ids else self._streams[row].step(self._tokenizer, token) or ""
            self._ended[row] = not self._on_text(row, piece) or token in self._stop_ids
        return torch.tensor(self._ended, device=input_ids.device)
