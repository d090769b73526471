"""Where a generated tail takes over: the waveform goes on for a few milliseconds before it gives way.

The Vocoder has already continued the prompt's phases, so what is left at the join is a small step. The prompt is
extrapolated by linear prediction (Burg's method; Kauppinen & Roth 2002, DAFx) and faded into the tail.
"""

from __future__ import annotations

import numpy as np

from audiogen.audio import Recording

FADE_SECONDS = 0.008
ONSET_FRACTION = 0.25  # of the fade: a sudden onset would splatter over bands that the prompt leaves empty
CONTEXT_SECONDS = 0.1
ORDER = 64


def extrapolate(samples: np.ndarray, length: int, order: int = ORDER) -> tuple[np.ndarray, np.ndarray]:
    """What linear prediction expects after ``[time]`` samples, and how much of the power it can know.

    Returns:
        ``[length]`` samples, and ``[length]`` predictability in 0 (of noise) .. 1 (of a tone): the share of the
        signal's power that is left when the error of predicting so far ahead is taken off.
    """
    order = min(order, len(samples) // 3)
    power = float(np.mean(np.square(samples, dtype=np.float64))) if len(samples) else 0.0
    if order < 2 or np.ptp(samples) < 1e-7:
        return np.full(length, samples[-1] if len(samples) else 0.0), np.ones(length)
    samples = samples.astype(np.float64)
    coefficients = burg(samples, order)
    # The predictor as a filter that has just heard the samples and is then left to ring.
    ringing = _ring(coefficients, samples[-order:], length)
    response = _ring(coefficients, np.eye(1, order, order - 1)[0], length)
    response = np.concatenate([[1.0], response[:-1]])
    innovation = np.mean(np.square(np.convolve(samples, coefficients, mode="valid")))
    error = innovation * np.cumsum(np.square(response))
    return ringing, (1 - error / power).clip(0, 1)


def _ring(coefficients: np.ndarray, past: np.ndarray, length: int) -> np.ndarray:
    """``[length]`` samples that the all-pole filter gives after ``[order]`` past ones, without any input."""
    ringing = np.concatenate([past, np.zeros(length)])
    order, backwards = len(past), coefficients[:0:-1]
    for k in range(order, order + length):  # a few hundred samples: sooner done than scipy.signal is imported
        ringing[k] = -(backwards @ ringing[k - order : k])
    return ringing[order:]


def burg(samples: np.ndarray, order: int) -> np.ndarray:
    """Prediction error filter ``[order + 1]`` of ``[time]`` samples, its first coefficient 1, always stable.

    Burg's recursion (Kay 1988, Modern Spectral Estimation, 7.5), as `librosa.lpc`, which takes seconds to compile.
    """
    coefficients = np.ones(1)
    forward, backward = samples[1:], samples[:-1]
    for _ in range(order):
        energy = forward @ forward + backward @ backward
        reflection = -2 * (backward @ forward) / (energy + np.finfo(np.float64).tiny)
        padded = np.append(coefficients, 0.0)
        coefficients = padded + reflection * padded[::-1]
        forward, backward = (forward + reflection * backward)[1:], (backward + reflection * forward)[:-1]
    return coefficients


def join(prompt: Recording, tail: np.ndarray) -> np.ndarray:
    """``[channels, time]`` tail whose first milliseconds go on from the prompt's last ones, at an even level."""
    length = min(round(FADE_SECONDS * prompt.sample_rate), tail.shape[1])
    context = max(round(CONTEXT_SECONDS * prompt.sample_rate), 4 * ORDER)
    if length < 2:
        return tail
    joined = tail.copy()
    for channel, past in enumerate(prompt.samples[:, -context:]):
        joined[channel, :length] = cross_fade(*extrapolate(past, length), tail[channel, :length])
    return joined


def cross_fade(expected: np.ndarray, predictability: np.ndarray, tail: np.ndarray) -> np.ndarray:
    """From what is expected to a tail, both ``[time]``, at constant power.

    What is expected of noise dies within a few samples, and the tail has to be there at once, or nearly; of a tone it
    lasts, and the tail, as far as it agrees, comes in by what is expected less.
    """
    length = len(expected)
    fade = 0.5 + 0.5 * np.cos(np.pi * (np.arange(length) + 0.5) / length)
    known = fade * np.sqrt(predictability)
    scale = float(np.sqrt(np.square(expected).sum() * np.square(tail).sum()))
    agreement = float(np.clip(expected @ tail / scale, 0, 1)) if scale > 0 else 0.0
    rest = np.sqrt(np.clip(1 - known**2 * (1 - agreement**2), 0, 1)) - known * agreement
    rise = max(round(ONSET_FRACTION * length), 1)
    rest[:rise] *= 0.5 - 0.5 * np.cos(np.pi * (np.arange(rise) + 0.5) / rise)
    return fade * expected + rest * tail
