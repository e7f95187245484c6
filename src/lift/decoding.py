"""Decoding a batch of prompts, for answers and for the generator that is the base model itself."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any

import torch
from tokenizers.decoders import DecodeStream
from transformers import GenerationConfig, StoppingCriteria

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
    temperature: float = 0.0,
    on_text: Callable[[int, str], bool] | None = None,
    **options: Any,
) -> list[str]:
    """The texts that follow `prompts`, decoded together, padded on the left.

    Args:
        network: a model with `generate`.
        prompts: token ids.
        stop_ids: tokens that end an answer.
        max_new_tokens: limit of each answer.
        temperature: of sampling; 0 decodes greedily.
        on_text: called with the number of a prompt and a new piece of its answer; a false return ends it.
        options: passed on to `generate`.
    """
    longest = max(map(len, prompts))
    pad = tokenizer.pad_token_id
    ids = torch.tensor([[pad] * (longest - len(prompt)) + list(prompt) for prompt in prompts])
    mask = torch.tensor([[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts])
    sampling = {"do_sample": True, "temperature": temperature} if temperature else {"do_sample": False}
    config = GenerationConfig(
        max_new_tokens=max_new_tokens, eos_token_id=sorted(stop_ids), pad_token_id=pad, **sampling
    )
    if on_text:
        options["stopping_criteria"] = [_HandOver(tokenizer, len(prompts), frozenset(stop_ids), on_text)]
    with torch.inference_mode():
        output = network.generate(
            input_ids=ids.to(network.device),
            attention_mask=mask.to(network.device),
            generation_config=config,
            **options,
        )
    return [text.strip() for text in tokenizer.batch_decode(output[:, longest:], skip_special_tokens=True)]


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
