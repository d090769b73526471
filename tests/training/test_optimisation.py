"""Optimisers find minima, and schedules have their shapes."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import get_args, get_type_hints

import pytest
import torch

from audiogen.experiment import Training
from audiogen.models.backbones import BACKBONES
from audiogen.models.backbones.recurrent import RecurrentOptions
from audiogen.models.backbones.transformer import TransformerOptions
from audiogen.training.optimisation import MEASURED_STEPS, OPTIMIZERS, SCHEDULES, Plateau, rate_factor

OPTIONS = Training(warmup=20)


def rates(schedule: str, schedule_steps: int = 420, **changes: object) -> list[float]:
    options = replace(OPTIONS, schedule=schedule, **changes)  # type: ignore[arg-type]
    return [rate_factor(options, step, schedule_steps) for step in range(schedule_steps + 50)]


def test_the_tables_have_the_keys_of_the_configuration():
    hints = get_type_hints(Training)
    assert set(OPTIMIZERS) == set(get_args(hints["optimizer"]))
    assert set(SCHEDULES) == set(get_args(hints["schedule"]))


@pytest.mark.parametrize("name", list(OPTIMIZERS))
def test_every_optimiser_finds_a_minimum(name: str):
    weight = torch.nn.Parameter(torch.tensor([3.0, -2.0]))
    optimizer = OPTIMIZERS[name]([weight], 0.05, 0.0)
    for _ in range(200):
        optimizer.zero_grad()
        weight.square().sum().backward()
        optimizer.step()
    assert weight.detach().abs().max() < 0.1


@pytest.mark.parametrize("name", list(OPTIMIZERS))
def test_weight_decay_pulls_to_zero(name: str):
    ends = []
    for decay in (0.0, 0.5):
        weight = torch.nn.Parameter(torch.tensor([1.0]))
        optimizer = OPTIMIZERS[name]([weight], 0.01, decay)
        for _ in range(10):
            optimizer.zero_grad()
            (0 * weight).sum().backward()
            optimizer.step()
        ends.append(float(weight.detach()))
    assert ends[0] == 1.0
    assert ends[1] < 0.99


@pytest.mark.parametrize("schedule", list(SCHEDULES))
def test_the_warm_up_is_linear(schedule: str):
    found = rates(schedule)
    steps = [later - earlier for earlier, later in itertools.pairwise(found[:21])]
    assert found[0] == pytest.approx(1 / 21)
    assert all(step == pytest.approx(1 / 21) for step in steps)
    assert found[20] == 1.0 == max(found)


def test_cosine_falls_to_two_percent_and_stays():
    found = rates("cosine")
    assert all(later <= earlier for earlier, later in itertools.pairwise(found[20:421]))
    assert found[220] == pytest.approx(0.51, abs=0.001)
    assert found[420] == found[469] == pytest.approx(0.02)


def test_step_falls_to_a_tenth_at_each_third():
    found = rates("step")
    for step, expected in ((20, 1), (152, 1), (154, 0.1), (285, 0.1), (288, 0.01), (469, 0.01)):
        assert found[step] == pytest.approx(expected), step


@pytest.mark.parametrize("schedule", ["constant", "plateau"])
def test_constant_stays(schedule: str):
    assert set(rates(schedule)[20:]) == {1.0}


@pytest.mark.parametrize("schedule", list(SCHEDULES))
def test_without_a_warm_up_the_first_rate_is_the_peak(schedule: str):
    assert rates(schedule, warmup=0)[0] == 1.0


@pytest.mark.parametrize("schedule", list(SCHEDULES))
@pytest.mark.parametrize("warmup", [0, 5, 40])
def test_early_rates_do_not_depend_on_the_end_of_the_schedule(schedule: str, warmup: int):
    options = replace(OPTIONS, schedule=schedule, warmup=warmup)  # type: ignore[arg-type]
    for step in range(MEASURED_STEPS + 1):
        assert rate_factor(options, step, 17) == rate_factor(options, step, 10**6)


def test_a_schedule_may_end_within_the_warm_up():
    assert rate_factor(OPTIONS, 19, 5) == pytest.approx(20 / 21)
    assert rate_factor(OPTIONS, 25, 5) == pytest.approx(0.02)


def test_plateau_halves_after_losses_without_improvement():
    plateau = Plateau(patience=2)
    factors = []
    for improved in (True, True, False, False, True, False, False, False, False):
        plateau.step(improved)
        factors.append(plateau.factor)
    assert factors == [1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.125]


@pytest.mark.parametrize("name", list(OPTIMIZERS))
@pytest.mark.parametrize("kind", ["lstm", "transformer"])
def test_single_steps_follow_an_optimiser(name: str, kind: str) -> None:
    """Weights packed for single steps are those after the latest optimiser step, as rollouts in training need."""
    torch.manual_seed(0)
    options = {"lstm": RecurrentOptions(16, 1), "transformer": TransformerOptions(16, 2, 2, 6)}[kind]
    backbone = BACKBONES[kind](4, options).eval()
    optimizer = OPTIMIZERS[name](backbone.parameters(), 0.1, 0.0)
    sequence = torch.randn(2, 3, 4)
    for _ in range(2):
        with torch.no_grad():
            _, state = backbone(sequence[:, :2])
            stepped, _ = backbone(sequence[:, 2:], state)
            torch.testing.assert_close(stepped, backbone(sequence)[0][:, 2:], rtol=1e-4, atol=1e-5)
        optimizer.zero_grad()
        backbone(sequence)[0].square().mean().backward()
        optimizer.step()
