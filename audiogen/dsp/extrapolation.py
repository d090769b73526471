"""Linear-prediction extrapolation of a waveform.

Burg's method extrapolates a few milliseconds (Kauppinen & Roth 2002, DAFx, "Audio signal extrapolation").
"""

from __future__ import annotations

import numpy as np

ORDER = 64


def extrapolate(samples: np.ndarray, length: int, order: int = ORDER) -> tuple[np.ndarray, np.ndarray]:
    """Extrapolate by linear prediction.

    Args:
        samples: ``[time]``.
        length: samples to extrapolate.
        order: of the predictor; at most a third of the samples given.

    Returns:
        ``[length]`` predicted samples, and their predictability ``[length]`` in 0 (noise) .. 1 (a tone): 1 minus the
        variance of the prediction error at that lead over the power of the signal.
    """
    order = min(order, len(samples) // 3)
    power = float(np.mean(np.square(samples, dtype=np.float64))) if len(samples) else 0.0
    if order < 2 or np.ptp(samples) < 1e-7:
        return np.full(length, samples[-1] if len(samples) else 0.0), np.ones(length)
    samples = samples.astype(np.float64)
    coefficients = burg(samples, order)
    predicted = _free_response(coefficients, samples[-order:], length)
    # The error at lead n has the variance of the innovation times the energy of the impulse response up to n.
    response = _free_response(coefficients, np.eye(1, order, order - 1)[0], length)
    response = np.concatenate([[1.0], response[:-1]])
    innovation = np.mean(np.square(np.convolve(samples, coefficients, mode="valid")))
    error = innovation * np.cumsum(np.square(response))
    return predicted, (1 - error / power).clip(0, 1)


def _free_response(coefficients: np.ndarray, past: np.ndarray, length: int) -> np.ndarray:
    """Output ``[length]`` of the all-pole filter after ``[order]`` past outputs, with zero input."""
    output = np.concatenate([past, np.zeros(length)])
    order, backwards = len(past), coefficients[:0:-1]
    for k in range(order, order + length):  # a few hundred samples: faster than importing scipy.signal
        output[k] = -(backwards @ output[k - order : k])
    return output[order:]


def burg(samples: np.ndarray, order: int) -> np.ndarray:
    """Prediction-error filter by Burg's recursion (Kay 1988, Modern Spectral Estimation, section 7.5).

    Equals `librosa.lpc`, without the seconds that its compilation takes.

    Args:
        samples: ``[time]`` float64.
        order: of the predictor.

    Returns:
        ``[order + 1]`` coefficients, the first one 1; the all-pole filter is always stable.
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
