"""Refinement of the lines of a recording: each without what leaked into it from the others.

Inside the recording by backfitting: each partial is corrected by what the residual still has of it. At the ends, where
half of each window is missing and the rest does not resolve the harmonics of a hum, by a fit of all partials at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from audiogen.dsp.demodulation import Demodulator
from audiogen.dsp.sinusoids import Bands, Partial, integral, rotation
from audiogen.sound.line_search import DISTANCE_STEP, NOISE_WIDTH, Line

MAX_STEP = 1.5  # of a correction
HANN_ZERO = 2.0  # of a kernel's response, in units of one over its length
END_RAMPS = (0.4, 0.2, 0.1, 0.05, 0.025)  # seconds, over which corrections of the envelopes rise towards an end
END_STRIDE = 4  # samples, to the next one that is fitted: what lies between is no news but of noise
FITTED_AT_ONCE = 32  # neighbours in pitch: hundreds of partials would take seconds
END_DEVIATION = 0.3  # of a partial's amplitude, that such a correction may have


def backfitted(lines: Sequence[Line], spectrum: np.ndarray, whole: Bands, passes: int) -> list[Line]:
    """Lines whose partials are corrected by what the residual still has of them, several times.

    Args:
        lines: with envelopes on the points of ``whole``.
        spectrum: of the recording, ``[channels, bins]``.
        whole: its bands.
        passes: number of corrections.
    """
    # At a low rate, which is all that the partials need.
    bands = whole.decimated(max(float(line.partial.hertz.max()) for line in lines))
    samples, demodulator = bands.samples(bands.below(spectrum, whole)), Demodulator(bands)
    carriers = np.array([bands.carrier(line.partial.median) for line in lines])
    deviations = np.stack([line.partial.hertz for line in lines]) - carriers[:, None]
    turns = rotation(integral(deviations, bands.rate))[:, None]
    kernels = np.array([[line.kernel] for line in lines])
    envelopes = np.stack([line.partial.envelope for line in lines])
    rest = samples - bands.signal(envelopes * turns, carriers)
    shares = (1 / np.maximum(_overlaps(lines), 1)).astype(np.float32)[:, None, None]
    for _ in range(passes):
        of_rest = bands.envelopes(bands.spectrum(rest), carriers)
        # A share of what the residual still has of each line.
        missing = shares * demodulator.held(demodulator.smooth(of_rest * turns.conj(), kernels))
        change = bands.signal(missing * turns, carriers)
        # Lines that overlap for a while would correct too much: the step that reduces the rest most (steepest descent).
        step = np.clip(np.vdot(rest, change) / max(np.vdot(change, change), 1e-30), 0, MAX_STEP)
        rest, envelopes = rest - np.float32(step) * change, envelopes + np.float32(step) * missing
    return [
        line._replace(partial=replace(line.partial, envelope=envelope))
        for line, envelope in zip(lines, envelopes, strict=True)
    ]


def _overlaps(lines: Sequence[Line]) -> np.ndarray:
    """How many lines take out what is at the frequency of each, itself included, as a rule."""
    hertz = np.stack([line.partial.hertz[::DISTANCE_STEP] for line in lines])
    kernels = np.array([line.kernel for line in lines])
    distance = np.stack([np.median(np.abs(hertz - each), axis=1) for each in hertz])
    return np.asarray(np.clip(1 - distance * kernels / HANN_ZERO, 0, 1).sum(1))


def fitted_at_ends(lines: Sequence[Line], samples: np.ndarray, bands: Bands) -> list[Partial]:
    """Partials whose envelopes fit the samples ``[channels, time]`` at either end of the recording.

    Corrections that rise towards the end are a linear model with a Gaussian prior: their deviation is in proportion to
    each partial's amplitude, and the noise is white at the density around it. At the full rate: a filter would blur the
    very end.
    """
    partials = [line.partial for line in lines]
    densities = np.array([line.noise * line.kernel / NOISE_WIDTH for line in lines])
    noise = densities * bands.sample_rate / 2 / len(samples)
    for end in (False, True):
        partials = _fitted_at(end, partials, samples, noise, bands)
    return partials


def _fitted_at(
    end: bool, partials: list[Partial], samples: np.ndarray, noise: np.ndarray, bands: Bands
) -> list[Partial]:
    count = min(round(END_RAMPS[0] * bands.sample_rate), bands.length)
    position = np.arange(0, count, END_STRIDE) + (bands.length - count if end else 0)
    from_end = (bands.length - 1 - position if end else position) / bands.sample_rate
    ramps = np.stack([np.cos(0.5 * np.pi * np.clip(from_end / seconds, 0, 1)) ** 2 for seconds in END_RAMPS])
    points, every = bands.lead + position / bands.step, np.arange(bands.points)
    waves = np.exp(1j * np.stack([np.interp(points, every, partial.phase) for partial in partials]))
    first, last = int(points[0]), int(points[-1]) + 2
    envelopes = np.stack([each.envelope[:, first:last] for each in partials])  # [partials, channels, points]
    index = (points - first).astype(int)
    share = points - first - index
    known = (1 - share) * envelopes[..., index] + share * envelopes[..., index + 1]
    rest = samples[:, position] - (known * waves[:, None]).real.sum(0)
    deviation = END_DEVIATION * np.sqrt(np.square(np.abs(envelopes)).mean((1, 2)))
    penalties = (noise + 1e-20) / np.maximum(deviation, 1e-10) ** 2
    added = np.zeros((len(partials), 2, len(ramps), len(samples)))  # real and imaginary parts
    by_pitch = np.argsort([each.median for each in partials])
    for group in (by_pitch[start : start + FITTED_AT_ONCE] for start in range(0, len(partials), FITTED_AT_ONCE)):
        parts = np.stack([waves[group].real, -waves[group].imag], axis=1)
        columns = (parts[:, :, None] * ramps).reshape(-1, len(position))
        penalty = np.repeat(penalties[group], 2 * len(ramps))
        fitted = np.linalg.solve(columns @ columns.T + np.diag(penalty), columns @ rest.T)
        rest -= fitted.T @ columns
        added[group] = fitted.reshape(len(group), *added.shape[1:])
    rises = np.stack([np.interp(every, points, ramp) for ramp in ramps])
    return [
        Partial(each.hertz, each.phase, each.envelope + (real + 1j * imaginary).T @ rises)
        for each, (real, imaginary) in zip(partials, added, strict=True)
    ]
