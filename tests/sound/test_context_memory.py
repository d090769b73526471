"""The memory of contexts knows what followed; its kernel is fitted to the recording."""

from __future__ import annotations

import torch

from audiogen.sound.context_fit import DEFAULT, fit_kernel
from audiogen.sound.context_memory import ContextKernel, ContextMemory, nearest_places, running_means

STEP_SECONDS = 0.1


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def cycle(length: int, period: int, seed: int = 0) -> torch.Tensor:
    """``[length, 6]`` latents that go through a cycle, slightly varied."""
    return noise(period, 6)[torch.arange(length) % period] + 0.1 * noise(length, 6, seed=seed + 1)


def read_all(memory: ContextMemory, latents: torch.Tensor) -> ContextMemory:
    for latent in latents:
        memory.read(latent)
    return memory


def test_the_distance_is_the_weighted_sum_over_the_patches_that_led_up_to_a_place() -> None:
    latents, tail, step = noise(50, 4), noise(9, 4, seed=1), 2
    memory = read_all(ContextMemory(latents, step, STEP_SECONDS, ContextKernel(0.7)), tail)
    expected = 0.7 ** len(tail) + sum(
        0.3 * 0.7**age * float((latents[40 - step * (age + 1)] - tail[-1 - age]).square().sum()) / memory.scale
        for age in range(len(tail))
    )
    torch.testing.assert_close(float(memory.distances()[40]), expected)


def test_what_followed_the_same_context_is_drawn() -> None:
    latents = cycle(200, 5)
    memory = read_all(ContextMemory(latents, 1, STEP_SECONDS, DEFAULT), cycle(13, 5, seed=7))
    generator = torch.Generator().manual_seed(0)
    assert {memory.draw(generator) % 5 for _ in range(30)} == {13 % 5}


def test_a_temperature_of_0_draws_the_nearest_place() -> None:
    latents = noise(100, 4)
    memory = read_all(ContextMemory(latents, 1, STEP_SECONDS, DEFAULT), noise(5, 4, seed=1))
    draws = [memory.draw(torch.Generator().manual_seed(seed), 0.0) for seed in range(5)]
    assert draws == [int(memory.distances().argmin())] * 5
    hot = {memory.draw(torch.Generator().manual_seed(seed), 10.0) for seed in range(50)}
    cool = {memory.draw(torch.Generator().manual_seed(seed), 0.1) for seed in range(50)}
    assert len(cool) < len(hot)


def test_nearest_places_are_apart() -> None:
    distances = torch.tensor([3.0, 1.0, 1.1, 1.2, 5.0, 2.0, 2.1, 9.0])
    places, values = nearest_places(distances, 3, 2)
    assert places.tolist() == [1, 3, 5]
    assert values.tolist() == [1.0, torch.tensor(1.2).item(), 2.0]
    assert len(nearest_places(distances, 20, 8)[0]) == 1


def test_running_means_see_the_patches_before_only() -> None:
    latents, step = noise(20, 3), 3
    means = running_means(latents, step, 0.5)
    later = torch.cat([latents[:9], latents[9:].flip(0)])
    torch.testing.assert_close(running_means(later, step, 0.5)[:12], means[:12])
    assert not torch.allclose(running_means(later, step, 0.5)[12:], means[12:])
    torch.testing.assert_close(means[9], 0.5 * means[6] + 0.5 * latents[6])


def test_the_slow_averages_are_compared_if_they_count() -> None:
    latents = torch.cat([noise(100, 4), noise(100, 4, seed=1) + 3])
    plain = ContextMemory(latents, 1, STEP_SECONDS, ContextKernel(0.0))
    slow = ContextMemory(latents, 1, STEP_SECONDS, ContextKernel(0.0, 1.0))
    tail = torch.cat([noise(60, 4, seed=2) + 3, latents[50:51]])  # loud for long, and then as quiet as the first half
    contrast = [
        float(memory.distances()[:100].mean() - memory.distances()[150:].mean())
        for memory in (read_all(plain, tail), read_all(slow, tail))
    ]
    assert contrast[0] < 0 < contrast[1]


def test_a_long_dependence_is_fitted_by_a_long_memory() -> None:
    # Each patch repeats, but for its sign, the one 12 patches earlier.
    latents = noise(600, 4)
    for index in range(12, len(latents)):
        latents[index] = 0.95 * latents[index - 12] + 0.2 * latents[index]
    assert fit_kernel(latents, 1, STEP_SECONDS).decay > DEFAULT.decay


def test_noise_and_short_material_have_the_default_kernel() -> None:
    assert fit_kernel(noise(40, 4), 1, STEP_SECONDS) == DEFAULT
    assert fit_kernel(noise(1, 4), 1, STEP_SECONDS) == DEFAULT
    assert fit_kernel(noise(1500, 4), 1, STEP_SECONDS) == DEFAULT
