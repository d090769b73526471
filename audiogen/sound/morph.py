"""Morphing: from the continuation of one recording to the texture of another, over the length of the tail."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import copy
from itertools import tee
from operator import itemgetter
from typing import NamedTuple, TypeAlias

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
from audiogen.sound.event_density import EventDensity
from audiogen.sound.join import join_to_prompt
from audiogen.sound.rendering import Chunk, Past, noted

Weight: TypeAlias = Callable[[np.ndarray, float], np.ndarray]
"""Positions ``[time]`` in a tail, and how many there are per second -> mixing weights ``[time]`` in 0..1."""
Note: TypeAlias = Callable[[Chunk], None]
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

    def for_one_tail(self, pause: Callable[[], None] | None = None) -> Morph:
        """The same with its own account of the latest tail; see `Continuer.for_one_tail`."""
        twin, (first, second) = copy(self), self.sides
        twin.sides = (first.for_one_tail(pause), second.for_one_tail(pause))
        return twin

    def keep_tails_distinct(self) -> None:
        """See `Continuer.keep_tails_distinct`."""
        for side in self.sides:
            side.keep_tails_distinct()

    @property
    def selects(self) -> bool:
        """Whether the patches of both sides are selected under constraints."""
        return all(side.selects for side in self.sides)

    matched = False
    """Whether texture statistics were matched: a morph has no single set of them."""

    @property
    def drift_guard(self) -> dict[str, float]:
        """Largest corrections in the latest tail, of either side; see `Continuer`."""
        first, second = (side.drift_guard for side in self.sides)
        return {name: max(first.get(name, 0.0), second.get(name, 0.0)) for name in first | second}

    @property
    def densities(self) -> dict[str, EventDensity]:
        """What changes the density of events in the latest tail: of the ``prompt``, and of the ``target``."""
        sides = zip(("prompt", "target"), self.sides, strict=True)
        return {name: density for name, side in sides for density in side.densities.values()}

    @property
    def partials(self) -> dict[str, object] | None:
        """Those of the first prompt; see `Continuer.partials`."""
        return self.sides[0].partials

    def tail(
        self, length: int, seed: int = 0, temperature: float = 1.0, controls: Controls = NEUTRAL
    ) -> Iterator[np.ndarray]:
        """Generate ``length`` samples that follow the first prompt; see `Continuer.tail`."""
        rate = self.sides[0].parts.recording.sample_rate

        def weight(positions: np.ndarray, per_second: float) -> np.ndarray:
            return mixing_weight(positions, length if per_second == rate else length / rate * per_second)

        yield from self.joined(self.mixed(seed, temperature, controls, weight), controls, length)

    def mixed(
        self,
        seed: int,
        temperature: float,
        controls: Controls,
        weight: Weight,
        pasts: tuple[Past | None, Past | None] = (None, None),
        notes: tuple[Note | None, Note | None] = (None, None),
    ) -> Iterator[np.ndarray]:
        """Generate the tail before limiter, level and join.

        Args:
            seed, temperature, controls: as of `Continuer.tail`.
            weight: how far the morph has come.
            pasts, notes: of the two sides; see `Continuer.residual`. The partials of a side begin again at each past.

        Yields:
            ``[channels, time]`` at the first prompt's rate; endless.
        """
        chunks = tee(self._frames(seed, temperature, controls, weight, pasts, notes))
        rendered = []
        for index, (side, pairs, past) in enumerate(zip(self.sides, chunks, pasts, strict=True)):
            own = map(Chunk, map(itemgetter(index), pairs))
            residual = side.renderer.residual(side.renderer.rendered(own, seed, past), seed, controls, None, past)
            rendered.append(side.renderer.with_partials(residual, seed, controls))
        return self._cross_faded(rendered, weight)

    def joined(self, mixed: Iterable[np.ndarray], controls: Controls, length: int) -> Iterator[np.ndarray]:
        """The first ``length`` samples of a tail, of what `mixed` yields: limited, at its level, and joined."""
        first, second = self.sides
        # Resampling may have raised peaks of the second prompt above full scale.
        ceiling = peak_of(first.parts.material.samples, second.parts.material.samples.clip(-1, 1))
        limiter = LookaheadLimiter(ceiling, first.parts.recording.sample_rate)
        gain = Gain(controls.level, first.parts.recording.sample_rate)
        blocks = (gain(block).astype(np.float32) for block in limiter(mixed))
        yield from join_to_prompt(first.parts.join_partner, blocks, length)

    def _cross_faded(self, rendered: Sequence[Iterable[np.ndarray]], weight: Weight) -> Iterator[np.ndarray]:
        """Cross-fade of the two sides' blocks ``[channels, time]``."""
        difference, done = self.sides[1].renderer.level - self.sides[0].renderer.level, 0
        rate = self.sides[0].parts.recording.sample_rate
        for first, second in aligned_blocks(*rendered):
            share = weight(done + np.arange(first.shape[1]), rate)
            done += first.shape[1]
            # Each side is rendered at its own level and brought to the level in between, in dB.
            first, second = first * 10 ** (share * difference / 20), second * 10 ** ((share - 1) * difference / 20)
            yield np.cos(0.5 * np.pi * share) * first + np.sin(0.5 * np.pi * share) * second

    def _frames(
        self,
        seed: int,
        temperature: float,
        controls: Controls,
        weight: Weight,
        pasts: tuple[Past | None, Past | None],
        notes: tuple[Note | None, Note | None],
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Frames ``[time, channels * n_mels]`` for each side, each at its own level."""
        streams = []
        for index, (side, past, note) in enumerate(zip(self.sides, pasts, notes, strict=True)):
            played = None if past is None else past.played
            chunks = side.frames_after(seed + index, temperature, played)
            chunks = chunks if note is None else noted(chunks, note)
            streams.append(chunk.frames.T.numpy() for chunk in chunks)
        done, frame_rate = 0, self.sides[0].spec.frame_rate
        for first, second in aligned_blocks(*streams):
            share = torch.from_numpy(weight(done + np.arange(first.shape[1]), frame_rate)).float()[:, None]
            done += first.shape[1]
            yield self.between(torch.from_numpy(first.T), torch.from_numpy(second.T), share)

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
