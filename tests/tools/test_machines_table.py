"""Machines of tools/check_machines.py: their strokes, and the period that is found in them."""

from __future__ import annotations

import numpy as np
import pytest

from audiogen.metrics.order_features import audible_power, order_features
from audiogen.rhythm.analysis import analyse_rhythm
from tests.metrics.signals import RATE, noise, recording
from tools import check_machines


def stroke() -> np.ndarray:
    samples = 0.001 * noise(1.0, 0)
    samples[..., RATE // 2 : RATE // 2 + RATE // 20] *= 500
    return samples


@pytest.mark.parametrize(("machine", "period"), [("clock", 0.5), ("hooves", 0.55)])
def test_the_period_of_a_machine_of_strokes_is_found(machine: str, period: float) -> None:
    made = check_machines.machine_of(machine, recording(stroke()))
    assert made.seconds == pytest.approx(check_machines.MACHINE_SECONDS)
    rhythm = analyse_rhythm(made)
    assert rhythm is not None
    assert rhythm.pulse.period == pytest.approx(period, rel=0.01)


def test_the_locomotive_accelerates() -> None:
    times, _ = check_machines.times_of("locomotive", np.random.default_rng(0))
    gaps = np.diff(times)
    assert gaps[40:60].mean() < 0.98 * gaps[:20].mean()


def test_a_machine_keeps_its_own_pulse_and_noise_does_not() -> None:
    made = check_machines.machine_of("clock", recording(stroke()))
    floor = audible_power(made)
    features = [order_features(each, floor) for each in (made, recording(noise(8.0, 1)))]
    same, other = (check_machines.kept(features[0], [each], 0.5).split(" / ") for each in features)
    assert float(same[0]) == pytest.approx(1.0)
    assert float(other[0]) < 0.3
