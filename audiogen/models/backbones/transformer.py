"""Causal transformer with sliding-window attention and a key-value cache (Vaswani et al. 2017, arXiv 1706.03762).

Pre-norm blocks, rotary position embedding (Su et al. 2021, arXiv 2104.09864) and SwiGLU (Shazeer 2020, arXiv
2002.05202).

A single step is computed with packed weights and without autograd: its fixed costs are most of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from audiogen.config.option_types import FractionBelowOne, Layers, PositiveInt, Width
from audiogen.models.backbones.base import Backbone
from audiogen.models.backbones.packed_weights import PackedWeights
from audiogen.models.base import State

Packed: TypeAlias = tuple[Tensor, Tensor, Tensor, Tensor]
"""Weights of a block as ``[inputs, outputs]``: into the attention, out of it, into the feed-forward, out of it.

The first make queries, keys and values, and queries and keys turned by a quarter, for their rotation.
"""


EPSILON = torch.tensor(torch.finfo(torch.float32).eps, device="cpu")  # added to mean squares, as by `nn.RMSNorm`


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


class Rotation(NamedTuple):
    """Rotary position embedding of some frames.

    Args:
        cosines: ``[batch or 1, time, 1, 1, 1, half]``, half of the size of a head.
        sines: ``[batch or 1, time, 1, 1, 2, half]``, the first of the two negative.
    """

    cosines: Tensor
    sines: Tensor

    @classmethod
    def at(cls, positions: Tensor, time: int, rates: Tensor) -> Rotation:
        """Rotation of ``time`` frames from ``positions`` ``[batch or 1]`` on, by ``rates`` ``[half]`` a frame.

        Angles are computed in double precision: a rollout may be long.
        """
        if time > 1:
            positions = positions[:, None] + torch.arange(time, device=positions.device)
        angles = positions.view(-1, time, 1, 1, 1, 1) * rates
        cosines, sines = angles.cos().float(), angles.sin().float()
        return cls(cosines, torch.cat([-sines, sines], dim=-2))

    def of(self, heads: Tensor) -> Tensor:
        """Rotate queries and keys ``[batch, time, 2, heads, size]``, whose halves are real and imaginary parts."""
        parts = heads.view(*heads.shape[:-1], 2, -1)
        return torch.addcmul(parts * self.cosines, parts.flip(-2), self.sines).view(heads.shape)


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

    def forward(self, stream: Tensor, rotation: Rotation, cache: Tensor | None) -> tuple[Tensor, Tensor]:
        """Map a chunk ``[batch, time, width]``.

        The cache holds keys (rotated) and values ``[batch, frames, 2, heads, size]`` of the last ``window - 1`` frames.
        """
        update, cache = self.attend(self.before_attention(stream), rotation, cache)
        stream = stream + self.dropout(update)
        hidden = self.before_feedforward(stream)
        return stream + self.dropout(self.fall(functional.silu(self.gate(hidden)) * self.rise(hidden))), cache

    def attend(self, hidden: Tensor, rotation: Rotation, cache: Tensor | None) -> tuple[Tensor, Tensor]:
        """Causal attention over the window, and the cache of the next chunk."""
        batch, time, width = hidden.shape
        split = self.query_key_value(hidden).view(batch, time, 3, self.heads, width // self.heads)
        query, key = rotation.of(split[:, :, :2]).unbind(2)
        pairs = self._extended(cache, torch.stack([key, split[:, :, 2]], dim=2))
        total = pairs.shape[1]
        mask = None if time == 1 else self._mask(time, total, hidden.device)  # all of the cache lies in the window
        attended = functional.scaled_dot_product_attention(query.transpose(1, 2), *_by_head(pairs), attn_mask=mask)
        return self.attended(attended.transpose(1, 2).reshape(batch, time, width)), self._kept(pairs)

    def pack(self) -> Packed:
        """Weights for `step`; gains of the norms are part of them."""
        query_key_value = self.query_key_value.weight * self.before_attention.weight
        query_key = query_key_value[: -len(query_key_value) // 3].unflatten(0, (2 * self.heads, 2, -1))
        turned = torch.stack([-query_key[:, 1], query_key[:, 0]], dim=1).flatten(0, 2)  # by a quarter
        into_attention = torch.cat([query_key_value, turned])
        into_feedforward = torch.cat([self.gate.weight, self.rise.weight]) * self.before_feedforward.weight
        weights = into_attention, self.attended.weight, into_feedforward, self.fall.weight
        a, b, c, d = (weight.T.contiguous() for weight in weights)
        return a, b, c, d

    def step(
        self, stream: Tensor, weights: Packed, rotation: tuple[Tensor, Tensor], cache: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """`forward` of a single frame ``[batch, width]`` in as few operations as possible.

        Args:
            rotation: cosines and sines ``[batch, 1, 1, 1, size]`` of the angles of a head, once for either half.
        """
        into_attention, out_of_attention, into_feedforward, out_of_feedforward = weights
        (cosines, sines), (batch, width) = rotation, stream.shape
        split = (_normalised(stream) @ into_attention).view(batch, 1, 5, self.heads, width // self.heads)
        split[:, :, :2].mul_(cosines).addcmul_(split[:, :, 3:], sines)
        pairs = self._extended(cache, split[:, :, 1:3])
        attended = functional.scaled_dot_product_attention(split[:, :, 0].transpose(1, 2), *_by_head(pairs))
        stream = torch.addmm(stream, attended.view(batch, width), out_of_attention)
        gate, rise = (_normalised(stream) @ into_feedforward).chunk(2, dim=1)
        return torch.addmm(stream, functional.silu(gate).mul_(rise), out_of_feedforward), self._kept(pairs)

    @staticmethod
    def _extended(cache: Tensor | None, pairs: Tensor) -> Tensor:
        return pairs if cache is None else torch.cat([cache, pairs], dim=1)

    def _kept(self, pairs: Tensor) -> Tensor:
        return pairs[:, max(pairs.shape[1] - (self.window - 1), 0) :]

    def _mask(self, time: int, total: int, device: torch.device) -> Tensor:
        """Which of ``total`` keys each of the last ``time`` frames attends to."""
        ages = torch.arange(total - time, total, device=device)[:, None] - torch.arange(total, device=device)
        return (ages >= 0) & (ages < self.window)


def _normalised(stream: Tensor) -> Tensor:
    """Root-mean-square norm of ``[batch, width]`` without gains: `functional.rms_norm` in fewer operations."""
    norm = torch.linalg.vector_norm(stream, dim=1, keepdim=True)
    return stream * torch.addcmul(EPSILON, norm, norm, value=1 / stream.shape[1]).rsqrt_()


def _by_head(pairs: Tensor) -> tuple[Tensor, Tensor]:
    """Keys and values ``[batch, heads, time, size]``."""
    key, value = pairs.permute(2, 0, 3, 1, 4)
    return key, value


class Transformer(Backbone):
    """A stack of `Block`; the state is the number of frames read ``[batch]`` and the key-value cache of each block.

    Attention depends on differences of positions only, so items of a batch may have read different numbers of frames.
    """

    Options = TransformerOptions
    rates: Tensor

    def __init__(self, features: int, options: TransformerOptions) -> None:
        super().__init__(features, options)
        self.enter = nn.Linear(features, options.width)
        self.blocks = nn.ModuleList(Block(options) for _ in range(options.layers))
        self.norm = nn.RMSNorm(options.width)
        self.width, half = options.width, options.width // options.heads // 2
        # On the CPU also where a Run is only laid out, as the heads' (`heads.flow.Velocity`).
        rates = 10000.0 ** (-torch.arange(half, dtype=torch.float64, device="cpu") / half)
        self.register_buffer("rates", rates, persistent=False)
        self._packed = PackedWeights[list[Packed]]()

    def forward(self, frames: Tensor, state: State = None) -> tuple[Tensor, State]:
        batch, time, _ = frames.shape
        caches: Sequence[Tensor | None]
        if state is None:
            # Of one batch item, since all of them are at the same position.
            positions, caches = torch.zeros(1, dtype=torch.int64, device=frames.device), [None] * len(self.blocks)
        else:
            positions, caches = state
        stream, after = self.enter(frames), []
        single = time == 1 and frames.device.type == "cpu"
        if single and not self.training and not torch.is_grad_enabled():
            stream, packed = stream[:, 0], self._packed.get(self.blocks, self._pack)
            angles = positions.view(-1, 1, 1, 1, 1) * self.rates.repeat(2)
            turn = angles.cos().float(), angles.sin().float()
            for block, weights, cache in zip(self._stack(), packed, caches, strict=True):
                stream, cache = block.step(stream, weights, turn, cache)
                after.append(cache)
            stream = (_normalised(stream) * self.norm.weight)[:, None]
        else:
            rotation = Rotation.at(positions, time, self.rates)
            for block, cache in zip(self._stack(), caches, strict=True):
                stream, cache = block(stream, rotation, cache)
                after.append(cache)
            stream = self.norm(stream)
        return stream, (positions.expand(batch) + time, after)

    def _stack(self) -> Iterable[Block]:
        return cast("Iterable[Block]", self.blocks)

    def _pack(self) -> list[Packed]:
        return [block.pack() for block in self._stack()]
