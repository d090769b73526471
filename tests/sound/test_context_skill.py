"""Contexts are worth what they foretell within the recording."""

from __future__ import annotations

import torch

from audiogen.sound.context_memory import ContextSkill
from audiogen.sound.context_skill import HORIZON, context_skill, forecast_skill

STEP = 2  # places from one patch to the next


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def places(patches: torch.Tensor) -> torch.Tensor:
    """Latents at all places of patches ``[time, latent]``, each of them `STEP` times."""
    return patches.repeat_interleave(STEP, dim=0)


def with_memory(time: int, keep: float, seed: int = 0) -> torch.Tensor:
    """``[time, 8]`` latents of an autoregression of first order, of which a patch keeps ``keep`` of the one before."""
    latents = [noise(8, seed=seed)]
    for each in noise(time - 1, 8, seed=seed + 1):
        latents.append(keep * latents[-1] + (1 - keep**2) ** 0.5 * each)
    return torch.stack(latents)


def skill_of(patches: torch.Tensor) -> ContextSkill:
    return context_skill(places(patches), STEP)


def test_noise_has_no_order_to_be_kept() -> None:
    for seed in range(3):
        assert float(forecast_skill(places(noise(300, 8, seed=seed)), STEP)[:, 1:].max()) < 0.05
        assert skill_of(noise(300, 8, seed=seed)).mean_followed < 2.0


def test_the_skill_is_the_part_of_the_variance_that_the_course_has() -> None:
    """With as much noise as loop, the forecast that knows the place saves the loop's half."""
    loop = noise(40, 8)[torch.arange(400) % 40]
    skill = forecast_skill(places(loop + noise(400, 8, seed=3)), STEP)
    assert 0.4 < float(skill[1].min()) <= float(skill[1].max()) < 0.5
    assert float(forecast_skill(places(loop), STEP).min()) > 0.97, "1 but for its standard error"


def test_a_loop_beneath_noise_is_followed_by_its_long_context() -> None:
    loop = noise(70, 8)[torch.arange(420) % 70]
    skill = skill_of(loop + 1.4 * noise(420, 8, seed=5))
    assert skill.mean_followed > 0.8 * HORIZON
    assert float(skill.weights[1]) > 0.5, "and half a second does not always find the place"
    torch.testing.assert_close(skill.weights.sum(), torch.tensor(1.0))


def test_what_is_soon_forgotten_is_followed_as_long() -> None:
    short, long = (skill_of(with_memory(500, keep)) for keep in (0.6, 0.95))
    assert 1.0 <= short.mean_followed < 3.0
    assert 5.0 < long.mean_followed < HORIZON
    assert float(short.weights[1]) < 0.3, "half a second foretells as much as can be foretold"


def test_a_recording_that_is_too_short_to_tell_is_taken_for_noise() -> None:
    for length in (1, 5, HORIZON, HORIZON + 7):
        skill = skill_of(with_memory(length, 0.95))
        assert skill.mean_followed == 1.0
        torch.testing.assert_close(skill.weights, torch.tensor([1.0, 0.0]))
