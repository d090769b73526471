"""Imposes a recording's own statistics on its tail, which would scatter about them otherwise.

What is told of a texture by ear are averages over time (McDermott, Schemitsch & Simoncelli 2013, Nature Neuroscience
16:493), and sounds that are given them are taken for it (McDermott & Simoncelli 2011, Neuron 71:926). There they were
imposed on noise, by dozens of passes that leave nothing as it was; here, on a tail that has them nearly. So the least
change is sought that brings them home: bands are turned up and down, by 1 to 1.5 dB RMS, in one descent along their
gradients. At another temperature than 1 they are the statistics that the source would have with larger or smaller
swells (`sound.level_expansion`), and the descent sets out from a tail whose own have been made so.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch import Tensor

from audiogen.audio import Recording
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
from audiogen.sound.level_expansion import expansion_gains

MIN_SEGMENT, MAX_SEGMENT = 1.8, 6.0  # seconds of a segment whose statistics are matched; a third of the source
SECTION_SECONDS = 11  # of the tail that are changed at a time: three are half a minute and the filters' delay
FRAME_RATE = 200  # of the envelopes a second: gains do not reach what is faster
GAIN_POINT_RATE = 50  # times a second that a gain can change its course
STEPS, STEP_SIZE, BETAS = 24, 0.04, (0.9, 0.99)  # of the descent, nepers
DB_PER_NEPER = 20 / math.log(10)  # of a neper
GLIDE_SECONDS = 1.0  # seconds, from what the prompt has to the swells of the first section, and so on to the next
GAIN_PENALTY = 20.0  # of mean square nepers against mean square deviations in units of what real stretches differ by


class StatisticsMatcher:
    """Gives tails the statistics of their source.

    Args:
        source: ``[channels, time]`` samples.
        sample_rate: Hz, of source and tails.
        temperature: variance of the levels of bands, in units of the source's; from 0 on.
        statistics: without, tails get the swells of that temperature and keep all else.
    """

    def __init__(self, source: np.ndarray, sample_rate: int, temperature: float = 1.0, statistics: bool = True) -> None:
        self.source, self.rate, self.statistics = source, sample_rate, statistics
        self.floor = audibility_floor(source)
        self.temperature = temperature
        envelope = torch.from_numpy(envelopes(Recording(source, sample_rate), self.floor, FRAME_RATE))
        self.envelope = self._turned(envelope, self._swell(envelope)).numpy()
        self.change = 0.0  # dB RMS by which bands of the last section were turned up or down

    def __call__(self, blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Endless blocks ``[channels, time]`` that follow the source -> the same, a second each.

        A source too short to have statistics gives none, only its swells. Whatever is asked for, sections are the same,
        so a shorter tail is the beginning of a longer one.
        """
        stretch = min(self.envelope.shape[-1] // 3, round(MAX_SEGMENT * FRAME_RATE))
        known = self.statistics and stretch >= MIN_SEGMENT * FRAME_RATE
        aim = _TargetStatistics(self.envelope, stretch, self.floor) if known else None
        if aim is None and self.temperature == 1:
            yield from blocks
            return
        margin, time = MARGIN_SECONDS * self.rate, SECTION_SECONDS * FRAME_RATE
        supply = _SampleQueue(np.pad(self.source, ((0, 0), (margin, 0)))[:, -margin:], blocks)
        gains = torch.zeros(*self.envelope.shape[:2], MARGIN_SECONDS * FRAME_RATE)  # of the second before the section
        swell = found = gains[..., -1:]  # what they are made up of
        past = torch.zeros(*self.envelope.shape[:2], 0)  # what became of half a stretch before it
        begin, end = margin, SECTION_SECONDS * self.rate + margin // 2
        while True:
            heard = supply.first((SECTION_SECONDS + 2 * MARGIN_SECONDS) * self.rate)
            envelope = torch.from_numpy(block_envelopes(heard, self.rate, self.floor, FRAME_RATE))
            envelope = envelope[..., MARGIN_SECONDS * FRAME_RATE : MARGIN_SECONDS * FRAME_RATE + time]
            swell = _glide_to(swell[..., -1:], self._swell(envelope))
            total = swell
            if aim is not None:
                swollen = self._turned(envelope, swell)
                found = aim.gains(swollen, past, found[..., -1:])
                past = torch.cat([past, self._turned(swollen, found)], -1)[..., -(stretch // 2) :]
                total = swell + found
            self.change = float(total.square().mean().sqrt()) * DB_PER_NEPER
            # What comes after is not decided yet; what is heard of it here is dropped.
            gains = torch.cat([gains, total, total[..., -1:].expand(*total.shape[:2], MARGIN_SECONDS * FRAME_RATE)], -1)
            shaped = apply_band_gains(heard, self.rate, gains.exp().numpy())
            for place in range(begin, end, self.rate):
                yield shaped[:, place : min(place + self.rate, end)]
            gains = gains[..., time : time + MARGIN_SECONDS * FRAME_RATE]
            supply.drop(SECTION_SECONDS * self.rate)
            begin = margin // 2

    def _swell(self, envelope: Tensor) -> Tensor:
        """Nepers ``[channels, bands, time]`` that the temperature asks for."""
        return torch.from_numpy(expansion_gains(envelope.numpy(), FRAME_RATE, self.floor, self.temperature))

    def _turned(self, envelope: Tensor, gains: Tensor) -> Tensor:
        """Envelopes of bands that were turned up by ``gains``, nepers; what is inaudible stays so."""
        return compressed(power(envelope, self.floor) * (2 * gains).exp(), self.floor)


class _SampleQueue:
    """Samples ``[channels, time]`` of blocks, from any one on that was not dropped."""

    def __init__(self, lead: np.ndarray, blocks: Iterable[np.ndarray]) -> None:
        self.samples, self.blocks = lead, iter(blocks)

    def first(self, number: int) -> np.ndarray:
        held, have = [self.samples], self.samples.shape[1]
        while have < number:
            held.append(next(self.blocks))
            have += held[-1].shape[1]
        self.samples = np.concatenate(held, axis=1)
        return self.samples[:, :number]

    def drop(self, number: int) -> None:
        self.samples = self.samples[:, number:]


class _TargetStatistics:
    """The statistics that stretches should have, and the way there.

    Args:
        envelope: ``[channels, bands, time]`` of the source.
        stretch: frames of a stretch.
        floor: amplitude below which nothing is heard.
    """

    def __init__(self, envelope: np.ndarray, stretch: int, floor: float) -> None:
        self.stretch, self.floor = stretch, floor
        self.mean, self.weight = {}, {}
        spread = scatter(envelope, stretch, FRAME_RATE)
        for name, values in statistics(envelope, stretch, FRAME_RATE).items():
            mean = values.mean(axis=1)
            # In units of scatter, all of a class together, by what real stretches differ: as the distance weighs them.
            apart = 2 * np.mean(((values - mean[:, None]) / spread[name]) ** 2) + 0.1
            weight = 1 / (spread[name][:, 0] ** 2 * apart * mean.shape[1])
            self.mean[name] = torch.from_numpy(mean)
            self.weight[name] = torch.from_numpy(weight.astype(np.float32))

    @torch.enable_grad()
    def gains(self, envelope: Tensor, past: Tensor, first: Tensor) -> Tensor:
        """Nepers ``[channels, bands, time]`` by which bands are to be turned up.

        Args:
            envelope: ``[channels, bands, time]`` of what comes next.
            past: of what was before it and has been decided.
            first: ``[channels, bands, 1]`` gains that the new ones go on from.
        """
        time = envelope.shape[-1]
        points = first.expand(-1, -1, math.ceil(time * GAIN_POINT_RATE / FRAME_RATE)).clone().requires_grad_()
        given = power(envelope, self.floor)
        chance = np.random.default_rng(0)
        mean, square = torch.zeros_like(points), torch.zeros_like(points)
        for step in range(STEPS):
            turned = compressed(given * (2 * _interpolated_gains(points, first, time)).exp(), self.floor)
            loss = self._loss(torch.cat([past, turned], -1), chance) + GAIN_PENALTY * points.square().mean((1, 2)).sum()
            (gradient,) = torch.autograd.grad(loss, points)
            with torch.no_grad():  # Adam (Kingma & Ba 2015), as torch has it, which takes three seconds to import it
                mean.lerp_(gradient, 1 - BETAS[0])
                square.lerp_(gradient.square(), 1 - BETAS[1])
                bias = [1 - beta ** (step + 1) for beta in BETAS]
                # Down to nothing in the end, or what the last steps shook would stay.
                size = STEP_SIZE * min(1.0, 2 - 2 * step / STEPS)
                points -= size * (mean / bias[0]) / ((square / bias[1]).sqrt() + 1e-8)
        return _interpolated_gains(points.detach(), first, time)

    def _loss(self, envelope: Tensor, chance: np.random.Generator) -> Tensor:
        """Mean square deviation of ``[channels, bands, time]`` from the aim, summed over classes and channels.

        Stretches lie end to end from a place that is drawn anew each time, so that none is favoured.
        """
        last = envelope.shape[-1] - self.stretch
        starts = np.arange(-chance.random(), last / self.stretch + 1) * self.stretch
        places = np.unique(starts.clip(0, last).round().astype(int))
        stretches = [envelope[..., start : start + self.stretch] for start in places]
        found = segment_statistics(torch.stack(stretches, 1), FRAME_RATE)
        squares = [
            ((values - self.mean[name][:, None]).square() * self.weight[name][:, None]).sum(-1).mean(1).sum()
            for name, values in found.items()
        ]
        return torch.stack(squares).sum()


def _glide_to(last: Tensor, gains: Tensor) -> Tensor:
    """To gains ``[channels, bands, time]`` from the ``last`` that were before them."""
    fade = (-torch.arange(gains.shape[-1]) / (GLIDE_SECONDS * FRAME_RATE)).exp()
    return gains + (last - gains[..., :1]) * fade


def _interpolated_gains(points: Tensor, first: Tensor, time: int) -> Tensor:
    """A line through ``first`` and the points ``[channels, bands, points]``, at each of ``time`` frames after it."""
    course = torch.nn.functional.interpolate(
        torch.cat([first, points], -1), size=time + 1, mode="linear", align_corners=True
    )
    return course[..., 1:]
