"""Ranges over segments of the tail and of the recording, and dips."""

from __future__ import annotations

import numpy as np
import pytest

from audiogen.metrics.drift import DriftMeter
from audiogen.metrics.segments import dips, segment_ranges, segments
from tests.metrics.signals import RATE, modulated, noise, recording


def track(samples: np.ndarray) -> DriftMeter:
    return DriftMeter.of(recording(samples))


def ranges(tail: np.ndarray, past: np.ndarray) -> dict:
    return segment_ranges(track(tail), track(past))


def test_more_of_the_same_is_within_the_usual_range() -> None:
    found = ranges(noise(8, 1, 2), noise(12, 2, 2))
    assert found["seconds"] == 4
    assert set(found) == {"seconds", "level_db", "centroid_hz", "variance", "tonality_db", "correlation"}
    for name, near in (
        ("level_db", 0.2),
        ("centroid_hz", 50),
        ("variance", 1),
        ("tonality_db", 3),
        ("correlation", 0.05),
    ):
        edges = found[name]
        assert edges["low"] <= edges["high"]
        assert edges["usual_low"] <= edges["usual_high"]
        assert edges["low"] == pytest.approx(edges["usual_low"], abs=near)
        assert edges["high"] == pytest.approx(edges["usual_high"], abs=near)
    assert found["level_db"]["low"] == pytest.approx(-20, abs=0.2)
    assert "correlation" not in ranges(noise(8, 1), noise(12, 2))


def test_a_falling_tail_shows_its_lowest_segment() -> None:
    tail = noise(12, 1)
    tail[:, 8 * RATE :] *= 0.25
    found = ranges(tail, noise(12, 2))
    assert found["level_db"]["high"] == pytest.approx(-20, abs=0.2)
    assert found["level_db"]["low"] == pytest.approx(-32, abs=0.3)
    assert found["level_db"]["usual_low"] == pytest.approx(-20, abs=0.2)


def test_a_varying_recording_has_a_wide_range() -> None:
    past = noise(24, 1)
    past[:, : 12 * RATE] *= 0.5
    edges = ranges(noise(12, 2), past)["level_db"]
    assert (edges["usual_low"], edges["usual_high"]) == pytest.approx((-26, -20), abs=0.3)


def test_too_short_or_silent_gives_nothing() -> None:
    assert ranges(noise(1, 1), noise(12, 2)) == {}
    assert ranges(noise(8, 1), noise(3, 2)) == {}
    assert "tonality_db" not in ranges(np.zeros((1, 8 * RATE), np.float32), np.zeros((1, 8 * RATE), np.float32))
    assert dips(track(noise(1, 1)), track(noise(12, 2))) == {}
    assert dips(track(noise(8, 1)), track(noise(3, 2))) == {}
    assert dips(track(noise(8, 1)), track(np.zeros((1, 12 * RATE)))) == {}


def test_segments_overlap_by_half_and_reach_the_end() -> None:
    assert segments(list(range(7)), 4) == [[0, 1, 2, 3], [2, 3, 4, 5], [3, 4, 5, 6]]
    assert segments(list(range(4)), 4) == [[0, 1, 2, 3]]
    assert segments(list(range(3)), 1) == [[0], [1], [2]]


def test_dips_are_found_and_fades_of_the_recording_are_none() -> None:
    past = noise(15, 1)
    past[:, :RATE] *= np.linspace(0, 1, RATE)
    past[:, -2 * RATE :] *= np.linspace(1, 0, 2 * RATE)
    tail = noise(10, 2)
    for start in range(0, 10 * RATE, 2 * RATE):
        tail[:, start : start + RATE // 5] *= 0.2  # two tenths in twenty, 14 dB down
    found = dips(track(tail), track(past))
    assert found["dip_db"] == pytest.approx(14, abs=1)
    assert found["usual_dip_db"] < 4
    assert found["fade_in_seconds"] == pytest.approx(0.7, abs=0.11)
    assert found["fade_out_seconds"] == pytest.approx(1.4, abs=0.11)
    even = dips(track(noise(10, 2)), track(noise(15, 1)))
    assert even["dip_db"] < 1
    assert even["fade_in_seconds"] == even["fade_out_seconds"] == 0


def test_slow_level_changes_of_the_recording_count_as_its_dips() -> None:
    found = dips(track(modulated(12, 1, 0.5)), track(modulated(12, 2, 0.5)))
    assert found["dip_db"] > 8
    assert found["usual_dip_db"] > found["dip_db"] - 2
