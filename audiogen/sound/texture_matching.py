"""Texture matching: brings a tail's texture statistics to those of the recording it continues.

Listeners recognise a texture by averages over time (McDermott, Schemitsch & Simoncelli 2013, Nature Neuroscience
16:493); noise with the statistics of a texture is recognised as that texture (McDermott & Simoncelli 2011, Neuron
71:926). There, statistics are imposed on noise in dozens of passes that change everything. Here the tail nearly has
them already, and gradient descent finds the least gains of auditory bands that match them, 1 to 1.5 dB RMS: the gains
are penalised by their size.

At a temperature other than 1 the targets are the statistics that the recording would have with larger or smaller
swells, and the descent starts from a tail whose levels were expanded in the same way (`expansion_gains`), a dynamics
processor for each band (Giannoulis, Massberg & Reiss 2012, J. Audio Eng. Soc. 60:399). Patch selection alone cannot do
that, since the material has no patches of higher variance than its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, repeat

import numpy as np
import torch
from torch import Tensor

from audiogen.audio import Recording
from audiogen.dsp.decibels import DB_PER_NEPER
from audiogen.representation.cochleagram import (
    MARGIN_SECONDS,
    apply_band_gains,
    audibility_floor,
    block_envelopes,
    compressed,
    envelopes,
    power,
)
from audiogen.representation.texture_statistics import scatter, segment_statistics, statistics

MIN_SEGMENT, MAX_SEGMENT = 1.8, 6.0  # seconds of a segment whose statistics are matched: a third of the source, clipped
SECTION_SECONDS = 11  # of the tail, processed at a time: three cover the usual 30 s and the margins of the filters
FRAME_RATE = 200  # Hz, of the envelopes: gains do not follow anything faster
GAIN_POINT_RATE = 50  # Hz, of the points that gains are interpolated between
STEPS, STEP_SIZE, BETAS = 12, 0.08, (0.5, 0.9)  # of Adam; the step size in nepers. Little momentum: it overshoots
GAIN_PENALTY = 20.0  # per squared neper, against squared deviations in units of how much real segments differ
GLIDE_SECONDS = 1.0  # time constant of the transition from one section's expansion gains to the next's
SMOOTHING_SECONDS = 0.05  # standard deviation of the Gaussian window of the level
MAX_EXPANSION = 12 / DB_PER_NEPER  # nepers, of a band before its mean power is restored
EPSILON = 1e-20  # of power, under a logarithm


class StatisticsMatcher:
    """Matches tails to the texture statistics of their source.

    Args:
        source: ``[channels, time]`` samples.
        sample_rate: Hz, of source and tails.
        temperature: variance of the levels of bands in units of the source's, 0 or above.
        statistics: False only expands the levels and leaves all other statistics alone.

    Attributes:
        change: RMS gain of the bands in the latest section, dB.
    """

    def __init__(self, source: np.ndarray, sample_rate: int, temperature: float = 1.0, statistics: bool = True) -> None:
        self.source, self.rate = source, sample_rate
        self.floor = audibility_floor(source)
        self.temperature = temperature
        envelope = torch.from_numpy(envelopes(Recording(source, sample_rate), self.floor, FRAME_RATE))
        self.envelope = self._amplified(envelope, self._expansion(envelope)).numpy()
        self.change = 0.0
        self._segment = min(self.envelope.shape[-1] // 3, round(MAX_SEGMENT * FRAME_RATE))
        long_enough = statistics and self._segment >= MIN_SEGMENT * FRAME_RATE
        self._target = _TargetStatistics(self.envelope, self._segment, self.floor) if long_enough else None

    @property
    def matches_statistics(self) -> bool:
        """Whether statistics are matched, not only levels expanded: wanted, and the source is long enough."""
        return self._target is not None

    def __call__(
        self,
        blocks: Iterable[np.ndarray],
        past: np.ndarray | None = None,
        first_sections: Sequence[int] = (),
        pause: Callable[[], None] | None = None,
    ) -> Iterator[np.ndarray]:
        """Process a tail.

        A source too short to have statistics only determines the expansion. The sections do not depend on how much is
        taken, so a shorter tail is the beginning of a longer one.

        Args:
            blocks: endless blocks ``[channels, time]``.
            past: ``[channels, time]`` samples just before them, a second is enough; None for the source.
            first_sections: seconds of the first sections, for a tail that has to begin soon. Statistics are matched
                as soon as a section and what is known before it make up a segment.
            pause: called every few hundredths of a second; it may raise, to abandon the tail.

        Yields:
            ``[channels, time]``, at most a second each (the blocks themselves, if there is nothing to change).
        """
        segment, target = self._segment, self._target
        if target is None and self.temperature == 1:
            yield from blocks
            return
        margin = MARGIN_SECONDS * self.rate
        past = self.source if past is None else past
        queue = _SampleQueue(np.pad(past, ((0, 0), (margin, 0)))[:, -margin:], blocks)
        gains = torch.zeros(*self.envelope.shape[:2], MARGIN_SECONDS * FRAME_RATE)  # of the second before the section
        expansion = matching = gains[..., -1:]  # the two parts whose sum is the gain
        before = torch.zeros(*self.envelope.shape[:2], 0)  # envelope of the processed half segment before the section
        begin = margin
        for seconds in chain(first_sections, repeat(SECTION_SECONDS)):
            time, end = seconds * FRAME_RATE, seconds * self.rate + margin // 2
            samples = queue.first((seconds + 2 * MARGIN_SECONDS) * self.rate)
            envelope = torch.from_numpy(block_envelopes(samples, self.rate, self.floor, FRAME_RATE))
            envelope = envelope[..., MARGIN_SECONDS * FRAME_RATE : MARGIN_SECONDS * FRAME_RATE + time]
            expansion = _glide_to(expansion[..., -1:], self._expansion(envelope))
            total = expansion
            if target is not None:
                expanded = self._amplified(envelope, expansion)
                if before.shape[-1] + time < segment:
                    matching = torch.zeros_like(total)
                else:
                    matching = target.gains(expanded, before, matching[..., -1:], pause)
                before = torch.cat([before, self._amplified(expanded, matching)], -1)[..., -(segment // 2) :]
                total = expansion + matching
            self.change = float(total.square().mean().sqrt()) * DB_PER_NEPER
            # The gains of the second after the section are not known yet; its samples are only context here.
            following = total[..., -1:].expand(*total.shape[:2], MARGIN_SECONDS * FRAME_RATE)
            gains = torch.cat([gains, total, following], -1)
            shaped = apply_band_gains(samples, self.rate, gains.exp().numpy())
            for start in range(begin, end, self.rate):
                yield shaped[:, start : min(start + self.rate, end)]
            gains = gains[..., time : time + MARGIN_SECONDS * FRAME_RATE]
            queue.drop(seconds * self.rate)
            begin = margin // 2

    def _expansion(self, envelope: Tensor) -> Tensor:
        """Gains ``[channels, bands, time]`` in nepers that the temperature requires."""
        return torch.from_numpy(expansion_gains(envelope.numpy(), FRAME_RATE, self.floor, self.temperature))

    def _amplified(self, envelope: Tensor, gains: Tensor) -> Tensor:
        """Envelopes of bands amplified by ``gains`` in nepers; inaudible bands stay so."""
        return compressed(power(envelope, self.floor) * (2 * gains).exp(), self.floor)


class _SampleQueue:
    """First-in first-out buffer of samples ``[channels, time]``, filled from blocks on demand."""

    def __init__(self, lead: np.ndarray, blocks: Iterable[np.ndarray]) -> None:
        self.samples, self.blocks = lead, iter(blocks)

    def first(self, number: int) -> np.ndarray:
        """The first ``number`` samples, which stay in the queue."""
        parts, length = [self.samples], self.samples.shape[1]
        while length < number:
            parts.append(next(self.blocks))
            length += parts[-1].shape[1]
        self.samples = np.concatenate(parts, axis=1)
        return self.samples[:, :number]

    def drop(self, number: int) -> None:
        """Remove the first ``number`` samples."""
        self.samples = self.samples[:, number:]


class _TargetStatistics:
    """Mean statistics of a source's segments, and the gains that bring a tail to them.

    Args:
        envelope: ``[channels, bands, time]`` of the source.
        segment: frames of a segment.
        floor: amplitude below which bands are inaudible.
    """

    def __init__(self, envelope: np.ndarray, segment: int, floor: float) -> None:
        self.segment, self.floor = segment, floor
        self.mean, self.weight = {}, {}
        deviation = scatter(envelope, segment, FRAME_RATE)
        for name, values in statistics(envelope, segment, FRAME_RATE).items():
            mean = values.mean(axis=1)
            # In units of scatter, and the class as a whole by how much real segments differ, as the texture distance
            # weights them.
            spread = 2 * np.mean(((values - mean[:, None]) / deviation[name]) ** 2) + 0.1
            weight = 1 / (deviation[name][:, 0] ** 2 * spread * mean.shape[1])
            self.mean[name] = torch.from_numpy(mean)
            self.weight[name] = torch.from_numpy(weight.astype(np.float32))

    @torch.enable_grad()
    def gains(self, envelope: Tensor, past: Tensor, first: Tensor, pause: Callable[[], None] | None = None) -> Tensor:
        """Find the least gains that match the statistics, by gradient descent.

        Args:
            envelope: ``[channels, bands, time]`` of the next section.
            past: ``[channels, bands, past time]`` of what was processed before it.
            first: ``[channels, bands, 1]`` last gains before the section, nepers.
            pause: called before each step.

        Returns:
            ``[channels, bands, time]`` in nepers.
        """
        time = envelope.shape[-1]
        points = first.expand(-1, -1, math.ceil(time * GAIN_POINT_RATE / FRAME_RATE)).clone().requires_grad_()
        powers = power(envelope, self.floor)
        generator = np.random.default_rng(0)
        mean, square = torch.zeros_like(points), torch.zeros_like(points)
        for step in range(STEPS):
            if pause is not None:
                pause()
            amplified = compressed(powers * (2 * _interpolated_gains(points, first, time)).exp(), self.floor)
            loss = self._loss(torch.cat([past, amplified], -1), generator)
            loss = loss + GAIN_PENALTY * points.square().mean((1, 2)).sum()
            (gradient,) = torch.autograd.grad(loss, points)
            with torch.no_grad():  # Adam (Kingma & Ba 2015); torch.optim takes three seconds to import
                mean.lerp_(gradient, 1 - BETAS[0])
                square.lerp_(gradient.square(), 1 - BETAS[1])
                bias = [1 - beta ** (step + 1) for beta in BETAS]
                # Annealed to zero, or the noise of the last steps would stay.
                size = STEP_SIZE * min(1.0, 2 - 2 * step / STEPS)
                points -= size * (mean / bias[0]) / ((square / bias[1]).sqrt() + 1e-8)
        return _interpolated_gains(points.detach(), first, time)

    def _loss(self, envelope: Tensor, generator: np.random.Generator) -> Tensor:
        """Mean squared deviation of an envelope's segments from the target, summed over classes and channels.

        Segments lie end to end from a random offset, so that no position is favoured.

        Args:
            envelope: ``[channels, bands, time]``.
            generator: of the offset.
        """
        last = envelope.shape[-1] - self.segment
        starts = np.arange(-generator.random(), last / self.segment + 1) * self.segment
        starts = np.unique(starts.clip(0, last).round().astype(int))
        segments = [envelope[..., start : start + self.segment] for start in starts]
        measured = segment_statistics(torch.stack(segments, 1), FRAME_RATE)
        squares = [
            ((values - self.mean[name][:, None]).square() * self.weight[name][:, None]).sum(-1).mean(1).sum()
            for name, values in measured.items()
        ]
        return torch.stack(squares).sum()


def _glide_to(last: Tensor, gains: Tensor) -> Tensor:
    """Gains ``[channels, bands, time]`` that start at the ``last`` ones before them and decay to themselves."""
    fade = (-torch.arange(gains.shape[-1]) / (GLIDE_SECONDS * FRAME_RATE)).exp()
    return gains + (last - gains[..., :1]) * fade


def _interpolated_gains(points: Tensor, first: Tensor, time: int) -> Tensor:
    """Linear interpolation through ``first`` and ``[channels, bands, points]``, at each of ``time`` frames after it."""
    gains = torch.nn.functional.interpolate(
        torch.cat([first, points], -1), size=time + 1, mode="linear", align_corners=True
    )
    return gains[..., 1:]


def expansion_gains(envelope: np.ndarray, frame_rate: int, floor: float, temperature: float) -> np.ndarray:
    """Gains that multiply the level variance of bands by ``temperature`` and preserve each band's mean power.

    Deviations of the level from its mean, in dB, are multiplied by the square root of the temperature.

    Args:
        envelope: ``[channels, bands, time]`` compressed envelopes (`cochleagram.envelopes`).
        frame_rate: Hz, of the envelopes.
        floor: amplitude below which a band is inaudible; levels do not fall below it.
        temperature: 0 or above; 1 gives no change.

    Returns:
        ``[channels, bands, time]`` in nepers.
    """
    if temperature == 1:
        return np.zeros(envelope.shape, np.float32)
    from scipy import ndimage

    powers = power(envelope.astype(np.float64), floor)
    smooth = ndimage.gaussian_filter1d(powers, SMOOTHING_SECONDS * frame_rate, axis=-1)
    levels = 0.5 * np.log(smooth + floor**2 + EPSILON)
    gains = (math.sqrt(temperature) - 1) * (levels - levels.mean(-1, keepdims=True))
    gains = gains.clip(-MAX_EXPANSION, MAX_EXPANSION)
    expanded = (powers * np.exp(2 * gains)).mean(-1, keepdims=True)
    makeup = 0.5 * np.log((powers.mean(-1, keepdims=True) + EPSILON) / (expanded + EPSILON))
    return (gains + makeup).astype(np.float32)
