"""Copying and looping of pasted segments of known length."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal

from audiogen.errors import InputError
from audiogen.metrics.copying import MIN_THRESHOLD, RepetitionDetector, windows
from audiogen.metrics.spectra import mel_frames
from tests.metrics.signals import RATE, impacts, noise, recording

SECONDS = 40


@pytest.fixture(scope="module", params=[noise, impacts], ids=["noise", "impacts"])
def source(request):
    return request.param(20, 1), request.param(SECONDS, 2)


def pasted(source: np.ndarray, fresh: np.ndarray, share: float, gain: float = 1.0) -> np.ndarray:
    """``fresh`` with ``share`` of its time replaced by two-second segments of ``source`` (from irregular positions)."""
    tail = fresh.copy()
    generator = np.random.default_rng(3)
    for k in range(round(share * SECONDS / 2)):
        start = int(generator.integers(0, source.shape[1] - 2 * RATE))
        tail[:, k * 4 * RATE : k * 4 * RATE + 2 * RATE] = gain * source[:, start : start + 2 * RATE]
    return tail


def vocoded(samples: np.ndarray, seed: int = 0) -> np.ndarray:
    """The magnitudes of ``samples`` with phases by 10 rounds of Griffin-Lim from random ones."""
    options = {"fs": RATE, "nperseg": 1024, "noverlap": 768}
    magnitude = np.abs(scipy.signal.stft(samples, **options)[2])
    spectrum = magnitude * np.exp(2j * np.pi * np.random.default_rng(seed).random(magnitude.shape))
    for _ in range(10):
        signal = scipy.signal.istft(spectrum, **options)[1]
        found = scipy.signal.stft(signal, **options)[2][..., : magnitude.shape[-1]]
        spectrum = magnitude * np.exp(1j * np.angle(found))
    return scipy.signal.istft(spectrum, **options)[1]


@pytest.mark.parametrize("share", [0.0, 0.05, 0.1, 0.25, 0.5])
def test_measured_fraction_of_pasted_copies(source, share):
    prompt, fresh = source
    found = RepetitionDetector(recording(prompt)).copying(recording(pasted(prompt, fresh, share)))
    assert found.fraction == pytest.approx(share, abs=max(0.03, 0.15 * share))


def test_a_change_of_level_or_tilt_does_not_hide_a_copy(source):
    prompt, fresh = source
    tail = scipy.signal.lfilter([0.3, -0.2], [1.0], pasted(prompt, fresh, 0.25))
    assert RepetitionDetector(recording(prompt)).copying(recording(tail)).fraction == pytest.approx(0.25, abs=0.04)


def test_a_vocoder_does_not_hide_a_copy(source):
    prompt, fresh = source
    tail = vocoded(pasted(prompt, fresh, 0.25))
    assert RepetitionDetector(recording(prompt)).copying(recording(tail)).fraction == pytest.approx(0.25, abs=0.04)


def test_slight_detuning_does_not_hide_a_copy(source):
    prompt, _ = source
    slow = scipy.signal.resample(prompt[:, : 10 * RATE], round(10 * RATE * 1.005), axis=1)
    assert RepetitionDetector(recording(prompt)).copying(recording(slow)).fraction > 0.95


def test_matches_give_the_position_of_the_source(source):
    prompt, _ = source
    start = 7 * RATE + 123
    found = RepetitionDetector(recording(prompt)).copying(recording(prompt[:, start : start + 3 * RATE]))
    np.testing.assert_allclose(found.positions - found.times, start / RATE, atol=0.02)


def test_looping_is_one_for_a_loop_and_zero_for_new_audio(source):
    prompt, fresh = source
    detector = RepetitionDetector(recording(prompt))
    assert detector.looping(recording(np.tile(fresh[:, : 3 * RATE], (1, 6)))).fraction > 0.95
    assert detector.looping(recording(fresh)).fraction < 0.06


def test_a_loop_shorter_than_the_excluded_neighbourhood_is_found(source):
    prompt, fresh = source
    tail = np.tile(fresh[:, : int(0.4 * RATE)], (1, 20))
    assert RepetitionDetector(recording(prompt)).looping(recording(tail)).fraction > 0.95


def test_a_source_that_repeats_itself_raises_the_threshold():
    """A fixed pattern under new noise: real later audio repeats it too, so that it is no copy."""
    pattern = np.tile(impacts(2, 5), (1, 20))
    prompt, fresh = (pattern[:, : 20 * RATE] + 0.15 * noise(20, seed) for seed in (1, 2))
    detector = RepetitionDetector(recording(prompt))
    assert detector.threshold(20) > MIN_THRESHOLD + 0.1
    assert detector.copying(recording(fresh)).fraction < 0.15
    assert detector.copying(recording(prompt[:, 1234:])).fraction > 0.95


def test_swapped_channels_are_still_a_copy():
    prompt = noise(10, 1, channels=2)
    found = RepetitionDetector(recording(prompt)).copying(recording(prompt[::-1]))
    assert found.fraction == 1.0


def test_silence_copies_nothing():
    detector = RepetitionDetector(recording(np.zeros((1, 10 * RATE))))
    assert detector.copying(recording(np.zeros((1, 4 * RATE)))).fraction == 0
    assert detector.looping(recording(np.zeros((1, 4 * RATE)))).fraction == 0


def test_windows_are_centred_unit_vectors():
    frames = np.random.default_rng(0).standard_normal((50, 4)).astype(np.float32) + 7
    found = windows(frames, 10)
    assert found.shape == (41, 40)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(found.sum(axis=1), 0, atol=1e-4)


def test_frames_do_not_cancel_in_antiphase():
    left = noise(2, 1)
    np.testing.assert_allclose(
        mel_frames(recording(np.concatenate([left, -left])))[0], mel_frames(recording(left))[0], atol=1e-3
    )


def test_short_audio_and_unequal_rates_are_refused():
    with pytest.raises(InputError, match="shorter than"):
        RepetitionDetector(recording(noise(0.3, 1)))
    detector = RepetitionDetector(recording(noise(2, 1)))
    with pytest.raises(InputError, match="shorter than"):
        detector.copying(recording(noise(0.3, 1)))
    with pytest.raises(InputError, match="rates differ"):
        detector.copying(recording(noise(2, 1), 8000))


def test_less_than_a_frame_gives_no_frames():
    short, rate = mel_frames(recording(noise(0.02, 1)))
    long, same = mel_frames(recording(noise(1, 1)))
    assert short.shape == (0, long.shape[1])
    assert rate == same
    assert len(long) == pytest.approx(rate, abs=5)
