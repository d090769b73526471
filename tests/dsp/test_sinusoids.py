"""Bands around carriers, and peaks followed over time."""

from __future__ import annotations

import numpy as np
import pytest

from audiogen.dsp.peak_tracking import track_peaks
from audiogen.dsp.sinusoids import Bands

RATE = 16000


def tone(hertz: float, seconds: float = 2.0, phase: float = 0.5) -> np.ndarray:
    return np.cos(2 * np.pi * hertz * np.arange(int(seconds * RATE)) / RATE + phase)


def test_a_tone_has_its_amplitude_and_phase_in_its_band() -> None:
    samples = np.stack([0.5 * tone(440.3), 0.2 * tone(440.3, phase=2.0)])
    bands = Bands(samples.shape[1], RATE)
    carrier = bands.carrier(441.0)
    (envelope,) = bands.envelopes(bands.spectrum(samples), [carrier])
    middle = envelope[:, bands.inside][:, 200:-200]
    np.testing.assert_allclose(np.abs(middle).mean(1), [0.5, 0.2], rtol=1e-3)
    np.testing.assert_allclose(np.angle(middle[1] / middle[0]), 1.5, atol=0.01)


@pytest.mark.parametrize("length", [32000, 31987, 5000])
def test_signal_inverts_envelope(length: int) -> None:
    bands = Bands(length, RATE)
    carrier = bands.carrier(300.0)
    time = (np.arange(bands.points) - bands.lead) / bands.rate
    origin = bands.lead / bands.rate  # of the carrier's phase: the first point
    envelope = np.exp(1j * (2 * np.pi * 300.7 * time + 0.5 - 2 * np.pi * carrier * (time + origin)))[None]
    samples = bands.signal(envelope[None], [carrier])[0]
    np.testing.assert_allclose(samples, tone(300.7, length / RATE)[:length], atol=1e-4)


def test_a_tone_and_a_glide_are_tracked_and_noise_is_not() -> None:
    time = np.arange(4 * RATE) / RATE
    glide = np.sin(2 * np.pi * (1000 * time + 20 * time**2))  # 1000 to 1160 Hz
    noise = 0.1 * np.random.default_rng(0).standard_normal((1, len(time)))
    tracks = track_peaks((tone(300.0, 4.0) + glide)[None] + noise, RATE, 2048)
    long = sorted((track for track in tracks if len(track.hertz) > 80), key=lambda track: track.hertz[0])
    assert len(long) == 2
    np.testing.assert_allclose(long[0].hertz, 300, atol=0.5)
    np.testing.assert_allclose(long[1].hertz, 1000 + 40 * long[1].seconds, atol=3)
    assert track_peaks(noise, RATE, 2048) == []
