"""Attention inside a pack: every branch sees the shared prefix and itself.

Branches are computed as a padded batch, so the cost grows with what the branches need and not with the
square of the pack. Registered with transformers under one name for attention and for masks: transformers
must not build a mask of its own, since it would take restarting positions for unrelated sequences and
cut the branches off the prefix (DESIGN, decision 2).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import torch
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel

__all__ = ["PACKED_ATTENTION", "PackLayout", "packed_attention", "use_packed_attention"]

PACKED_ATTENTION: Final = "lift_packed"


@dataclass(frozen=True)
class PackLayout:
    """Where the branches of a pack lie: B branches, the longest of length L, P prefix tokens.

    Attributes:
        prefix_length: P.
        branch_shape: (B, L).
        padded_index: [B * L], the token of the pack (counted after the prefix) at each place of the padded
            batch. Padding points to the pack's first branch token: as a key it comes after every real
            token of its row, so causality hides it; as a query its output is not read.
        token_index: [T - P], the place in the padded batch of each token after the prefix.
    """

    prefix_length: int
    branch_shape: tuple[int, int]
    padded_index: torch.Tensor
    token_index: torch.Tensor

    @classmethod
    def of(cls, prefix_length: int, lengths: Sequence[int], device: torch.device) -> PackLayout:
        """The layout of branches with these `lengths`, in the order in which they stand in the pack."""
        rows, longest = len(lengths), max(lengths)
        ends = torch.tensor(lengths)
        column = torch.arange(longest).expand(rows, -1)
        real = column < ends[:, None]
        starts = (ends.cumsum(0) - ends)[:, None]
        padded_index = torch.where(real, starts + column, 0).flatten()
        return cls(
            prefix_length=prefix_length,
            branch_shape=(rows, longest),
            padded_index=padded_index.to(device),
            token_index=real.flatten().nonzero().flatten().to(device),
        )


def packed_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    scaling: float,
    pack_layout: PackLayout,
    dropout: float = 0.0,
    sliding_window: int | None = None,
    softcap: float | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Causal attention of a pack, as transformers' `AttentionInterface` asks for it.

    Args:
        query: [1, H, T, D]; key, value: [1, K, T, D] with K dividing H (grouped heads).
        attention_mask: None; `pack_layout` says who sees whom.
        scaling: factor of the scores.
        pack_layout: given to the model's forward as a keyword.
        dropout: not applied: a pack is exact only without.
        sliding_window: a token sees the keys fewer than this many *positions* back.
        softcap: scores become softcap * tanh(score / softcap).

    Returns:
        [1, T, H, D], and None in place of the attention weights.
    """
    if attention_mask is not None:
        raise ValueError("packed attention takes no mask; pack_layout says who sees whom")
    prefix = pack_layout.prefix_length
    rows, longest = pack_layout.branch_shape
    heads, kv_heads, width = query.shape[1], key.shape[1], query.shape[3]
    groups = heads // kv_heads

    def parts(states: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """[1, h, T, D] -> the prefix [h, P, D] and the branches [h, B, L, D], padded."""
        shared, padded = _Parts.apply(states, pack_layout)  # type: ignore[no-untyped-call]
        return shared, padded.view(-1, rows, longest, states.shape[3])

    def weights(scores: torch.Tensor, first: int) -> torch.Tensor:
        """Softmax over the last axis for queries at positions `first`, `first` + 1, ... of one sequence."""
        if softcap is not None:
            scores = softcap * torch.tanh(scores / softcap)
        hidden = _hidden(first, scores.shape[-2], scores.shape[-1], sliding_window, scores.device)
        attended: torch.Tensor = _MaskedSoftmax.apply(scores, hidden)  # type: ignore[no-untyped-call]
        return attended

    (prefix_q, q), (prefix_k, k), (prefix_v, v) = parts(query * scaling), parts(key), parts(value)
    # [K, B, G, L, D]: the queries that share a key head next to each other.
    q = q.view(kv_heads, groups, rows, longest, width).transpose(1, 2).contiguous()

    queries = groups * longest
    to_prefix = q.view(kv_heads, rows * queries, width) @ prefix_k.transpose(1, 2)
    to_branch = q.view(kv_heads, rows, queries, width) @ k.transpose(2, 3)
    scores = torch.cat(
        [
            to_prefix.view(kv_heads, rows, groups, longest, prefix),
            to_branch.view(kv_heads, rows, groups, longest, longest),
        ],
        dim=-1,
    )
    on_prefix, on_branch = weights(scores, prefix).split([prefix, longest], dim=-1)
    out = (on_prefix.reshape(kv_heads, rows * queries, prefix) @ prefix_v).view(kv_heads, rows, queries, -1)
    out = out + on_branch.reshape(kv_heads, rows, queries, longest) @ v
    # [K, B, G, L, D] -> [B * L, H, D], then the padding is left out.
    out = out.view(kv_heads, rows, groups, longest, -1).permute(1, 3, 0, 2, 4).reshape(rows * longest, heads, -1)
    out = out.index_select(0, pack_layout.token_index)

    if prefix:
        prefix_q = prefix_q.view(kv_heads, groups, prefix, width)
        on_itself = weights(prefix_q @ prefix_k[:, None].transpose(2, 3), 0)
        prefix_out = (on_itself @ prefix_v[:, None]).view(heads, prefix, -1)
        out = torch.cat([prefix_out.transpose(0, 1), out])
    return out[None], None


class _Parts(torch.autograd.Function):
    """Prefix and padded branches of [1, h, T, D]: the general gradients of slices and gathers write far more.

    A place of the padded batch that only pads gets no gradient, so a token's is that of its one real place.
    """

    @staticmethod
    def forward(ctx: Any, states: torch.Tensor, layout: PackLayout) -> tuple[torch.Tensor, torch.Tensor]:
        ctx.layout = layout
        prefix = layout.prefix_length
        return states[0, :, :prefix].contiguous(), states[0, :, prefix:].index_select(1, layout.padded_index)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: torch.Tensor) -> tuple[torch.Tensor, None]:
        shared, padded = grad_outputs
        return torch.cat([shared, padded.index_select(1, ctx.layout.token_index)], dim=1)[None], None


