"""Where a generated tail takes over: the waveform goes on for a few milliseconds before it gives way.

The Vocoder has already continued the prompt's phases, so what is left at the join is a small step. The prompt is
extrapolated by linear prediction (Burg's method; Kauppinen & Roth 2002, DAFx) and faded into the tail.
"""

from __future__ import annotations

import numpy as np

from audiogen.audio import Recording

FADE_SECONDS = 0.008
CONTEXT_SECONDS = 0.1
ORDER = 64


def extrapolate(samples: np.ndarray, length: int, order: int = ORDER) -> np.ndarray:
    """The ``length`` samples that linear prediction expects after ``[time]``; zeros where it cannot say."""
    import scipy.signal

    order = min(order, len(samples) // 3)
    if order < 2 or np.ptp(samples) < 1e-7:
        return np.full(length, samples[-1] if len(samples) else 0.0)
    samples = samples.astype(np.float64)
    coefficients = burg(samples, order)
    # The predictor as a filter that has just heard the samples and is then left to ring.
    state = scipy.signal.lfiltic([1.0], coefficients, samples[: -order - 1 : -1])
    ringing, _ = scipy.signal.lfilter([1.0], coefficients, np.zeros(length), zi=state)
    return ringing


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
    """``[channels, time]`` tail whose first milliseconds go on from the prompt's last ones."""
    length = min(round(FADE_SECONDS * prompt.sample_rate), tail.shape[1])
    context = max(round(CONTEXT_SECONDS * prompt.sample_rate), 4 * ORDER)
    if length < 2:
        return tail
    fade = 0.5 + 0.5 * np.cos(np.pi * (np.arange(length) + 0.5) / length)
    joined = tail.copy()
    for channel, past in enumerate(prompt.samples[:, -context:]):
        expected = extrapolate(past, length)
        joined[channel, :length] = fade * expected + (1 - fade) * tail[channel, :length]
    return joined
