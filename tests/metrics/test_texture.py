"""Texture distance of known signals."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.signal

from audiogen.errors import InputError
from audiogen.metrics.texture import TextureReference, texture_distance
from tests.metrics.signals import RATE, impacts, modulated, noise, recording


def test_distance_is_one_for_another_segment_of_the_same_noise():
    real, floor = recording(noise(4, 3)), recording(noise(12, 4))
    ratios = [texture_distance(recording(noise(6, 10 + k)), real, floor) for k in range(4)]
    assert np.mean([ratio.overall for ratio in ratios]) == pytest.approx(1.0, abs=0.1)
    for name in ratios[0].classes:
        assert np.mean([ratio.classes[name] for ratio in ratios]) == pytest.approx(1.0, abs=0.25)


@pytest.mark.parametrize(("hertz", "name"), [(1.0, "slow modulation"), (16.0, "modulation")])
def test_missing_modulation_changes_its_class(hertz, name):
    real, floor = recording(modulated(5, 3, hertz)), recording(modulated(15, 4, hertz))
    found = texture_distance(recording(noise(5, 5)), real, floor)
    kept = texture_distance(recording(modulated(5, 6, hertz)), real, floor)
    assert found.classes[name] > 2
    assert found.overall > 1.5
    assert kept.overall < 1.25


def test_independent_band_modulation_changes_the_correlation():
    real, floor = recording(modulated(5, 3, 3.0)), recording(modulated(15, 4, 3.0))
    # The same modulation, but the two halves of the spectrum alternate.
    low, high = np.fft.rfft(modulated(5, 5, 3.0)), np.fft.rfft(modulated(5, 6, 3.0))
    middle = low.shape[1] // 16
    low[:, middle:] = 0
    high[:, :middle] = 0
    turned = np.fft.irfft(low) + np.roll(np.fft.irfft(high), RATE // 6)
    found = texture_distance(recording(turned), real, floor)
    assert found.classes["correlation"] == max(found.classes.values()) > 3


def test_half_the_level_changes_the_spectrum_alone():
    real, floor = recording(noise(4, 3)), recording(noise(12, 4))
    found = texture_distance(recording(0.5 * noise(4, 5)), real, floor)
    assert found.classes["spectrum"] > 4
    assert found.classes["moments"] < 1.3


def test_time_reversed_impacts_change_the_attack():
    real, floor = recording(impacts(6, 3)), recording(impacts(18, 4))
    forward, backward = impacts(6, 5), impacts(6, 5)[:, ::-1]
    kept, found = (texture_distance(recording(samples), real, floor) for samples in (forward, backward))
    assert found.classes["attack"] == max(found.classes.values()) > 2 * kept.classes["attack"]


def test_one_bad_segment_of_a_long_continuation_is_not_hidden():
    reference = TextureReference(recording(noise(4, 3)), recording(noise(12, 4)))
    good, bad = noise(16, 5), noise(16, 5)
    bad[:, 12 * RATE :] = 0
    assert reference.distance(recording(bad)).overall > 1.5 * reference.distance(recording(good)).overall


def test_antiphase_stereo_does_not_cancel():
    left, other = noise(4, 3), noise(12, 4)
    real, floor = recording(np.concatenate([left, -left])), recording(np.concatenate([other, -other]))
    fresh = noise(4, 5)
    kept = texture_distance(recording(np.concatenate([fresh, -fresh])), real, floor)
    quiet = texture_distance(recording(np.zeros((2, 4 * RATE))), real, floor)
    assert kept.overall == pytest.approx(1.0, abs=0.2)
    assert quiet.overall > 3


def test_one_silent_channel_increases_the_distance():
    stereo = noise(4, 5, channels=2)
    stereo[1] = 0
    real, floor = recording(noise(4, 3, channels=2)), recording(noise(12, 4, channels=2))
    assert texture_distance(recording(stereo), real, floor).overall > 3


def test_the_floor_leaves_out_the_real_part_itself():
    whole = noise(16, 3)
    head, tail = recording(whole[:, : 12 * RATE]), recording(whole[:, 12 * RATE :])
    generated = recording(noise(4, 5))
    assert texture_distance(generated, tail, recording(whole)) == texture_distance(generated, tail, head)


def test_rates_may_differ():
    real, floor = recording(noise(4, 3)), recording(noise(12, 4))
    twice = scipy.signal.resample(noise(4, 5), 8 * RATE, axis=1)
    assert texture_distance(recording(twice, 2 * RATE), real, floor).overall == pytest.approx(1.0, abs=0.2)


def test_silence_is_close_to_silence_and_far_from_noise():
    silence = recording(np.zeros((1, 8 * RATE)))
    assert texture_distance(silence, silence).overall == pytest.approx(1.0)
    assert texture_distance(recording(noise(4, 5)), silence).overall > 10


def test_short_audio_is_refused():
    with pytest.raises(InputError, match="too short"):
        texture_distance(recording(noise(0.4, 1)), recording(noise(8, 2)))
    with pytest.raises(InputError, match="too short"):
        texture_distance(recording(noise(4, 1)), recording(noise(1.5, 2)))


def test_a_recording_that_is_its_own_floor_is_compared_with_its_own_segments():
    whole, generated = recording(noise(8, 3)), recording(noise(4, 5))
    assert texture_distance(generated, whole, whole) == texture_distance(generated, whole)
