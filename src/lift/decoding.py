"""Decoding a batch of prompts, for answers and for the generator that is the base model itself."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any, Final

import torch
from tokenizers.decoders import DecodeStream
from torch.nn.functional import pad as pad_to
from transformers import GenerationConfig, LogitsProcessor, StoppingCriteria

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

__all__ = ["CommonStarts", "decode_batch"]

# After so many tokens the answers at their end leave the batch, where it has a cache of its own to drop them from.
_TOKENS_AT_ONCE: Final = 8


class CommonStarts:
    """What prompts begin with, computed once for all that begin alike, in as many batches as there are.

    Args:
        network: the model, as it decodes later.
        tokenizer: its tokenizer.
        starts: token ids.
    """

    def __init__(self, network: Any, tokenizer: PreTrainedTokenizerBase, starts: Sequence[Sequence[int]]) -> None:
        self.lengths = [len(start) for start in starts]
        self.ids, self.mask = _padded(starts, tokenizer.pad_token_id, network.device)
        positions = (self.mask.cumsum(dim=1) - 1).clamp(min=0)
        with torch.inference_mode():
            states = network.get_decoder()(
                input_ids=self.ids, attention_mask=self.mask, position_ids=positions, use_cache=True
            )
        self._cache = states.past_key_values

    def cache(self, numbers: torch.Tensor) -> Any:
        """A key-value cache of a row for each of the starts with these numbers."""
        cache = copy.deepcopy(self._cache)
        cache.batch_select_indices(numbers)
        return cache


def decode_batch(
    network: Any,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Sequence[int]],
    *,
    stop_ids: Collection[int],
    max_new_tokens: int,
    min_new_tokens: int = 0,
    temperature: float = 0.0,
    starts: CommonStarts | None = None,
    begun: Sequence[int] = (),
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
        starts: what the prompts begin with, but for a token or more; answers at their end leave the batch then.
        begun: for each prompt, the number of its start.
        barred: for each prompt, the tokens that its answer must not have after the first one: [vocabulary], bool.
        on_text: called with the number of a prompt and a new piece of its answer; a false return ends it.
        options: passed on to `generate`.
    """
    pad = tokenizer.pad_token_id
    if starts:
        rests = [prompt[starts.lengths[number] :] for prompt, number in zip(prompts, begun, strict=True)]
        numbers = torch.tensor(begun, device=network.device)
        cache = options["past_key_values"] = starts.cache(numbers)
        # A start ends in one column and the rest begins there: [padding, start] [padding, rest].
        parts = [(starts.ids[numbers], starts.mask[numbers]), _padded(rests, pad, network.device)]
        ids, mask = (torch.cat(part, dim=1) for part in zip(*parts, strict=True))
    else:
        cache = None
        ids, mask = _padded(prompts, pad, network.device)
    sampling = {"do_sample": True, "temperature": temperature} if temperature else {"do_sample": False}
    answers = _Answers(len(prompts), frozenset(stop_ids))
    if barred:
        options["logits_processor"] = [_Barred(answers, torch.stack(list(barred)).to(network.device), ids.shape[1])]
    if on_text:
        options["stopping_criteria"] = [_HandOver(answers, tokenizer, on_text)]
    done = 0
    with torch.inference_mode(), network.get_output_embeddings().register_forward_pre_hook(_densely):
        while answers.going and done < max_new_tokens:
            n_tokens = max_new_tokens if cache is None else min(max_new_tokens - done, _TOKENS_AT_ONCE)
            config = GenerationConfig(
                max_new_tokens=n_tokens,
                min_new_tokens=max(0, min_new_tokens - done),
                eos_token_id=sorted(stop_ids),
                pad_token_id=pad,
                **sampling,
            )
            output = network.generate(input_ids=ids, attention_mask=mask, generation_config=config, **options)
            done += n_tokens
            on = torch.tensor(answers.take(output[:, ids.shape[1] :].tolist()), dtype=torch.long, device=network.device)
            if cache is not None and len(on) < len(ids):
                cache.batch_select_indices(on)
            ids, mask = output[on], pad_to(mask[on], (0, output.shape[1] - mask.shape[1]), value=1)
    return [text.strip() for text in tokenizer.batch_decode(answers.tokens, skip_special_tokens=True)]


def _padded(rows: Sequence[Sequence[int]], pad: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and mask, padded on the left: [rows, longest]."""
    longest = max(map(len, rows))
    ids = torch.tensor([[pad] * (longest - len(row)) + list(row) for row in rows], dtype=torch.long, device=device)
    mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows], dtype=torch.long, device=device)
    return ids, mask


def _densely(module: Any, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    """The states for the output layer, as if they had never been part of larger ones.

    With the strides of a slice, of a single row even, torch's product with frozen weights copies these for every row:
    65 to 100 ms before the first token of a small model.
    """
    return tuple(states.clone(memory_format=torch.contiguous_format) for states in inputs)


class _Answers:
    """The answers to a batch of prompts so far.

    Attributes:
        tokens: of each answer.
        going: the prompts, by number, that are decoded still; a row each.
        ended: those whose answers are at their end.
    """

    def __init__(self, prompts: int, stop_ids: frozenset[int]) -> None:
        self.stop_ids = stop_ids
        self.tokens: list[list[int]] = [[] for _ in range(prompts)]
        self.going = list(range(prompts))
        self.ended: set[int] = set()

    def take(self, new: Sequence[Sequence[int]]) -> list[int]:
        """Add the rows' new tokens; which rows go on."""
        for prompt, tokens in zip(self.going, new, strict=True):
            self.tokens[prompt] += tokens
            if not self.stop_ids.isdisjoint(tokens):
                self.ended.add(prompt)
        rows = [row for row, prompt in enumerate(self.going) if prompt not in self.ended]
        self.going = [self.going[row] for row in rows]
        return rows


class _Barred(LogitsProcessor):
    """Leaves tokens out, by prompts."""

    def __init__(self, answers: _Answers, barred: torch.Tensor, prompt_tokens: int) -> None:
        self._answers = answers
        self._barred = barred
        self._prompt_tokens = prompt_tokens

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        if input_ids.shape[1] > self._prompt_tokens:
            # A model may have more outputs than its tokenizer has tokens.
            scores[:, : self._barred.shape[1]].masked_fill_(self._barred[self._answers.going], -torch.inf)
        return scores


class _HandOver(StoppingCriteria):
    """Not there to stop, but the one hook that sees every token of a batch; transformers' streamers take one row."""

    def __init__(
        self, answers: _Answers, tokenizer: PreTrainedTokenizerBase, on_text: Callable[[int, str], bool]
    ) -> None:
        self._answers = answers
        self._tokenizer = tokenizer._tokenizer
        self._streams = [DecodeStream(skip_special_tokens=True) for _ in answers.going]
        self._on_text = on_text

    def __call__(self, input_ids: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        going, ended, stop_ids = self._answers.going, self._answers.ended, self._answers.stop_ids
        for prompt, token in zip(going, input_ids[:, -1].tolist(), strict=True):
            if prompt in ended:
                continue
            piece = "" if token in stop_ids else self._streams[prompt].step(self._tokenizer, token) or ""
            if not self._on_text(prompt, piece) or token in stop_ids:
                ended.add(prompt)
        return torch.tensor([prompt in ended for prompt in going], device=input_ids.device)
