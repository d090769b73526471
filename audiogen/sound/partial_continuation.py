"""Continuation of a recording's partials: their own movement in a new order, in phase.

A stationary bootstrap (Politis & Romano 1994, J. Am. Stat. Assoc. 89:1303) of what was demodulated: blocks of random
length from random positions, all partials of a block from one position, so that what moves together stays together: an
engine's harmonics, the partials of a bell, the notes of a drone. A block is chosen for its likeness to what it follows
(as WSOLA chooses samples; Verhelst & Roelands 1993), each of its partials is turned to the phase of the one before it,
and the two cross-fade. Nothing drifts: amplitudes and frequencies are the recording's own, and the phases are the
integrals of these frequencies.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from audiogen.dsp.fades import raised_cosine
from audiogen.dsp.sinusoids import Bands, Partial, synthesise
from audiogen.sound.controls import control_ramp
from audiogen.sound.partials import Partials

SECTION_SECONDS = 5.0  # of the tail, synthesised at once
BLOCK_FRACTION, MAX_MEAN_SECONDS = 0.25, 5.0  # mean length of a block relative to the recording; at most
MIN_SECONDS = 0.75  # of a block
FADE_SECONDS = 0.25  # between two blocks
MATCH_SECONDS = 0.6  # before a cross-fade, over which blocks should be alike
MATCH_STEP = 6  # points, 24 ms, between those that are compared
CANDIDATES = 200  # positions that a block is chosen from
MAX_GAIN = 4.0  # of a partial, by the temperature


class PartialContinuation:
    """The partials that follow a recording.

    Args:
        source: the recording's own.
        seed: of the blocks.
        temperature: variance of the levels in units of the recording's.
        gains: ``[partials]`` dB, ramped up from the join on; None for none.
        gap: samples between the recording's end and the join, over which the phases go on.
    """

    def __init__(
        self, source: Partials, seed: int, temperature: float = 1.0, gains: np.ndarray | None = None, gap: int = 0
    ) -> None:
        self.source, self.gains, self.gap = source, gains, gap
        inside, rate = source.bands.inside, source.bands.rate
        self._hertz = np.stack([each.hertz for each in source.partials])[:, inside]
        self._phase = np.stack([each.phase for each in source.partials])[:, inside]
        self._envelope = np.stack([each.envelope for each in source.partials])[..., inside]
        if temperature != 1:
            self._envelope = self._envelope * _level_gains(self._envelope, temperature)[:, None]
        self._count = self._hertz.shape[1]
        self._fade = round(FADE_SECONDS * rate)
        self._shortest = round(MIN_SECONDS * rate)
        mean = min(BLOCK_FRACTION * self._count, MAX_MEAN_SECONDS * rate)
        self._mean_excess = max(mean - self._shortest, 0.1 * mean)
        self._before = np.arange(-round(MATCH_SECONDS * rate), 1, MATCH_STEP)
        carriers = np.median(self._hertz, axis=1, keepdims=True)
        turns = self._phase - 2 * np.pi * carriers / rate * np.arange(self._count)
        self._compared = self._envelope * np.exp(1j * turns)[:, None]
        self._generator = np.random.default_rng(seed)

    def blocks(self) -> Iterator[np.ndarray]:
        """Samples ``[channels, time]`` from the one after the recording's last on; endless."""
        source, rate = self.source.bands, self.source.bands.rate
        section = Bands(round(SECTION_SECONDS * rate) * source.step, source.sample_rate)
        advance = section.length // section.step
        # Points of the recording lie before the tail's by a fraction of a step.
        last = (source.length - 1) // source.step
        fraction = (source.length - last * source.step) / source.step
        path = self._path()
        hertz, envelope = self._hertz[:, -section.lead - 1 :], self._envelope[..., -section.lead - 1 :]
        phase = self._phase[:, -section.lead - 1 :]
        done = 0
        while True:
            while hertz.shape[1] < section.points + 1:
                more, values = next(path)
                steps = np.concatenate([hertz[:, -1:], more], axis=1)
                rise = np.cumsum((steps[:, 1:] + steps[:, :-1]) * (np.pi / rate), axis=1)
                phase = np.concatenate([phase, phase[:, -1:] + rise], axis=1)
                hertz, envelope = np.concatenate([hertz, more], 1), np.concatenate([envelope, values], -1)
            parts = [_between(values[..., : section.points + 1], fraction) for values in (hertz, phase, envelope)]
            if self.gains is not None:
                ramp = control_ramp(done - section.lead - self.gap // section.step, section.points, rate)
                parts[2] = parts[2] * 10 ** (self.gains[:, None, None] * ramp / 20)
            yield synthesise([Partial(*each) for each in zip(*parts, strict=True)], section, len(envelope[0]))
            done += advance
            hertz, phase, envelope = hertz[:, advance:], phase[:, advance:], envelope[..., advance:]

    def added_to(self, blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Blocks ``[channels, time]`` of any sizes from the join on, with the recording's partials."""
        own, skipped = self.blocks(), self.gap
        ready = next(own)
        while skipped >= ready.shape[1]:
            skipped -= ready.shape[1]
            ready = next(own)
        ready = ready[:, skipped:]
        for block in blocks:
            while ready.shape[1] < block.shape[1]:
                ready = np.concatenate([ready, next(own)], axis=1)
            yield (block + ready[:, : block.shape[1]]).astype(np.float32)
            ready = ready[:, block.shape[1] :]

    def _path(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Frequencies ``[partials, points]`` and envelopes ``[partials, channels, points]`` after the last point."""
        rise = raised_cosine((np.arange(self._fade) + 1) / (self._fade + 1))
        position = self._count - 1
        # Beyond its end, the recording keeps its last values until the first block has taken over.
        old_envelope = np.repeat(self._envelope[..., -1:], self._fade, axis=-1)
        start = self._next(position)
        old_hertz = self._hertz[:, start + 1 : start + 1 + self._fade] * self._pitch_at_end(start)
        while True:
            turn = self._aligned(old_envelope[..., :1], start)
            length = round(self._shortest + self._generator.exponential(self._mean_excess))
            taken = slice(start + 1, min(start + 1 + max(length, 2 * self._fade), self._count))
            hertz, envelope = self._hertz[:, taken].copy(), self._envelope[..., taken] * turn[:, None, None]
            # Both cross-fading envelopes follow the common, gliding frequency.
            fading = slice(0, self._fade)
            hertz[:, fading] = rise * hertz[:, fading] + (1 - rise) * old_hertz
            envelope[..., fading] = rise * envelope[..., fading] + (1 - rise) * old_envelope
            body = hertz.shape[1] - self._fade
            yield hertz[:, :body], envelope[..., :body]
            position = start + body
            old_hertz, old_envelope = hertz[:, body:], envelope[..., body:]
            start = self._next(position)

    def _pitch_at_end(self, start: int) -> float:
        """Pitch at the recording's end over that at ``start``, one for all partials.

        By themselves, the last frequencies are too uncertain: an engine's harmonics would come up to 3 rad out of step
        within a quarter of a second.
        """
        weight = np.square(np.abs(self._envelope[..., -1])).sum(1) * self._hertz[:, start] ** 2
        ratio = self._hertz[:, -1] / self._hertz[:, start]
        return float(weight @ ratio / max(weight.sum(), 1e-30))

    def _next(self, position: int) -> int:
        """Position that the next block continues from: of some random ones, that most like ``position``."""
        first, last = -int(self._before[0]), self._count - self._shortest - self._fade - 2
        starts = self._generator.integers(min(first, max(last, 0)), max(last, first) + 1, CANDIDATES)
        starts = starts.clip(0, max(self._count - 2 * self._fade - 2, 0))
        away = starts[np.abs(starts - position) > self._fade]
        starts = away if len(away) else starts
        own = self._compared[..., (position + self._before).clip(0)]
        others = self._compared[..., (starts[:, None] + self._before).clip(0)]  # [partials, channels, starts, points]
        alike = np.abs(np.einsum("kct,kcst->ks", own.conj(), others)).sum(0)
        # As a correlation, but a block of another level is less alike, too.
        power = np.square(np.abs(own)).sum() + np.square(np.abs(others)).sum((0, 1, 3))
        return int(starts[np.argmax(alike / np.maximum(power, 1e-30))])

    def _aligned(self, old: np.ndarray, start: int) -> np.ndarray:
        """Turns ``[partials]`` of the block after ``start`` to the phases of ``[partials, channels, 1]`` before it."""
        product = (old[..., 0] * self._envelope[..., start].conj()).sum(1)
        return np.exp(1j * np.angle(product))


def _between(values: np.ndarray, fraction: float) -> np.ndarray:
    """Values a fraction of a step after each of ``[..., points]`` but the last."""
    return values[..., :-1] + fraction * (values[..., 1:] - values[..., :-1])


def _level_gains(envelope: np.ndarray, temperature: float) -> np.ndarray:
    """Gains ``[partials, points]`` that multiply the variance of log amplitudes, at the same mean power."""
    power = np.square(np.abs(envelope)).sum(1)
    level = 0.5 * np.log(power + 1e-6 * power.mean(1, keepdims=True) + 1e-30)
    deviation = level - level.mean(1, keepdims=True)
    gains = np.exp((np.sqrt(temperature) - 1) * deviation).clip(1 / MAX_GAIN, MAX_GAIN)
    kept = power.mean(1) / np.maximum((power * gains**2).mean(1), 1e-30)
    return np.asarray(gains * np.sqrt(kept)[:, None])
