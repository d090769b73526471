"""Tables of tools/check_order.py."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from audiogen.metrics.order import MEASURES
from tests.metrics.signals import RATE, recording
from tools import check_order


def row(name: str, candidate: str, value: float, applies: tuple[str, ...] = ("forecast", "pulse")) -> dict[str, Any]:
    return {
        "recording": name,
        "candidate": candidate,
        "seed": 0,
        "seconds": 10.0,
        "ratios": dict.fromkeys(MEASURES, value),
        "applies": {measure: measure in applies for measure in MEASURES},
        "contrast": dict.fromkeys(MEASURES, 2.0),
        "skill": 1 - value / 4,
        "movement": 1.1,
        "kept": 0.9,
        "tempo": -1.5,
        "shift": 20.0,
    }


def test_only_measures_that_apply_count() -> None:
    mixed = row("a", "real", 2.0)
    mixed["ratios"]["swells"] = 100.0
    mixed["ratios"]["forecast"] = 8.0
    assert check_order.overall(mixed) == pytest.approx(4.0)
    assert check_order.without_forecasts(mixed) == pytest.approx(2.0)
    assert np.isnan(check_order.overall(row("a", "real", 2.0, ())))


def test_the_page_says_what_is_structured_and_how_far_random_patches_are() -> None:
    rows = [row(name, candidate, value) for name in ("drums", "birds") for candidate, value in
            (("real", 1.0), ("default", 1.2), ("random-patches", 2.5))]  # fmt: skip
    rows += [row("rain", "real", 1.0, ("memory",)), row("rain", "random-patches", 9.0, ("memory",))]
    page = check_order.report(rows)
    assert "Structured: 2 of 3 (drums, birds). With a pulse: 2 (drums, birds)." in page
    overall = next(line for line in page.splitlines() if line.startswith("| random-patches"))
    assert overall.split(" | ")[-2:] == ["2.50 (2.50–2.50)", "2.50 (2.50–2.50) |"]
    assert "| drums | – | 1.00 | 1.20 | 2.50 | – |" in page, "without forecasts, by the pulse alone"
    counts = [line for line in page.splitlines() if line.startswith("| structured ones on which")]
    assert counts[0].split(" | ")[5:9] == ["–", "0 of 2", "–", "2 of 2"]
    assert counts[1].split(" | ")[1:5] == ["–", "0 of 2", "–", "2 of 2"]
    assert "| drums | – | 0.75 | 0.70 | 0.38 | – |" in page, "skill of segments, real, default, random patches, walk"
    kept = next(line for line in page.splitlines() if line.startswith("| kept of the real tail's"))
    assert kept.split(" | ")[3:5] == ["0.93 (0.93–0.93)", "0.50 (0.50–0.50)"]
    assert "| drums | default | 0.90 | 1.5 | 20 | 1.10 |" in page
    assert all(len(line) <= 120 for line in page.splitlines() if not line.startswith("|"))


def test_half_seconds_are_reordered_whole() -> None:
    ramp = recording(np.arange(4 * RATE // 2 + 5, dtype=np.float32)[None])
    back = check_order.reordered(ramp, "reversed", 0).samples[0]
    assert back[0] == 3 * RATE // 2
    assert back[-1] == RATE // 2 - 1
    assert sorted(check_order.reordered(ramp, "random", 1).samples[0]) == list(range(4 * RATE // 2))
