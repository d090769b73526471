"""Linear-prediction extrapolation of a waveform, and the cross-fade from it into another signal.

Burg's method extrapolates a few milliseconds (Kauppinen & Roth 2002, DAFx, "Audio signal extrapolation"). The fade
weights the extrapolation by its predictability: that of noise decays within a few samples, that of a tone lasts.
"""

from __future__ import annotations

import numpy as np

from audiogen.dsp.fades import fade_in

FADE_SECONDS = 0.008
CONTEXT_SECONDS = 0.1  # that the predictor is fitted to
ORDER = 64
ONSET_FRACTION = 0.25  # of the fade: an abrupt onset would splatter over bands that the context leaves empty


def extrapolate_into(context: np.ndarray, signal: np.ndarray, sample_rate: int) -> np.ndarray:
    """A signal whose first milliseconds continue the waveform before it.

    Args:
        context: ``[channels, time]`` samples just before the signal; the last `CONTEXT_SECONDS` are used.
        signal: ``[channels, time]``.
        sample_rate: Hz.

    Returns:
        ``[channels, time]``; only the first `FADE_SECONDS` differ from the signal.
    """
    length = min(round(FADE_SECONDS * sample_rate), signal.shape[1])
    if length < 2:
        return signal
    used = max(round(CONTEXT_SECONDS * sample_rate), 4 * ORDER)
    joined = signal.copy()
    for channel, past in enumerate(context[:, -used:]):
        joined[channel, :length] = fade_from_prediction(*extrapolate(past, length), signal[channel, :length])
    return joined


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


def fade_from_prediction(predicted: np.ndarray, predictability: np.ndarray, signal: np.ndarray) -> np.ndarray:
    """Cross-fade from an extrapolation to a signal, at constant power.

    The gain of the signal makes up for the power that the extrapolation lacks, given their correlation: over an
    unpredictable context the signal sets in almost at once, over a tone it takes over gradually.

    Args:
        predicted: ``[time]`` extrapolated samples.
        predictability: ``[time]`` in 0..1, see `extrapolate`.
        signal: ``[time]``.

    Returns:
        ``[time]``.
    """
    length = len(predicted)
    fade = fade_in(length)[::-1]
    weight = fade * np.sqrt(predictability)
    scale = float(np.sqrt(np.square(predicted).sum() * np.square(signal).sum()))
    agreement = float(np.clip(predicted @ signal / scale, 0, 1)) if scale > 0 else 0.0
    gain = np.sqrt(np.clip(1 - weight**2 * (1 - agreement**2), 0, 1)) - weight * agreement
    onset = max(round(ONSET_FRACTION * length), 1)
    gain[:onset] *= fade_in(onset)
    return fade * predicted + gain * signal
