"""tools/check_reinforcement.py: shares of the headroom, relative costs, and gains over all seeds."""

from __future__ import annotations

from typing import Any

from tools.check_reinforcement import Row, table


def row(method: str, seed: int, reward: float, **more: Any) -> Row:
    values: dict[str, Any] = {
        "rewards": [reward - 0.1, reward + 0.1],
        "best": [],
        "nats": 2.0,
        "nats_of_real": 3.0,
        "divergence": 0.0,
        "diversity": 0.8,
        "ratios": {"polyphony": 1.0, "pitch_range": 1.2, "intervals": None},
        "copied": [4, 6, 9],
    }
    return Row("fiddle", method, seed, **(values | more))


def test_headroom_costs_and_gains() -> None:
    rows = [
        row("base", 0, 0.4, best=[0.8, 0.8]),
        row("base", 1, 0.4),
        row("rloo", 0, 0.6, nats=2.2, diversity=0.6, divergence=0.1),
        row("rloo", 1, 0.7, ratios={"polyphony": 1.0, "pitch_range": 2.0, "intervals": 3.0}),
    ]
    lines = table("fiddle", rows)
    [first] = [line for line in lines if line.startswith("| rloo | 0 |")]
    assert "| 0.600 (0.500 to 0.700) | 50 % | 0.100 | 2.20 (+10 %) | 3.00 | 1.10 | 1.20 pitch_range |" in first
    assert first.endswith("| 0.60 (75 %) | 6 | 9 |")
    [second] = [line for line in lines if line.startswith("| rloo | 1 |")]
    assert "| 75 % |" in second
    assert "| 2.00 | 3.00 intervals |" in second
    assert "| rloo | 2 | +0.250 (+0.250 to +0.250) | 62 % (62 to 62) |" in lines


def test_nothing_is_said_without_the_search() -> None:
    assert table("fiddle", [row("rloo", 0, 0.6)]) == []
    assert table("chorales", [row("base", 0, 0.4, best=[0.8, 0.8])]) == []
