"""Tables of tools/check_evaluation.py and features of tools/check_synthetic_textures.py."""

from __future__ import annotations

from typing import Any

import numpy as np

from audiogen.metrics.waveform_baselines import BASELINES
from tests.metrics.signals import modulated, noise, recording
from tools import check_evaluation, check_synthetic_textures


def test_pasted_fraction() -> None:
    prompt, fresh = recording(noise(10, 1)), recording(noise(40, 2))
    for share in check_evaluation.PASTES:
        samples = check_evaluation.pasted(prompt, fresh, share, 0).samples
        assert np.mean(samples != fresh.samples) == share if share else np.array_equal(samples, fresh.samples)


def test_summary_of_real_against_real() -> None:
    def rows(*pairs: tuple[float, float]) -> dict[str, Any]:
        classes = dict.fromkeys(check_evaluation.CLASSES, 1.0)
        both = [[{"overall": value, "scattering": 2 * value, **classes} for value in pair] for pair in pairs]
        return {f"r{number}": {"seconds": 20.0, "real": pair} for number, pair in enumerate(both)}

    good = check_evaluation.real_section(rows((1.1, 0.9), (0.5, 1.9)))
    assert "mean 1.10, median 1.00" in good
    assert "50% lie within 0.8 to 1.2" in good
    assert "By scattering moments, the second opinion: mean 2.20, median 2.00" in good
    assert "outside: r1. Is the mean within 1.0 ± 0.2? Yes; without the first row it is 1.00." in good
    assert "outside: none" in check_evaluation.real_section(rows((1.0, 1.1)))
    assert "1.0 ± 0.2? No" in check_evaluation.real_section(rows((1.6, 1.1), (1.0, 1.4)))


def test_faults_are_visible_in_their_measures_only() -> None:
    row: dict[str, Any] = {"original": {"copied": 0.5, "looped": 0.0}, "baselines": {}}
    for name in BASELINES:
        classes = dict.fromkeys(check_evaluation.CLASSES, 1.0)
        row["baselines"][name] = {"overall": 1.0, "copied": 0.52, "looped": 0.9, **classes}
    row["baselines"]["noise"]["modulation"] = 1.5
    found = {(kind, fault): verdict for kind, fault, _, verdict in check_evaluation.visible({"rain": row})}
    assert found["loop", "looped"] == "yes (1 of 1)"
    assert found["loop", "copied"] == "no (0 of 1)"  # the real audio copies as much
    assert found["noise", "modulation"] == "yes (1 of 1)"
    assert found["noise", "moments"] == "no (0 of 1)"


def test_features_of_a_texture() -> None:
    found, pulsing = (
        check_synthetic_textures.features(recording(samples)) for samples in (noise(4, 1), modulated(4, 1, 4.0))
    )
    assert all(np.isfinite(value) for name, value in found.items() if name != "correlation of channels")
    assert pulsing["modulation at 4 Hz (dB)"] > found["modulation at 4 Hz (dB)"] + 6
