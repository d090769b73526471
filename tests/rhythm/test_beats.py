import numpy as np
import pytest

from audiogen.rhythm.analysis import analyse_rhythm
from audiogen.rhythm.beats import extend_beats, smooth_beats
from tests.rhythm.signals import noise, steady, strokes


def test_beats_lie_on_the_strokes_of_a_clock() -> None:
    times = steady(0.47, 20.0)
    rhythm = analyse_rhythm(strokes(times))
    assert rhythm is not None
    late = rhythm.beats[rhythm.beats < times[-1] + 0.1][:, None] - times
    assert np.abs(late).min(1).max() < 0.012


def test_a_drifting_tempo_is_followed_and_extrapolated() -> None:
    periods = np.linspace(0.5, 0.44, 60)
    times = 0.3 + np.concatenate([[0], np.cumsum(periods)])
    rhythm = analyse_rhythm(strokes(times[:-1], seconds=times[-1] - 0.3))
    assert rhythm is not None
    late = rhythm.beats[:, None] - times
    assert np.abs(late).min(1).max() < 0.03
    assert rhythm.period == pytest.approx(0.44, rel=0.02)
    end = rhythm.recording.seconds
    assert end + (1 - rhythm.phase) * rhythm.period == pytest.approx(times[times > end][0], abs=0.03)


def test_accents_tell_the_length_of_a_bar() -> None:
    for bar in (3, 4):
        times = steady(0.4, 24.0)
        loudness = np.where(np.arange(len(times)) % bar == 0, 1.0, 0.25)
        rhythm = analyse_rhythm(strokes(times, loudness))
        assert rhythm is not None
        assert rhythm.bar == bar


def test_a_clock_has_no_bars() -> None:
    loudness = np.random.default_rng(1).uniform(0.7, 1, 60)
    rhythm = analyse_rhythm(strokes(steady(0.4, 24.0), loudness[: len(steady(0.4, 24.0))]))
    assert rhythm is not None
    assert rhythm.bar is None


def test_noise_has_no_rhythm() -> None:
    assert analyse_rhythm(noise(10.0)) is None


def test_a_few_beats_off_the_line_do_not_bend_it() -> None:
    line = 0.2 + 0.5 * np.arange(40)
    tracked = line + np.where(np.arange(40) < 4, 0.2, 0.0)
    np.testing.assert_allclose(smooth_beats(tracked, 0.5), line, atol=1e-3)


def test_beats_are_extended_to_the_end_and_no_farther() -> None:
    np.testing.assert_allclose(extend_beats(np.arange(1.0, 5.0, 0.5), 6.2), np.arange(1.0, 6.1, 0.5))
    np.testing.assert_allclose(extend_beats(np.arange(1.0, 5.0, 0.5), 3.2), np.arange(1.0, 3.1, 0.5))
