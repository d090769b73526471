"""Patch selection: the nearest patch of the source, without copies and loops, at the source's mean and variance."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from audiogen.errors import InputError
from audiogen.representation.mel_latents import MelLatents, MelOptions
from audiogen.sound.patch_selection import LOCKOUT_SECONDS, MAX_RUN_SECONDS, PatchSelector, Rules, _stride

PATCH, BANDS = 4, 128


@pytest.fixture
def frames() -> Tensor:
    torch.manual_seed(0)
    return torch.randn(3000, BANDS).cumsum(0) * 0.05 + torch.randn(3000, BANDS)


@pytest.fixture
def representation(frames: Tensor) -> MelLatents:
    return MelLatents.fit(MelOptions(channels=1, patch=PATCH, latents=16), [frames])


def test_a_patch_of_the_source_finds_itself(frames: Tensor, representation: MelLatents) -> None:
    for start in (0, 17, 1203, len(frames) - PATCH):
        selection = PatchSelector(representation, frames, frames.mean(0), target_gain=1.0)
        latent = representation.encode(frames[start : start + PATCH], frames.mean(0))[0]
        assert torch.equal(selection.frames_at(selection.choose(latent)), frames[start : start + PATCH])


def test_channels_that_are_not_modelled_follow(frames: Tensor, representation: MelLatents) -> None:
    further = torch.arange(len(frames)).float()[:, None].expand(-1, BANDS)
    selection = PatchSelector(representation, torch.cat([frames, further], dim=1), frames.mean(0), target_gain=1.0)
    latent = representation.encode(frames[40 : 40 + PATCH], frames.mean(0))[0]
    assert selection.frames_at(selection.choose(latent))[:, BANDS].tolist() == [40, 41, 42, 43]


def test_lockout_and_longest_run(frames: Tensor, representation: MelLatents) -> None:
    """The latents of the source itself, in order and repeated, must not reproduce it."""
    selection = PatchSelector(representation, frames, frames.mean(0))
    lockout = round(LOCKOUT_SECONDS / representation.step_seconds)
    latents = representation.encode(frames[: 40 * PATCH], frames.mean(0)).repeat(12, 1)
    starts = []
    for latent in latents:
        selection.choose(latent)
        starts.append(selection.last)
    run = longest = 1
    for index, start in enumerate(starts):
        earlier = starts[max(0, index - lockout) : index]
        assert all(abs(start - other) >= PATCH for other in earlier)
        run = run + 1 if index and start == starts[index - 1] + PATCH else 1
        longest = max(longest, run)
    assert 2 <= longest <= MAX_RUN_SECONDS / representation.step_seconds


def test_a_biased_mean_is_corrected(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    noise = torch.randn(3000, BANDS)
    representation = MelLatents.fit(MelOptions(channels=1, patch=PATCH, latents=2), [noise])
    latents = representation.encode(noise[: 160 * PATCH], noise.mean(0)) + torch.tensor([1.0, 0.0])

    def offset(feedback: float) -> float:
        monkeypatch.setattr("audiogen.sound.patch_selection.MEAN_FEEDBACK", feedback)
        monkeypatch.setattr("audiogen.sound.patch_selection.MEAN_SECONDS", 1.0)
        selection = PatchSelector(representation, noise, noise.mean(0), target_gain=1.0)
        chosen = torch.stack([selection.latents[selection.choose(latent)] for latent in latents])
        return float((chosen[80:].mean(0) - selection.mean)[0])

    assert offset(0.0) > 0.7
    assert offset(2.0) < 0.5 * offset(0.0)


@pytest.mark.parametrize("temperature", [0.7, 1.0])
@pytest.mark.parametrize("spread_factor", [0.6, 1.0, 1.5])
def test_the_variance_of_the_selection_follows_the_temperature(
    frames: Tensor, representation: MelLatents, temperature: float, spread_factor: float
) -> None:
    """Although nearest neighbours shrink the variance, and a Model's draws may vary too little or too much."""
    torch.manual_seed(1)
    selection = PatchSelector(representation, frames, frames.mean(0), temperature)
    spread = spread_factor * math.sqrt(temperature) * selection.latents.std(0)
    latents = selection.latents.mean(0) + spread * torch.randn(500, 16)
    chosen = torch.stack([selection.searched[selection.choose(latent)] for latent in latents])[100:]
    variance = float((chosen - selection.searched.mean(0)).square().sum(1).mean())
    assert variance / float(selection.searched.var(0).sum()) == pytest.approx(temperature, rel=0.2)


def test_at_a_temperature_of_0_typical_patches_are_selected(frames: Tensor, representation: MelLatents) -> None:
    selection = PatchSelector(representation, frames, frames.mean(0), temperature=0.0)
    near = selection.searched - selection.searched.mean(0)
    typical = near.square().sum(1).argsort()
    latents = selection.latents.mean(0) + selection.latents.std(0) * torch.randn(5, 16)
    chosen = [selection.choose(latent) for latent in latents]
    assert chosen[0] == int(typical[0])
    assert near[chosen].square().sum(1).mean() < 0.6 * near.square().sum(1).mean()


def test_a_source_of_one_patch_has_no_choice(frames: Tensor, representation: MelLatents) -> None:
    selection = PatchSelector(representation, frames[:PATCH], frames.mean(0))
    assert [selection.choose(torch.zeros(16)) for _ in range(3)] == [0, 0, 0]
    with pytest.raises(InputError, match="longer"):
        PatchSelector(representation, frames[: PATCH - 1], frames.mean(0))


def test_a_patch_knows_its_position_in_the_source(frames: Tensor, representation: MelLatents) -> None:
    selection = PatchSelector(representation, frames, frames.mean(0))
    for _ in range(5):
        latent, patch = selection.lookup(torch.randn(16))
        assert patch.start == selection.last
        assert torch.equal(patch.frames, frames[patch.start : patch.start + PATCH])
        expected = representation.encode(patch.frames, frames.mean(0))[0]
        torch.testing.assert_close(latent, expected, atol=1e-4, rtol=1e-4)


def test_a_further_cost_decides_and_excludes(frames: Tensor, representation: MelLatents) -> None:
    """What a caller knows, such as a grid of beats, is one more cost."""
    selection = PatchSelector(representation, frames, frames.mean(0))
    steps: list[int] = []

    def cost() -> Tensor:
        steps.append(selection.step)
        return torch.where(selection.starts % 100 == 50, 0.0, torch.inf)

    selection.costs.append(cost)
    for latent in representation.encode(frames[: 5 * PATCH], frames.mean(0)):
        selection.choose(latent)
        assert selection.last % 100 == 50
    assert steps == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(("run_seconds", "longest"), [(0.25, 5), (0.5, 10)])
def test_rules_bound_verbatim_runs(
    frames: Tensor, representation: MelLatents, run_seconds: float, longest: int
) -> None:
    rules = Rules(run_seconds, copy_threshold=2.0, repetition_threshold=2.0)
    selection = PatchSelector(representation, frames, frames.mean(0), 1.0, rules, target_gain=1.0)
    starts = []
    for latent in representation.encode(frames[: 60 * PATCH], frames.mean(0)):
        selection.choose(latent)
        starts.append(selection.last)
    runs = "".join("x" if later == earlier + PATCH else " " for earlier, later in pairwise(starts)).split()
    assert max(map(len, runs)) + 1 == longest


def test_long_material_is_thinned_to_patches_that_follow_one_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audiogen.sound.patch_selection.MAX_PATCHES", 100)
    assert [_stride(frames, 8) for frames in (150, 199, 200, 400, 700, 900, 10**6)] == [1, 1, 2, 4, 4, 8, 8]
