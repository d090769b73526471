"""The memory of contexts knows what followed."""

from __future__ import annotations

from itertools import pairwise

import torch

from audiogen.sound.context_memory import DECAYS, ContextMemory, ContextSkill, nearest_places

SKILL = ContextSkill(torch.tensor([0.4, 0.6]), 22.0)


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
    memory = read_all(ContextMemory(latents, step, SKILL), tail)
    expected = []
    for decay in DECAYS:
        expected.append(decay ** len(tail))
        for age in range(len(tail)):
            distance = float((latents[40 - step * (age + 1)] - tail[-1 - age]).square().sum()) / memory.scale
            expected[-1] += (1 - decay) * decay**age * distance
    torch.testing.assert_close(memory.sums[:, 40], torch.tensor(expected), rtol=1e-5, atol=0)
    torch.testing.assert_close(memory.distances, 0.4 * memory.sums[0] + 0.6 * memory.sums[1])


def test_a_place_in_a_loop_is_found_beneath_what_is_mixed_with_it() -> None:
    period, step = 70, 1
    latents = noise(period, 6)[torch.arange(420) % period] + 1.2 * noise(420, 6, seed=5)
    memory, drawn = ContextMemory(latents[:350], step, SKILL), list[bool]()
    for time in range(150, 420):  # of a tail that goes through the loop again
        if time >= 350:
            drawn.append((memory.draw(torch.Generator().manual_seed(time), 0.0) - time) % period == 0)
        memory.read(noise(period, 6)[time % period] + 1.2 * noise(420, 6, seed=6)[time])
    assert sum(drawn) >= 0.9 * len(drawn)


def followed(skill: ContextSkill) -> float:
    """Fraction of the places that are the one after the latest, in a tail of a cycle."""
    latents = cycle(200, 5)
    generator, follows = torch.Generator().manual_seed(0), list[bool]()
    for start in range(10, 30):
        memory = read_all(ContextMemory(latents, 1, skill), cycle(start, 5, seed=7))
        places = []
        for _ in range(40):
            places.append(memory.follow(generator))
            memory.read(latents[places[-1]])
        follows += [later == earlier + 1 for earlier, later in pairwise(places)]
    return sum(follows) / len(follows)


def test_a_place_is_followed_while_its_context_is_near() -> None:
    assert 0.9 < followed(SKILL) < 1.0, "it is left now and then"
    assert followed(SKILL._replace(mean_followed=1.0)) < 0.8, "where forecasts do not hold, it is left at once"


def test_a_place_is_left_when_its_context_is_far() -> None:
    memory, generator = ContextMemory(noise(400, 6), 1, SKILL), torch.Generator().manual_seed(0)
    for place in range(10, 60):
        memory.place, memory.distances = place, torch.ones(400).index_fill(0, torch.tensor([300]), 0.5)
        memory.distances[place + 1] = 1.5
        assert memory.follow(generator, 0.0) == 300


def test_a_temperature_of_0_draws_the_nearest_place() -> None:
    latents = noise(100, 4)
    memory = read_all(ContextMemory(latents, 1, SKILL), noise(5, 4, seed=1))
    draws = [memory.draw(torch.Generator().manual_seed(seed), 0.0) for seed in range(5)]
    assert draws == [int(memory.distances.argmin())] * 5
    hot = {memory.draw(torch.Generator().manual_seed(seed), 10.0) for seed in range(50)}
    cool = {memory.draw(torch.Generator().manual_seed(seed), 0.1) for seed in range(50)}
    assert len(cool) < len(hot)


def test_nearest_places_are_apart() -> None:
    distances = torch.tensor([3.0, 1.0, 1.1, 1.2, 5.0, 2.0, 2.1, 9.0])
    places, values = nearest_places(distances, 3, 2)
    assert places.tolist() == [1, 3, 5]
    assert values.tolist() == [1.0, torch.tensor(1.2).item(), 2.0]
    assert len(nearest_places(distances, 20, 8)[0]) == 1
