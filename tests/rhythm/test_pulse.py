import numpy as np
import pytest

from audiogen.audio import Recording
from audiogen.rhythm.onsets import track_onsets
from audiogen.rhythm.pulse import Pulse, find_pulse
from tests.rhythm.signals import RATE, noise, steady, strokes


def pulse_of(recording: Recording) -> Pulse | None:
    track = track_onsets(recording.samples, recording.sample_rate)
    return find_pulse(track.strength, track.rate)


@pytest.mark.parametrize("period", [0.45, 0.5, 0.8])
def test_the_period_of_a_clock_is_found(period: float) -> None:
    pulse = pulse_of(strokes(steady(period, 15.0)))
    assert pulse is not None
    assert pulse.period == pytest.approx(period, rel=0.003)
    assert pulse.strength > 0.8


def test_a_fast_machine_is_counted_in_groups_of_its_strokes() -> None:
    pulse = pulse_of(strokes(steady(0.14, 10.0)))
    assert pulse is not None
    assert pulse.period / 0.14 == pytest.approx(round(pulse.period / 0.14), abs=0.01)
    assert 0.27 <= pulse.period <= 1.1


def test_noise_and_drops_at_random_have_no_pulse() -> None:
    random = np.random.default_rng(3)
    drops = strokes(np.sort(random.uniform(0, 15, 60)), random.uniform(0.2, 1, 60))
    assert pulse_of(noise(15.0)) is None
    assert pulse_of(drops) is None


def test_a_pulse_that_has_stopped_is_not_continued() -> None:
    assert pulse_of(strokes(steady(0.5, 15.0), seconds=32.0)) is None


def test_a_few_strokes_are_no_pulse() -> None:
    assert pulse_of(strokes(steady(0.5, 2.0))) is None


def test_silence_has_no_pulse() -> None:
    assert pulse_of(Recording(np.zeros((1, 5 * RATE), np.float32), RATE)) is None
