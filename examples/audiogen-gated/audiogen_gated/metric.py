"""Roughness: how much the loudness of a recording fluctuates between 30 and 150 times per second."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from audiogen.audio import Recording
from audiogen.errors import InputError
from audiogen.metrics.registry import Metric

BAND = (30.0, 150.0)  # Hz
MIN_SECONDS = 0.25


class Roughness(Metric):
    """Difference in roughness from the real audio, in dB: 0 is as rough, above 0 rougher."""

    def __init__(self, reference: Recording, prompt: Recording | None = None) -> None:
        super().__init__(reference, prompt)
        self.real = roughness(reference)

    def __call__(self, tail: Recording) -> Mapping[str, float]:
        return {"roughness": 10 * float(np.log10(roughness(tail) / self.real))}


def roughness(recording: Recording) -> float:
    """Fraction of the envelope's power that fluctuates within `BAND`.

    Raises:
        InputError: the recording is silent or shorter than `MIN_SECONDS`.
    """
    if recording.seconds < MIN_SECONDS or not recording.samples.any():
        raise InputError("roughness", "the recording is silent or too short", f"give {MIN_SECONDS:g} s of sound")
    envelope = np.abs(recording.samples).mean(axis=0)
    spectrum = np.abs(np.fft.rfft(envelope * np.hanning(len(envelope)))) ** 2
    frequencies = np.fft.rfftfreq(len(envelope), 1 / recording.sample_rate)
    within = (frequencies >= BAND[0]) & (frequencies <= BAND[1])
    return float(spectrum[within].sum() / spectrum.sum() + 1e-12)
