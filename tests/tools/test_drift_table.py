"""tools/check_drift.py: deviations of a known tail, table and resumption."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pytest

from audiogen.audio import Recording, write
from audiogen.metrics.drift import DriftMeter
from tools.check_drift import deviations, main, quietest

RATE = 8000


def noise(seconds: float, gain: float = 0.05) -> np.ndarray:
    return (gain * np.random.default_rng(0).standard_normal((1, round(seconds * RATE)))).astype(np.float32)


def test_deviations_of_a_louder_and_brighter_minute() -> None:
    source = DriftMeter.of(Recording(noise(20), RATE))
    bright = np.diff(noise(60), append=0.0).astype(np.float32)
    track = DriftMeter.of(Recording(np.concatenate([noise(60), 2 * noise(60), bright], axis=1), RATE))
    levels, centroids = deviations(track, source, 60)
    assert levels == pytest.approx([0, 6.02, 3.01], abs=0.15)
    assert centroids[:2] == pytest.approx([0, 0], abs=1)
    assert centroids[2] > 20
    assert quietest(track) == pytest.approx(quietest(source), abs=0.3)


def test_the_table_and_its_stored_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("calm", "wild"):
        write(tmp_path / f"{name}.wav", Recording(noise(25), RATE))
    made: list[float] = []

    def rendered(prompt: Recording, arguments: argparse.Namespace) -> tuple[DriftMeter, dict[str, object]]:
        made.append(prompt.seconds)
        tail = np.concatenate([noise(60), len(made) * noise(60)], axis=1)
        return DriftMeter.of(Recording(tail, RATE)), {"drift_guard": {}, "timings": {"generation": 7.0}}

    monkeypatch.setattr("tools.check_drift.render_tail", rendered)
    out = tmp_path / "drift.md"
    options = ["check_drift", str(tmp_path / "calm.wav"), str(tmp_path / "wild.wav"), "-o", str(out), "--minutes", "2"]
    monkeypatch.setattr("sys.argv", options)
    main()
    text = out.read_text()
    assert made == [20.0, 20.0]
    assert "# Drift: 2 minutes from 20 s" in text
    assert next(line for line in text.splitlines() if line.startswith("| calm")).endswith("| yes | 7 |")
    assert next(line for line in text.splitlines() if line.startswith("| wild")).endswith("| no | 7 |")
    assert "75% of minutes within 1 dB" in text
    main()
    assert len(made) == 2
    assert out.read_text() == text
