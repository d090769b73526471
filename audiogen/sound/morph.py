"""Morphing: from the continuation of one recording to the texture of another, over the length of the tail."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import tee
from operator import itemgetter
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from audiogen.audio import Recording
from audiogen.dsp.fades import raised_cosine
from audiogen.dsp.limiter import LookaheadLimiter, peak_of
from audiogen.errors import InputError
from audiogen.representation.mel import MelSpec
from audiogen.sound.continuation import Continuer
from audiogen.sound.controls import NEUTRAL, Controls, Gain
from audiogen.sound.join import join_to_prompt
from audiogen.sound.rendering import Chunk

HOLD_FRACTION = 0.1  # of the tail, at either end, that is not mixed
MIN_DEVIATION = 1e-3  # smallest standard deviation of a band, in log-mel units


def convert_format(recording: Recording, sample_rate: int, channels: int) -> Recording:
    """Convert a recording to another sample rate and number of channels.

    Downmixing to one channel averages; otherwise the first channels are kept, or all repeated in order.
    """
    samples = recording.samples
    if recording.channels > channels:
        samples = samples.mean(0, keepdims=True) if channels == 1 else samples[:channels]
    elif recording.channels < channels:
        samples = samples[np.arange(channels) % recording.channels]
    converted = Recording(np.ascontiguousarray(samples, np.float32), recording.sample_rate, path=recording.path)
    return converted.resampled(sample_rate)


class Morph:
    """Tails that begin as the first prompt's continuation and end as the second's texture.

    Both continuations are predicted side by side. The frames of each are standardised and given, band by band, a mean
    and a deviation interpolated between those of the two recordings, so that both take on one timbre and one
    variability. Each recording renders its own frames from its own material, and one rendering is cross-faded into the
    other at equal power.

    Args:
        first: continues the prompt.
        second: of the same sample rate, channels and MelSpec.

    Raises:
        InputError: the MelSpecs of the two Runs differ.
    """

    def __init__(self, first: Continuer, second: Continuer) -> None:
        if first.spec != second.spec:
            raise InputError("morph", "the mel frames of the two Runs differ", "use Runs of one representation")
        self.sides = (first, second)
        self.statistics = (_FrameStatistics.of(first), _FrameStatistics.of(second))

    matched = False
    """Whether texture statistics were matched: a morph has no single set of them."""

    @property
    def drift_guard(self) -> dict[str, float]:
        """Largest corrections in the latest tail, of either side; see `Continuer`."""
        first, second = (side.drift_guard for side in self.sides)
        return {name: max(first.get(name, 0.0), second.get(name, 0.0)) for name in first | second}

    @property
    def partials(self) -> dict[str, object] | None:
        """Those of the first prompt; see `Continuer.partials`."""
        return self.sides[0].partials

    def tail(
        self, length: int, seed: int = 0, temperature: float = 1.0, controls: Controls = NEUTRAL
    ) -> Iterator[np.ndarray]:
        """Generate ``length`` samples that follow the first prompt; see `Continuer.tail`."""
        prompt = self.sides[0].parts.join_partner
        yield from join_to_prompt(prompt, self._samples(length, seed, temperature, controls), length)

    def _samples(self, length: int, seed: int, temperature: float, controls: Controls) -> Iterator[np.ndarray]:
        first, second = self.sides
        frames = length / first.parts.recording.sample_rate * first.spec.frame_rate
        chunks = tee(self._frames(frames, seed, temperature, controls))
        rendered = [
            side.samples_of(map(Chunk, map(itemgetter(index), pairs)), seed, controls)
            for index, (side, pairs) in enumerate(zip(self.sides, chunks, strict=True))
        ]
        # Resampling may have raised peaks of the second prompt above full scale.
        ceiling = peak_of(first.parts.material.samples, second.parts.material.samples.clip(-1, 1))
        limiter = LookaheadLimiter(ceiling, first.parts.recording.sample_rate)
        gain = Gain(controls.level, first.parts.recording.sample_rate)
        for block in limiter(self._cross_faded(rendered, length)):
            yield gain(block).astype(np.float32)

    def _cross_faded(self, rendered: Sequence[Iterable[np.ndarray]], length: int) -> Iterator[np.ndarray]:
        """Cross-fade of the two sides' blocks ``[channels, time]``."""
        difference, done = self.sides[1].level - self.sides[0].level, 0
        for first, second in aligned_blocks(*rendered):
            weight = mixing_weight(done + np.arange(first.shape[1]), length)
            done += first.shape[1]
            # Each side is rendered at its own level and brought to the level in between, in dB.
            first, second = first * 10 ** (weight * difference / 20), second * 10 ** ((weight - 1) * difference / 20)
            yield np.cos(0.5 * np.pi * weight) * first + np.sin(0.5 * np.pi * weight) * second

    def _frames(
        self, length: float, seed: int, temperature: float, controls: Controls
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Frames ``[time, channels * n_mels]`` for each side, each at its own level; ``length`` is in frames."""
        streams = [
            (chunk.frames.T.numpy() for chunk in side.frames_after(seed + index, temperature, controls))
            for index, side in enumerate(self.sides)
        ]
        done = 0
        for first, second in aligned_blocks(*streams):
            weight = torch.from_numpy(mixing_weight(done + np.arange(first.shape[1]), length)).float()[:, None]
            done += first.shape[1]
            yield self.between(torch.from_numpy(first.T), torch.from_numpy(second.T), weight)

    def between(self, first: Tensor, second: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Give frames of both sides the interpolated mean and deviation.

        Args:
            first: ``[time, feature]`` frames of the first side.
            second: of the second side.
            weight: ``[time, 1]`` in 0 (the first recording's statistics) .. 1 (the second's).

        Returns:
            ``[time, feature]`` for each side, at the level of its own recording, so that its source vocoder finds
            similar material.
        """
        start, end = self.statistics
        mean, deviation = (a + weight * (b - a) for a, b in zip(start[:2], end[:2], strict=True))
        power = _log_power(mean, deviation, self.sides[0].spec)

        def moved(side: _FrameStatistics, frames: Tensor) -> Tensor:
            return mean + deviation * side.standardised(frames) + 0.5 * (side.power - power)

        return moved(start, first), moved(end, second)


class _FrameStatistics(NamedTuple):
    """Mean and standard deviation ``[feature]`` of a recording's frames, and the logarithm of their power ``[1]``."""

    mean: Tensor
    deviation: Tensor
    power: Tensor

    @classmethod
    def of(cls, continuer: Continuer) -> _FrameStatistics:
        mean, deviation = continuer.frames.mean(0), continuer.frames.std(0).clamp(min=MIN_DEVIATION)
        return cls(mean, deviation, _log_power(mean, deviation, continuer.spec))

    def standardised(self, frames: Tensor) -> Tensor:
        return (frames - self.mean) / self.deviation


def _log_power(mean: Tensor, deviation: Tensor, spec: MelSpec) -> Tensor:
    """Logarithm ``[..., 1]`` of the expected power of log-normal bands, from their moments ``[..., feature]``."""
    bins = torch.from_numpy((spec.filterbank() > 0).sum(1)).float().repeat(mean.shape[-1] // spec.n_mels)
    return (2 * mean + 2 * deviation.square() + bins.log()).logsumexp(-1, keepdim=True)


def mixing_weight(positions: np.ndarray, length: float) -> np.ndarray:
    """Smooth mixing weight from 0 at the start to 1 at the end, constant for `HOLD_FRACTION` at either end.

    Args:
        positions: ``[time]`` in 0..length.
        length: of the tail, in the same unit.
    """
    return raised_cosine((positions / max(length, 1) - HOLD_FRACTION) / (1 - 2 * HOLD_FRACTION))


def aligned_blocks(*streams: Iterable[np.ndarray]) -> Iterator[tuple[np.ndarray, ...]]:
    """Cut the blocks ``[rows, time]`` of several streams so that each tuple's blocks have equal lengths."""
    iterators = [iter(stream) for stream in streams]
    buffers: list[np.ndarray | None] = [None] * len(iterators)
    while True:
        for index, iterator in enumerate(iterators):
            block = buffers[index]
            while block is None or block.shape[1] == 0:
                if (block := next(iterator, None)) is None:
                    return
            buffers[index] = block
        blocks = [block for block in buffers if block is not None]
        size = min(block.shape[1] for block in blocks)
        yield tuple(block[:, :size] for block in blocks)
        buffers = [block[:, size:] for block in blocks]
