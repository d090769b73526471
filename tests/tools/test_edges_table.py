"""tools/check_edges.py: figures of known edges, tails and speech."""

from __future__ import annotations

import numpy as np
import pytest

from audiogen.audio import Recording
from tools import check_edges
from tools.check_edges import edited, excerpt, found_edges, named, remaining_db, speech, tenths

RATE = 22050


def noise(seconds: float) -> Recording:
    return Recording(0.1 * np.random.default_rng(0).standard_normal((1, round(seconds * RATE))), RATE)


def test_what_remains_of_a_fade() -> None:
    assert remaining_db("linear", 2.0, 1.0) == pytest.approx(6.02, abs=0.01)
    assert remaining_db("exponential", 2.0, 1.0) == pytest.approx(30, abs=0.01)
    assert remaining_db("S-curve", 2.0, 2.5) == pytest.approx(0, abs=1e-6)


def test_missed_fades_are_starred(monkeypatch: pytest.MonkeyPatch) -> None:
    (found,) = found_edges({"a": noise(20)})
    assert found[0] == "a"
    assert not any("*" in cell for cell in found[1:])
    assert found[-2:] == ["1.00", "yes"]
    monkeypatch.setattr(check_edges, "find_edges", lambda _: (check_edges.NONE, check_edges.NONE))
    (missed,) = found_edges({"a": noise(20)})
    assert sum("*" in cell for cell in missed) == len(check_edges.KINDS) * len(check_edges.LENGTHS)
    assert missed[-2:] == ["0.00", "no"]


def test_levels_fades_and_speech_are_what_they_say() -> None:
    samples = noise(2).samples
    levels = tenths(edited(samples, RATE, "linear", 1.0), RATE)
    assert levels[:10] == pytest.approx(-20, abs=0.5)
    assert levels[14] == pytest.approx(-20 + 20 * np.log10(0.55), abs=0.5)
    voice, spoken = speech(10 * RATE, RATE, 0.05, 1.0)
    assert np.sqrt(np.square(voice[spoken]).mean()) == pytest.approx(0.05)
    assert 0.2 < spoken.mean() < 0.9
    assert np.square(voice[~spoken]).mean() < 0.1 * 0.05**2, "reverberation only"


def test_recordings_are_chosen_by_parts_of_their_names() -> None:
    assert named("textures/rain", "music/,rain")
    assert not named("textures/rain", "music/,")
    assert excerpt(noise(30)).seconds == pytest.approx(18)
