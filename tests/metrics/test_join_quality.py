"""Join quality of joins with a known fault."""

from __future__ import annotations

import numpy as np
import pytest

from audiogen.metrics.join_quality import measure_join, percentile
from tests.metrics.signals import RATE, impacts, noise, recording

CUT = 10 * RATE


def split(samples: np.ndarray, cut: int = CUT):
    return recording(samples[:, :cut]), recording(samples[:, cut:])


def tone(phase: float = 0.0, hertz: float = 440.0, seconds: float = 12) -> np.ndarray:
    return 0.2 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * RATE)) / RATE + phase)[None]


def test_percentiles_without_a_join_are_uniform():
    """Over many uncut recordings the percentiles are uniformly distributed."""
    found = [measure_join(*split(noise(11, seed))) for seed in range(12)]
    for name in ("level_step_percentile", "flux_percentile", "click_percentile", "phase_percentile"):
        assert 25 < np.mean([getattr(one, name) for one in found]) < 75
    assert abs(np.mean([one.level_step_db for one in found])) < 0.3
    assert np.mean([one.flux for one in found]) == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("gain", [-12.0, 3.0, 12.0])
def test_a_gain_step_is_measured_in_decibels(gain):
    samples = noise(12, 1)
    samples[:, CUT:] *= 10 ** (gain / 20)
    found = measure_join(*split(samples))
    assert found.level_step_db == pytest.approx(gain, abs=0.5)
    assert found.level_step_percentile == 100


def test_onsets_of_the_recording_permit_an_onset():
    """A telephone rings for 1 s of 2.9, and is cut where the next ring begins."""
    samples, period = noise(13, 1), round(2.9 * RATE)
    samples *= np.where(np.arange(samples.shape[1]) % period < RATE, 1.0, 0.01)
    found = measure_join(*split(samples, 4 * period))
    assert found.level_step_db == pytest.approx(40, abs=1)
    assert found.level_step_percentile < 99
    samples[:, 4 * period :] *= 4
    assert measure_join(*split(samples, 4 * period)).level_step_percentile == 100


@pytest.mark.parametrize("gain", [-20.0, 20.0])
def test_a_strong_step_shows_in_the_flux(gain):
    samples = noise(12, 1)
    samples[:, CUT:] *= 10 ** (gain / 20)
    found = measure_join(*split(samples))
    assert found.flux_percentile == 100
    assert found.flux > 1.3


@pytest.mark.parametrize("channel", [0, 1])
def test_a_click_is_found_in_any_channel(channel):
    samples = np.cumsum(noise(12, 1, channels=2), axis=1)  # low-frequency noise: a small jump is far below its peaks
    samples -= samples.mean()
    quiet = measure_join(*split(samples))
    samples[channel, CUT] += 1.5
    found = measure_join(*split(samples))
    assert found.click > 2 * quiet.click
    assert found.click_percentile == 100


def test_clicks_of_the_recording_permit_a_click():
    samples = noise(12, 1)
    samples[:, RATE // 10 + 7 :: RATE // 50] += 2.0
    samples[:, CUT] += 2.0
    assert measure_join(*split(samples)).click_percentile < 99


def test_a_continuous_tone_deviates_less_than_a_phase_jump():
    on = measure_join(*split(tone()))
    broken = tone()
    broken[:, CUT:] = tone(np.pi / 2)[:, CUT:]
    off = measure_join(*split(broken))
    assert on.phase < 0.05
    assert off.phase > 5 * on.phase
    assert off.phase_percentile == 100


def test_the_seam_of_a_loop():
    """A tone over whole periods is a seamless loop; with half a period more it is not."""
    whole = tone(hertz=441.0, seconds=10)
    good = measure_join(recording(whole), recording(whole))
    short = whole[:, : -round(RATE / 441 / 2)]
    bad = measure_join(recording(short), recording(short))
    assert bad.phase > 5 * good.phase


def test_events_of_the_recording_permit_an_event_at_the_join():
    samples = impacts(12, 3, rate=10)
    assert measure_join(*split(samples)).flux_percentile < 100


def test_short_or_silent_sounds_are_measured():
    found = measure_join(recording(noise(0.01, 1)), recording(noise(0.01, 2)))
    assert np.isfinite(found.level_step_db)
    silent = measure_join(recording(np.zeros((2, CUT))), recording(np.zeros((2, RATE))))
    assert silent.level_step_db == 0
    assert silent.click == 0
    for length in (1, 2, 441):  # less than a hop
        assert 0 <= measure_join(recording(noise(2, 1)), recording(noise(length / RATE, 2))).flux_percentile <= 100


def test_percentiles_count_ties_half():
    assert percentile(1.0, np.array([0.0, 1.0, 1.0, 2.0])) == 50
    assert percentile(3.0, np.array([0.0, 1.0])) == 100
    assert percentile(3.0, np.zeros(0)) == 50


@pytest.mark.parametrize("level", [1e-5, 1e-3])
def test_a_codecs_noise_after_a_pure_tone_is_no_click_and_a_click_in_it_is_one(level):
    samples = tone() + 1e-6 * noise(12, 1)
    samples[:, CUT:] += level * noise(2, 2)
    found = measure_join(*split(samples))
    assert found.click < 6  # the least that is reported
    samples[:, CUT] += 20 * level
    found = measure_join(*split(samples))
    assert found.click > 6
    assert found.click_percentile == 100
