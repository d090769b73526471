"""Fades and cross-fades."""

from __future__ import annotations

import numpy as np


def raised_cosine(position: np.ndarray) -> np.ndarray:
    """Smooth rise from 0 at position 0 to 1 at position 1, constant outside: ``0.5 - 0.5 cos(pi position)``."""
    return 0.5 - 0.5 * np.cos(np.pi * position.clip(0, 1))


def fade_in(length: int) -> np.ndarray:
    """Raised-cosine fade-in ``[length]``, sampled at the centres of the samples; its reverse is the fade-out."""
    return raised_cosine((np.arange(length) + 0.5) / max(length, 1))


def correlated_cross_fade(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Cross-fade at constant power, whatever the correlation of the two signals.

    Power-complementary for uncorrelated signals, amplitude-complementary for equal ones: a sine fade divided by the
    gain that the correlation adds (Fink, Holters & Zölzer 2016, DAFx, "Signal-matched power-complementary
    cross-fading and dry-wet mixing"). A negative correlation counts as none.

    Args:
        first: ``[channels, time]``, faded out.
        second: ``[channels, time]``, faded in.

    Returns:
        ``[channels, time]``.
    """
    length = first.shape[1]
    power = float(np.sqrt(np.square(first, dtype=np.float64).sum() * np.square(second, dtype=np.float64).sum()))
    product = float(np.multiply(first, second, dtype=np.float64).sum())
    correlation = min(max(product / power, 0.0), 1.0) if power > 0 else 0.0
    angle = 0.5 * np.pi * (np.arange(length) + 0.5) / length
    return (np.cos(angle) * first + np.sin(angle) * second) / np.sqrt(1 + correlation * np.sin(2 * angle))
