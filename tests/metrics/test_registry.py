"""Metrics of other packages: registered by name, reported for each candidate."""

from __future__ import annotations

import pytest

from audiogen.errors import InputError
from audiogen.metrics.evaluation import evaluate
from audiogen.metrics.registry import METRICS, Metric
from tests.metrics.signals import RATE, modulated, recording


@pytest.fixture
def registered():
    @METRICS.register("peak")
    class Peak(Metric):
        def __call__(self, tail):
            top = float(abs(tail.samples).max())
            return {"peak": top, "over": top / float(abs(self.reference.samples).max()), "none": float("nan")}

    @METRICS.register("refuses")
    class Refuses(Metric):
        def __init__(self, reference, prompt=None):
            raise InputError("the reference", "is too short", "give a longer one")

        def __call__(self, tail):
            raise AssertionError

    yield
    del METRICS["peak"], METRICS["refuses"]


def test_a_registered_metric_is_reported_for_each_candidate(registered, tmp_path):
    whole = modulated(16, 1, 1.5)
    prompt, tail, real = (recording(whole[:, a * RATE : b * RATE]) for a, b in ((0, 6), (6, 11), (11, 16)))
    evaluation = evaluate(tail, real, prompt, baselines=["noise"])
    rows = evaluation.rows()
    assert [row["candidate"] for row in rows] == ["output", "real", "noise"]
    assert rows[0]["peak"] == pytest.approx(float(abs(tail.samples).max()))
    assert rows[1]["peak.over"] == 1.0
    assert not any(key.startswith(("refuses", "peak.none")) for key in rows[0])
    assert "peak.over" in evaluation.table()
    assert evaluation.as_dict()["candidates"][0]["peak"] == rows[0]["peak"]
