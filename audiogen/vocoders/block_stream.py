"""Base of the streams of the signal-processing vocoders: blocks of frames, each a continuation of the final samples.

A block is rendered together with a few frames of look-ahead, and with the samples before it fixed. So the start of a
stream, which continues the prompt, the seam between two blocks and a single long block are the same case; the sizes of
the pushed chunks do not matter, and memory does not grow with the length.

A block is never quite consistent with the fixed samples and begins with a small step. It is therefore cross-faded with
the look-ahead of the block before it: a step every second would be an audible click in quiet bands.
"""

from __future__ import annotations

import math
from abc import abstractmethod

import torch
from torch import Tensor

from audiogen.representation.mel import MelSpec
from audiogen.vocoders.base import Stream

FADE_HOPS = 2  # length of the cross-fade between blocks


class BlockStream(Stream):
    """Cuts pushed frames into blocks and keeps the samples that the next block continues.

    Args:
        spec: spec of the frames.
        channels: number of channels.
        past: ``[channels, samples]`` before the first rendered sample, or None for silence.
        block: frames rendered at a time.
        ahead: frames of look-ahead, so that the end of a block overlaps windows on both sides.
    """

    def __init__(self, spec: MelSpec, channels: int, past: Tensor | None, block: int = 64, ahead: int = 8) -> None:
        self.spec, self.channels, self.block, self.ahead = spec, channels, block, ahead
        self._memory = 2 * spec.win  # samples: the fixed overlap, plus whole windows before it to read phases from
        self._frames: list[Tensor] = []
        self._pending = 0
        self._past = self._trim(past)
        self._lookahead: Tensor | None = None

    @abstractmethod
    def render(self, frames: Tensor, past: Tensor, lookahead: Tensor | None, final: int) -> Tensor:
        """Render one block.

        Args:
            frames: ``[channels, time, n_mels]``, the frames of the block and its look-ahead.
            past: ``[channels, 2 * win]`` final samples just before the block.
            lookahead: ``[channels, ahead * hop]``, what the previous block rendered for the start of this one, or None.
            final: number of frames of the block itself.

        Returns:
            ``[channels, time * hop]`` samples; the first ``final * hop`` become final.
        """

    def push(self, frames: Tensor) -> Tensor:
        self._frames.append(frames)
        self._pending += frames.shape[1]
        rendered = [frames.new_zeros(self.channels, 0)]
        while self._pending >= self.block + self.ahead:
            rendered.append(self._advance(self.block))
        return torch.cat(rendered, dim=-1)

    def finish(self) -> Tensor:
        rendered = []
        while self._pending > 0:
            rendered.append(self._advance(min(self.block, self._pending)))
        return torch.cat(rendered, dim=-1) if rendered else torch.zeros(self.channels, 0)

    def _advance(self, final: int) -> Tensor:
        """Render the next ``final`` frames; at the end of the stream the last frame is repeated as look-ahead."""
        frames = torch.cat(self._frames, dim=1)
        window = frames[:, : final + self.ahead]
        missing = final + self.ahead - window.shape[1]
        if missing > 0:
            window = torch.cat([window, window[:, -1:].expand(-1, missing, -1)], dim=1)
        samples = self.render(window, self._past.to(frames.device), self._lookahead, final)
        if self._lookahead is not None:
            samples = self._cross_fade(self._lookahead, samples)
        ready, self._lookahead = samples.split([final * self.spec.hop, self.ahead * self.spec.hop], dim=-1)
        self._past = torch.cat([self._past.to(frames.device), ready], dim=-1)[:, -self._memory :]
        self._frames, self._pending = [frames[:, final:]], self._pending - final
        return ready

    def _cross_fade(self, lookahead: Tensor, samples: Tensor) -> Tensor:
        """Fade from the look-ahead to ``samples``. Both continue the same past and are correlated: equal-gain fade."""
        length = min(FADE_HOPS, self.ahead) * self.spec.hop
        ramp = (torch.arange(length, device=samples.device) + 0.5) * (math.pi / 2 / length)
        start = torch.lerp(lookahead[:, :length], samples[:, :length], ramp.sin().square())
        return torch.cat([start, samples[:, length:]], dim=-1)

    def _trim(self, past: Tensor | None) -> Tensor:
        """The last ``memory`` samples of the past, with silence before a short one."""
        memory = torch.zeros(self.channels, self._memory) if past is None else past[:, -self._memory :].float()
        silence = memory.new_zeros(self.channels, self._memory - memory.shape[-1])
        return torch.cat([silence, memory], dim=-1)
