"""Causal transformer with sliding-window attention and a key-value cache (Vaswani et al. 2017, arXiv 1706.03762).

Pre-norm blocks, rotary position embedding (Su et al. 2021, arXiv 2104.09864) and SwiGLU (Shazeer 2020, arXiv
2002.05202).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.nn import functional

from audiogen.config.option_types import FractionBelowOne, Layers, PositiveInt, Width
from audiogen.models.backbones.base import Backbone
from audiogen.models.base import State


@dataclass(frozen=True)
class TransformerOptions:
    """Options of the transformer.

    Args:
        width: size of the residual stream, a multiple of ``2 * heads``.
        heads: attention heads.
        layers: number of blocks.
        window: frames that each frame attends to, itself included.
        dropout: fraction of units dropped after attention and feed-forward, in training.
    """

    width: Width = 160
    heads: Layers = 4
    layers: Layers = 4
    window: PositiveInt = 256
    dropout: FractionBelowOne = 0.1

    def __post_init__(self) -> None:
        if self.heads < 1 or self.width % (2 * self.heads):
            raise ValueError(f"width ({self.width}) must be a multiple of twice the heads ({self.heads})")


def rotate(heads: Tensor, first: int) -> Tensor:
    """Apply rotary position embedding.

    Args:
        heads: ``[batch, heads, time, size]`` queries or keys.
        first: position of the first frame.
    """
    time, half = heads.shape[-2], heads.shape[-1] // 2
    real, imaginary = heads[..., :half], heads[..., half:]
    rotations = _rotations.__wrapped__ if torch.compiler.is_compiling() else _rotations  # no cache in a graph
    cosine, sine = rotations(first, time, half, heads.device)
    return torch.cat([real * cosine - imaginary * sine, real * sine + imaginary * cosine], dim=-1)


@lru_cache(maxsize=16)
def _rotations(first: int, time: int, half: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Cosines and sines ``[time, half]`` of the positions from ``first`` on: the same in all blocks and most steps."""
    with torch.inference_mode(False):  # in training, too
        rates = 10000.0 ** (-torch.arange(half, device=device) / half)
        angles = torch.arange(first, first + time, device=device)[:, None] * rates
        return angles.cos(), angles.sin()


class Block(nn.Module):
    """Pre-norm transformer block: attention, then a SwiGLU feed-forward network, both residual."""

    def __init__(self, options: TransformerOptions) -> None:
        super().__init__()
        width, inner = options.width, options.width * 8 // 3
        self.heads, self.window = options.heads, options.window
        self.before_attention, self.before_feedforward = nn.RMSNorm(width), nn.RMSNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width, bias=False)
        self.attended = nn.Linear(width, width, bias=False)
        self.gate, self.rise = nn.Linear(width, inner, bias=False), nn.Linear(width, inner, bias=False)
        self.fall = nn.Linear(inner, width, bias=False)
        self.dropout = nn.Dropout(options.dropout)

    def forward(self, stream: Tensor, cache: tuple[Tensor, Tensor] | None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        update, cache = self.attend(self.before_attention(stream), cache)
        stream = stream + self.dropout(update)
        hidden = self.before_feedforward(stream)
        return stream + self.dropout(self.fall(functional.silu(self.gate(hidden)) * self.rise(hidden))), cache

    def attend(self, hidden: Tensor, cache: tuple[Tensor, Tensor] | None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Causal attention over the window; the cache holds the last ``window - 1`` keys (unrotated) and values."""
        batch, time, width = hidden.shape
        split = self.query_key_value(hidden).view(batch, time, 3, self.heads, width // self.heads)
        query, key, value = split.permute(2, 0, 3, 1, 4)
        if cache is not None:
            key, value = torch.cat([cache[0], key], dim=2), torch.cat([cache[1], value], dim=2)
        total = key.shape[2]
        # Rotary attention depends on differences of positions only, so positions are counted from the first key of
        # the cache and stay small however long the rollout.
        mask = None if time == 1 else self._mask(time, total, hidden.device)  # all of the cache lies in the window
        attended = functional.scaled_dot_product_attention(
            rotate(query, total - time), rotate(key, 0), value, attn_mask=mask
        )
        merged = self.attended(attended.transpose(1, 2).reshape(batch, time, width))
        kept = max(total - (self.window - 1), 0)
        return merged, (key[:, :, kept:], value[:, :, kept:])

    def _mask(self, time: int, total: int, device: torch.device) -> Tensor:
        """Which of ``total`` keys each of the last ``time`` frames attends to."""
        ages = torch.arange(total - time, total, device=device)[:, None] - torch.arange(total, device=device)
        return (ages >= 0) & (ages < self.window)


class Transformer(Backbone):
    """A stack of `Block`; the state is the key-value cache of each block."""

    Options = TransformerOptions

    def __init__(self, features: int, options: TransformerOptions) -> None:
        super().__init__(features, options)
        self.enter = nn.Linear(features, options.width)
        self.blocks = nn.ModuleList(Block(options) for _ in range(options.layers))
        self.norm = nn.RMSNorm(options.width)
        self.width = options.width

    def forward(self, frames: Tensor, state: State = None) -> tuple[Tensor, State]:
        stream = self.enter(frames)
        caches = []
        for index, block in enumerate(self.blocks):
            stream, cache = block(stream, None if state is None else state[index])
            caches.append(cache)
        return self.norm(stream), caches