class _MaskedSoftmax(torch.autograd.Function):
    """Softmax over the last axis of scores that nothing else needs, which are overwritten.

    Its own kernel computes in float32 whatever the dtype, forward and backward; what is hidden gets no gradient, since
    its weight is zero. So nothing as large as the scores is copied, as casts and a mask's gradient would.
    """

    @staticmethod
    def forward(ctx: Any, scores: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
        # Not -inf: a padded row may see nothing at all.
        weights = torch.softmax(scores.masked_fill_(hidden, torch.finfo(scores.dtype).min), dim=-1)
        ctx.save_for_backward(weights)
        return weights

    @staticmethod
    def backward(ctx: Any, *grad_outputs: torch.Tensor) -> tuple[torch.Tensor, None]:
        (weights,) = ctx.saved_tensors
        return torch._softmax_backward_data(grad_outputs[0], weights, -1, weights.dtype), None


@lru_cache(maxsize=8)  # every layer of a pack asks for the same
def _hidden(first: int, queries: int, keys: int, sliding_window: int | None, device: torch.device) -> torch.Tensor:
    """[queries, keys]: what a query at position `first`, `first` + 1, ... may not see."""
    distance = torch.arange(first, first + queries, device=device)[:, None] - torch.arange(keys, device=device)
    hidden = distance < 0
    return hidden if sliding_window is None else hidden | (distance >= sliding_window)


def _no_mask(*_: Any, **__: Any) -> None:
    """`pack_layout` takes the place of a mask."""


AttentionInterface.register(PACKED_ATTENTION, packed_attention)
AttentionMaskInterface.register(PACKED_ATTENTION, _no_mask)


@contextmanager
def use_packed_attention(network: PreTrainedModel) -> Iterator[None]:
    """Switch `network` to packed attention; its stock attention is back at the end, for answering."""
    stock = network.config._attn_implementation
    network.set_attn_implementation(PACKED_ATTENTION)
    try:
        yield
    finally:
        network.set_attn_implementation(stock)
