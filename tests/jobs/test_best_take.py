"""Best of several takes: the take that is nearest to the recording is chosen, and written by its seed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from audiogen.audio import Recording
from audiogen.jobs.best_take import TakeScore, best_take, seeds_of_takes, summarise_choice
from audiogen.jobs.request import MAX_SEED, Request
from tests.conftest import synthetic

RATE = 16_000
MATERIAL = synthetic(6.0, seed=0, rate=RATE)
REQUEST = Request(seconds=2.0, seed=3)
GOOD_SEED = 1003
TEXTURE = synthetic(2.0, seed=9, rate=RATE).samples


def blocks(request: Request) -> Iterator[np.ndarray]:
    """The recording's own texture for one seed, a hiss for all others."""
    hiss = 0.1 * np.random.default_rng(request.seed).standard_normal(TEXTURE.shape).astype(np.float32)
    samples = TEXTURE if request.seed == GOOD_SEED else hiss
    yield from np.array_split(samples, 3, axis=1)


def test_the_take_nearest_to_the_recording_is_chosen() -> None:
    request, entry = best_take(MATERIAL, REQUEST, 3, blocks)
    assert request == replace(REQUEST, seed=GOOD_SEED)
    assert [take["seed"] for take in entry["takes"]] == [3, 1003, 2003]
    assert entry["gain"] == pytest.approx(entry["mean"]["distance"] - entry["distance"])
    assert entry["gain"] > 0.5
    assert "best of 3 takes, seed 1003: " in summarise_choice(entry)


def test_a_take_too_short_to_judge_is_the_first() -> None:
    request, entry = best_take(
        Recording(MATERIAL.samples[:, : RATE // 2], RATE), replace(REQUEST, seconds=0.1), 2, lambda _: iter([TEXTURE])
    )
    assert request.seed == REQUEST.seed
    assert entry["distance"] == 1
    assert "too short" in summarise_choice(entry)


def test_the_distance_is_the_geometric_mean_of_what_was_measured() -> None:
    assert TakeScore(0, 2.0, 0.5).distance == pytest.approx(1.0)
    assert TakeScore(0, None, 0.5).distance == pytest.approx(0.5)
    assert TakeScore(0, None, None).distance == 1


def test_seeds_of_takes_differ_from_those_of_variations() -> None:
    seeds = [seed for variation in range(999) for seed in seeds_of_takes(variation, 99)]
    assert len(set(seeds)) == len(seeds)
    assert max(seeds_of_takes(MAX_SEED, 99)) <= MAX_SEED
