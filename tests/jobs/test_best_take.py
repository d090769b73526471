"""Best of several takes: the take that is nearest to the recording is chosen, and written by its seed."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from audiogen.audio import AudioWarning, Recording
from audiogen.errors import InputError
from audiogen.jobs.best_take import (
    TakeScore,
    best_take,
    choose_take,
    describe_choice,
    seeds_of_takes,
    summarise_choice,
)
from audiogen.jobs.continuer_choice import AnyContinuer
from audiogen.jobs.prepare_tail import prepare_tails
from audiogen.jobs.request import Request
from audiogen.jobs.tail_file import tail_blocks
from audiogen.run import Run
from audiogen.sound.continuation import Continuer
from audiogen.sound.limits import MAX_SEED
from audiogen.sound.prompt_analysis import PromptParts
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


def test_what_did_not_choose_is_reported_beside() -> None:
    _, entry = best_take(MATERIAL, REQUEST, 3, blocks)
    chosen = next(take for take in entry["takes"] if take["seed"] == GOOD_SEED)
    others = [take["scattering"] for take in entry["takes"]]
    assert entry["unseen_gain"] == pytest.approx(np.mean(others) - chosen["scattering"])
    assert entry["unseen_gain"] > 0.5
    unlike = TakeScore(7, order=1.0, texture=1.0, scattering=9.0)
    assert describe_choice(unlike, [unlike, TakeScore(8, 2.0, 2.0, 1.0)])["unseen_gain"] == pytest.approx(-4.0)


def test_takes_are_made_side_by_side_in_the_order_of_their_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of three takes waits for the two others to begin; the last one warns, which is not passed on."""
    monkeypatch.setattr("audiogen.jobs.best_take.count_threads", lambda takes: 3)
    all_begun = threading.Barrier(3, timeout=60)

    def waiting(request: Request) -> Iterator[np.ndarray]:
        all_begun.wait()
        warnings.warn("each take says so", AudioWarning, stacklevel=2)
        yield from blocks(request)

    _, entry = best_take(MATERIAL, REQUEST, 3, waiting)
    assert entry == best_take(MATERIAL, REQUEST, 3, blocks)[1]


def test_a_take_that_fails_stops_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audiogen.jobs.best_take.count_threads", lambda takes: 2)
    endless = threading.Event()

    def failing(request: Request) -> Iterator[np.ndarray]:
        if request.seed == REQUEST.seed:
            endless.wait(60)
            raise InputError("take", "it fails")
        while True:
            endless.set()
            yield np.zeros((1, 1), np.float32)

    with pytest.raises(InputError, match="it fails"):
        best_take(MATERIAL, replace(REQUEST, seconds=1000.0), 2, failing)
    assert not any(thread.name.startswith("take") for thread in threading.enumerate())


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


def test_each_take_has_an_account_of_its_own(untrained: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes that share a density or a pause would disturb each other, and the tail that is written afterwards."""
    prompt = synthetic(6.0, seed=0, rate=RATE)
    request = replace(REQUEST, density=2.0, pulse=False)
    parts, shared = prepare_tails(prompt, [request], run=untrained(prompt)).tail(request)
    made: list[AnyContinuer | None] = []

    def noted(parts: PromptParts, continuer: AnyContinuer | None, *more: Any) -> Iterator[np.ndarray]:
        made.append(continuer)
        return tail_blocks(parts, continuer, *more)

    monkeypatch.setattr("audiogen.jobs.best_take.tail_blocks", noted)
    chosen, _ = choose_take(parts, shared, request, 3)
    assert chosen.seed in seeds_of_takes(request.seed, 3)
    continuers = [each for each in made if isinstance(each, Continuer)]
    assert len({id(each.densities[""]) for each in continuers}) == len(continuers) == 3
    assert isinstance(shared, Continuer)
    assert not shared.densities
    with pytest.raises(CancelledError):  # all is over
        continuers[0].pause()
