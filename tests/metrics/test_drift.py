"""Drift of sounds with a known change."""

from __future__ import annotations

import numpy as np
import pytest

from audiogen.audio import Recording
from audiogen.metrics.drift import DriftMeter, drift, segment_stats
from audiogen.metrics.spectra import frame_size, spectra
from tests.metrics.signals import RATE, noise, recording

SECONDS = 40


def of(samples: np.ndarray) -> DriftMeter:
    return DriftMeter.of(recording(samples))


def test_spectra_sum_to_the_mean_square():
    samples = noise(2, 1)
    found = spectra(samples, 1024, 512)
    assert (np.abs(found) ** 2).sum(axis=-1).mean() == pytest.approx(np.mean(samples**2), rel=0.02)
    assert frame_size(44100) == 2048
    assert frame_size(8000) == 256 or frame_size(8000) == 512


def test_steady_noise_does_not_drift():
    found = drift(of(noise(SECONDS, 1)), of(noise(10, 2)))
    assert found["level_deviation_db"] < 0.2
    assert found["centroid_deviation_percent"] < 1
    assert found["band_deviation_db"] < 1.5
    assert found["variance_ratio"] == pytest.approx(1, abs=0.05)
    assert found["silent_fraction"] == found["still_fraction"] == 0


def test_a_ramp_of_level_is_measured():
    samples = noise(SECONDS, 1) * 10 ** (np.linspace(0, -12, SECONDS * RATE) / 20)
    found = drift(of(samples), of(noise(10, 2)))
    assert found["level_slope_db"] == pytest.approx(-12 / SECONDS * 60, rel=0.05)
    assert found["level_change_db"] == pytest.approx(-6, abs=0.6)
    assert found["level_deviation_db"] > 7
    assert abs(found["centroid_change_percent"]) < 1


def test_a_falling_cutoff_changes_centroid_and_bands():
    samples = noise(SECONDS, 1)
    half = SECONDS * RATE // 2
    spectrum = np.fft.rfft(samples[:, half:])
    spectrum[:, spectrum.shape[1] // 2 :] *= 0.1
    samples[:, half:] = np.fft.irfft(spectrum)
    found = drift(of(samples), of(noise(10, 2)))
    assert found["centroid_change_percent"] < -25
    assert found["band_deviation_db"] == pytest.approx(20, abs=1.5)


def test_inaudible_frequencies_are_no_brightness():
    samples = noise(10, 1)
    spectrum = np.fft.rfft(samples)
    spectrum[:, spectrum.shape[1] * 22_050 // 48_000 :] = 0
    muffled = np.fft.irfft(spectrum)
    whole, below = (segment_stats(DriftMeter.of(Recording(part, 96_000)).seconds(), 1) for part in (samples, muffled))
    assert below.centroid == pytest.approx(whole.centroid, rel=0.01)


def test_collapse_to_silence_or_a_constant_frame_is_measured():
    samples = noise(SECONDS, 1)
    samples[:, 30 * RATE :] = 0
    found = drift(of(samples))
    assert found["silent_fraction"] == pytest.approx(0.25, abs=0.01)
    assert found["still_fraction"] == pytest.approx(0.25, abs=0.01)
    # A pulse train whose period divides the hop: each frame equals the previous one.
    still = np.zeros((1, SECONDS * RATE))
    still[:, ::64] = 0.5
    found = drift(of(still), of(noise(10, 2)))
    assert found["still_fraction"] > 0.9
    assert found["variance_ratio"] < 0.03
    assert found["silent_fraction"] == 0


def test_clipping_is_counted():
    samples = noise(4, 1)
    samples[:, : RATE // 10] = 1.0
    track = of(samples)
    assert segment_stats(track.seconds(), 1).clipped == pytest.approx(0.025, abs=1e-4)


@pytest.mark.parametrize("block", [1000, 7919, 3 * RATE + 11])
def test_result_does_not_depend_on_the_block_size(block):
    samples = np.ascontiguousarray(noise(5.7, 1, channels=2))
    track = DriftMeter(RATE, 2)
    for first in range(0, samples.shape[1], block):
        track.push(samples[:, first : first + block])
    expected = of(samples)
    assert len(track.seconds()) == len(expected.seconds()) == 6
    assert drift(track) == pytest.approx(drift(expected), rel=1e-6, abs=1e-6)
    assert len(track.seconds()) == 6  # a second call changes nothing


def test_less_than_a_frame_is_measured():
    found = drift(of(noise(0.01, 1)))
    assert np.isfinite(list(found.values())).all()
