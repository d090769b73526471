"""The stream that the signal-processing vocoders share: fixed blocks of frames, each pinned to what came before.

A block is rendered together with a few frames that follow it, and against the samples that are already final. So
the start of a stream (pinned to the prompt), the seam between two blocks and a single long block are one and the same
case, the sizes of the pushed pieces cannot matter, and memory does not grow with the length.

What is pinned is never quite consistent with what is rendered, so a block begins with a small step. It is faded in over
what the block before it expected to come next: a step every second is a click that quiet bands would be full of.
"""

from __future__ import annotations

import math
from abc import abstractmethod

import torch
from torch import Tensor

from audiogen.representation.mel import MelSpec
from audiogen.vocoders.base import Stream

FADE = 2  # hops over which a block takes over from the one before


class BlockStream(Stream):
    """Cuts pushed frames into blocks and keeps the samples that the next block continues.

    Args:
        spec: of the frames.
        channels: number of channels.
        past: ``[channels, samples]`` before the first rendered sample, or None for silence.
        block: frames rendered at a time.
        ahead: further frames that a block looks at, so that its own end is determined from both sides.
    """

    def __init__(self, spec: MelSpec, channels: int, past: Tensor | None, block: int = 64, ahead: int = 8) -> None:
        self.spec, self.channels, self.block, self.ahead = spec, channels, block, ahead
        self._memory = 2 * spec.win  # samples: the pinned overlap plus whole past windows to read phases from
        self._frames: list[Tensor] = []
        self._held = 0
        self._past = self._trim(past)
        self._guess: Tensor | None = None

    @abstractmethod
    def render(self, frames: Tensor, past: Tensor, guess: Tensor | None, final: int) -> Tensor:
        """Render one block.

        Args:
            frames: ``[channels, time, n_mels]``, the block's frames and those ahead of it.
            past: ``[channels, 2 * win]`` final samples just before the block.
            guess: ``[channels, ahead * hop]``, the previous block's idea of this block's first samples, or None.
            final: how many of the frames belong to the block itself.

        Returns:
            ``[channels, time * hop]`` samples; the first ``final * hop`` become final.
        """

    def push(self, frames: Tensor) -> Tensor:
        self._frames.append(frames)
        self._held += frames.shape[1]
        rendered = [frames.new_zeros(self.channels, 0)]
        while self._held >= self.block + self.ahead:
            rendered.append(self._advance(self.block))
        return torch.cat(rendered, dim=-1)

    def finish(self) -> Tensor:
        rendered = []
        while self._held > 0:
            rendered.append(self._advance(min(self.block, self._held)))
        return torch.cat(rendered, dim=-1) if rendered else torch.zeros(self.channels, 0)

    def _advance(self, final: int) -> Tensor:
        """Render the next ``final`` frames; where the recording ends, its last frame stands for those ahead."""
        held = torch.cat(self._frames, dim=1)
        window = held[:, : final + self.ahead]
        missing = final + self.ahead - window.shape[1]
        if missing > 0:
            window = torch.cat([window, window[:, -1:].expand(-1, missing, -1)], dim=1)
        samples = self.render(window, self._past.to(held.device), self._guess, final)
        if self._guess is not None:
            samples = self._faded_in(samples, self._guess)
        ready, self._guess = samples.split([final * self.spec.hop, self.ahead * self.spec.hop], dim=-1)
        self._past = torch.cat([self._past.to(held.device), ready], dim=-1)[:, -self._memory :]
        self._frames, self._held = [held[:, final:]], self._held - final
        return ready

    def _faded_in(self, samples: Tensor, guess: Tensor) -> Tensor:
        """``samples`` that begin as ``guess`` does. Both continue the same past: they are correlated, and add up."""
        length = min(FADE, self.ahead) * self.spec.hop
        ramp = (torch.arange(length, device=samples.device) + 0.5) * (math.pi / 2 / length)
        start = torch.lerp(guess[:, :length], samples[:, :length], ramp.sin().square())
        return torch.cat([start, samples[:, length:]], dim=-1)

    def _trim(self, past: Tensor | None) -> Tensor:
        """The last ``memory`` samples of the past, with silence before a short one."""
        memory = torch.zeros(self.channels, self._memory) if past is None else past[:, -self._memory :].float()
        silence = memory.new_zeros(self.channels, self._memory - memory.shape[-1])
        return torch.cat([silence, memory], dim=-1)
