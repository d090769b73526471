"""tools/check_temperature.py: variances of known tails, rising values, and the page."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from audiogen.audio import Recording, write
from tools import check_temperature
from tools.check_temperature import TEMPERATURES, main, rising, variances

RATE = 44100


def gated(seconds: float, decibels: float) -> Recording:
    """Noise, louder by a factor in every other half second."""
    samples = 0.01 * np.random.default_rng(0).standard_normal((1, round(seconds * RATE)))
    loud = (np.arange(samples.shape[1]) // (RATE // 2)) % 2
    return Recording((samples * 10 ** (decibels * loud / 20)).astype(np.float32), RATE)


def test_variances_of_a_gated_sound() -> None:
    level, bands = variances(gated(8, 20), loudest=40.0)
    assert level == pytest.approx(100, rel=0.03)
    assert 85 < bands < 150, "and the frames' own scatter"
    assert variances(gated(8, 0), loudest=40.0)[0] < 0.5
    assert variances(gated(8, 20), loudest=200.0)[1] == 0, "inaudible"


def test_rising_means_each_step() -> None:
    assert rising(np.array([[1.0, 2, 3], [1, 3, 2], [1, 1, 2]])).tolist() == [True, False, False]


def test_the_page_counts_rising_recordings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "a.wav", gated(3, 6))

    def made(prompt: Recording, wanted: list) -> object:
        for out, request in wanted:
            wrong = request.seed == 1 and request.temperature == TEMPERATURES[-1]
            write(out, gated(request.seconds, 0 if wrong else 3 + 6 * request.temperature))
            yield {}

    monkeypatch.setattr(check_temperature, "continue_variations", made)
    out = tmp_path / "table.md"
    arguments = ["check_temperature.py", str(tmp_path / "a.wav"), "-o", str(out), "--seeds", "2", "--seconds", "2"]
    monkeypatch.setattr("sys.argv", arguments)
    main()
    assert "| a | 9." in out.read_text()
    assert out.read_text().count("1/2") == 2
    assert "alone in 1 of 2" in out.read_text()
