"""From one recording's continuation to another recording's texture, over the length of the tail."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import tee
from operator import itemgetter
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from audiogen.audio import Recording
from audiogen.dsp.limiter import LookaheadLimiter, peak_of
from audiogen.errors import InputError
from audiogen.representation.mel import MelSpec
from audiogen.sound.continuation import NEUTRAL, Continuer, join_to_prompt
from audiogen.sound.controls import Controls, Gain

HOLD_FRACTION = 0.1  # of the tail, at either end, that is one recording's alone
MIN_DEVIATION = 1e-3  # deviation of a band, in log-mel units, that counts


def convert_format(recording: Recording, sample_rate: int, channels: int) -> Recording:
    """A recording at another rate and with other channels: one is the mean of all, many repeat the few, in order."""
    samples = recording.samples
    if recording.channels > channels:
        samples = samples.mean(0, keepdims=True) if channels == 1 else samples[:channels]
    elif recording.channels < channels:
        samples = samples[np.arange(channels) % recording.channels]
    fitting = Recording(np.ascontiguousarray(samples, np.float32), recording.sample_rate, path=recording.path)
    return fitting.resampled(sample_rate)


class Morph:
    """Tails that begin as the first prompt's continuation and end as the second's texture.

    Both continuations are predicted side by side. The frames of either are moved, band by band, to a mean and a
    deviation between those of the two recordings, so that both take on one colour and one liveliness; each recording
    renders its own out of its own material, and one rendering is faded into the other at equal power.

    Args:
        first: continues the prompt.
        second: of the same sample rate, channels and MelSpec.

    Raises:
        InputError: the two Runs have other mel frames.
    """

    def __init__(self, first: Continuer, second: Continuer) -> None:
        if first.spec != second.spec:
            raise InputError("morph", "the two Runs have other mel frames", "use Runs of one representation")
        self.sides = (first, second)
        self.ends = (_Statistics.of(first), _Statistics.of(second))

    @property
    def drift_guard(self) -> dict[str, float]:
        """The largest corrections made so far, on either side."""
        one, other = (side.drift_guard for side in self.sides)
        return {name: max(one.get(name, 0.0), other.get(name, 0.0)) for name in one | other}

    def tail(
        self, length: int, seed: int = 0, temperature: float = 1.0, controls: Controls = NEUTRAL
    ) -> Iterator[np.ndarray]:
        """``length`` samples after the first prompt, ``[channels, time]`` in blocks, joined to its end."""
        yield from join_to_prompt(self.sides[0].prompt, self._samples(length, seed, temperature, controls), length)

    def _samples(self, length: int, seed: int, temperature: float, controls: Controls) -> Iterator[np.ndarray]:
        first, second = self.sides
        frames = length / first.prompt.sample_rate * first.spec.frame_rate
        pieces = tee(self._frames(frames, seed, temperature, controls))
        rendered = [
            side.samples_of(map(itemgetter(index), piece), seed, controls)
            for index, (side, piece) in enumerate(zip(self.sides, pieces, strict=True))
        ]
        # Resampling may have lifted the second one's peaks over full scale.
        ceiling = peak_of(first.prompt.samples, second.prompt.samples.clip(-1, 1))
        limiter = LookaheadLimiter(ceiling, first.prompt.sample_rate)
        gain = Gain(controls.level, first.prompt.sample_rate)
        for block in limiter(self._faded(rendered, length)):
            yield gain(block).astype(np.float32)

    def _faded(self, rendered: Sequence[Iterable[np.ndarray]], length: int) -> Iterator[np.ndarray]:
        """One side's samples ``[channels, time]`` into the other's."""
        apart, done = self.sides[1].level - self.sides[0].level, 0
        for one, other in aligned_blocks(*rendered):
            way = mixing_weight(done + np.arange(one.shape[1]), length)
            done += one.shape[1]
            # Either side sounds at its own level: brought to the one between them, in dB.
            one, other = one * 10 ** (way * apart / 20), other * 10 ** ((way - 1) * apart / 20)
            yield np.cos(0.5 * np.pi * way) * one + np.sin(0.5 * np.pi * way) * other

    def _frames(
        self, length: float, seed: int, temperature: float, controls: Controls
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Frames ``[time, channels * n_mels]`` for either side, each at its own level."""
        streams = [
            (piece.T.numpy() for piece in side.frames_after(seed + index, temperature, controls))
            for index, side in enumerate(self.sides)
        ]
        done = 0
        for one, other in aligned_blocks(*streams):
            way = torch.from_numpy(mixing_weight(done + np.arange(one.shape[1]), length)).float()[:, None]
            done += one.shape[1]
            yield self.between(torch.from_numpy(one.T), torch.from_numpy(other.T), way)

    def between(self, one: Tensor, other: Tensor, way: Tensor) -> tuple[Tensor, Tensor]:
        """Frames to render, of frames of both sides ``[time, feature]`` and the way gone ``[time, 1]``."""
        first, second = self.ends
        mean, deviation = (a + way * (b - a) for a, b in zip(first[:2], second[:2], strict=True))
        power = _power(mean, deviation, self.sides[0].spec)

        def moved(end: _Statistics, frames: Tensor) -> Tensor:
            # Rendered at the side's own level, where its Vocoder finds its own places.
            return mean + deviation * end.standardised(frames) + 0.5 * (end.power - power)

        return moved(first, one), moved(second, other)


class _Statistics(NamedTuple):
    """Of a recording's frames: mean and deviation ``[feature]``, and the logarithm of their power ``[1]``."""

    mean: Tensor
    deviation: Tensor
    power: Tensor

    @classmethod
    def of(cls, continuer: Continuer) -> _Statistics:
        mean, deviation = continuer.frames.mean(0), continuer.frames.std(0).clamp(min=MIN_DEVIATION)
        return cls(mean, deviation, _power(mean, deviation, continuer.spec))

    def standardised(self, frames: Tensor) -> Tensor:
        return (frames - self.mean) / self.deviation


def _power(mean: Tensor, deviation: Tensor, spec: MelSpec) -> Tensor:
    """Logarithm of the power expected of log-normal bands ``[..., feature]``: ``[..., 1]``."""
    bins = torch.from_numpy((spec.filterbank() > 0).sum(1)).float().repeat(mean.shape[-1] // spec.n_mels)
    return (2 * mean + 2 * deviation.square() + bins.log()).logsumexp(-1, keepdim=True)


def mixing_weight(samples: np.ndarray, length: float) -> np.ndarray:
    """Smooth mixing weight ``[time]`` from 0 at the beginning to 1 at the end, constant for `HOLD_FRACTION`."""
    place = (samples / max(length, 1) - HOLD_FRACTION) / (1 - 2 * HOLD_FRACTION)
    return 0.5 - 0.5 * np.cos(np.pi * place.clip(0, 1))


def aligned_blocks(*streams: Iterable[np.ndarray]) -> Iterator[tuple[np.ndarray, ...]]:
    """Blocks ``[rows, time]`` of several streams, cut to be equally long."""
    sources = [iter(stream) for stream in streams]
    held: list[np.ndarray | None] = [None] * len(sources)
    while True:
        for index, source in enumerate(sources):
            block = held[index]
            while block is None or block.shape[1] == 0:
                if (block := next(source, None)) is None:
                    return
            held[index] = block
        blocks = [block for block in held if block is not None]
        size = min(block.shape[1] for block in blocks)
        yield tuple(block[:, :size] for block in blocks)
        held = [block[:, size:] for block in blocks]
