"""Of several takes the one nearest the recording is kept, and nothing else about a tail changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from audiogen.audio import Recording
from audiogen.errors import InputError
from audiogen.evaluation.judge import Judge
from audiogen.generation.continuation import Continuer
from audiogen.generation.handles import Handles
from audiogen.jobs.audition import SEEDS_APART, audition
from audiogen.jobs.continuing import continue_recording
from audiogen.jobs.request import Request
from audiogen.pretrained import base

Texture = Callable[..., Recording]
RATE = 44100


class Takes:
    """Stands in for a Continuer: the take of each seed is given."""

    def __init__(self, prompt: Recording, takes: dict[int, np.ndarray]) -> None:
        self.prompt, self.takes = prompt, takes

    def tail(self, length: int, seed: int, temperature: float, handles: Handles) -> Iterator[np.ndarray]:
        yield self.takes[seed][:, :length]


@pytest.fixture
def noises() -> tuple[Recording, dict[int, np.ndarray]]:
    """A prompt of steady noise, and takes of which the second is like it: others pulse, are a copy, or loop."""
    draw = np.random.default_rng(0).standard_normal((1, 12 * RATE)).astype(np.float32) * 0.1
    prompt, new = draw[:, : 8 * RATE], draw[:, 8 * RATE :]
    pulse = 1 + np.sin(2 * np.pi * 3 * np.arange(new.shape[1]) / RATE, dtype=np.float32)
    every = [new * pulse, new, prompt[:, : new.shape[1]], np.tile(new[:, : RATE // 2], 8)]
    return Recording(prompt, RATE), {7 + k * SEEDS_APART: take.astype(np.float32) for k, take in enumerate(every)}


def test_the_take_that_is_most_like_the_prompt_is_kept(noises: tuple[Recording, dict[int, np.ndarray]]) -> None:
    prompt, takes = noises
    request = Request(seconds=4.0, seed=7)
    heard = audition(Takes(prompt, takes), Judge(prompt), request, 4)  # type: ignore[arg-type]
    assert heard.seed == 7 + SEEDS_APART
    assert heard.distances[1] == min(heard.distances)
    assert min(heard.distances[2:]) > heard.distances[1] + 1, "copies and loops count as far"
    kept = next(heard.tail(Takes(prompt, takes), 3 * RATE, request))  # type: ignore[arg-type]
    assert np.array_equal(kept, takes[heard.seed][:, : 3 * RATE])


def test_one_take_and_what_is_bent_are_left_alone(noises: tuple[Recording, dict[int, np.ndarray]]) -> None:
    prompt, takes = noises
    stand_in, judge = Takes(prompt, takes), Judge(prompt)
    for request, count in [
        (Request(seed=7), 1),
        (Request(seed=7, temperature=2.0), 4),
        (Request(seed=7, density=1), 4),
    ]:
        heard = audition(stand_in, judge, request, count)  # type: ignore[arg-type]
        assert (heard.seed, heard.distances, heard.samples) == (7, (), None)


def test_a_tail_beyond_what_was_heard_begins_with_it(texture: Texture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audiogen.jobs.audition.SECONDS", 1.0)
    prompt = texture(3.0)
    continuer = Continuer(base(), prompt)
    request = Request(seconds=2.0, seed=3)
    heard = audition(continuer, Judge(prompt), request, 2)
    assert heard.samples is not None
    assert len(heard.distances) == 2
    tail = np.concatenate(list(heard.tail(continuer, 2 * prompt.sample_rate, request)), axis=1)
    assert tail.shape[1] == 2 * prompt.sample_rate
    assert np.array_equal(tail[:, : heard.samples.shape[1]], heard.samples)


def test_the_sidecar_says_what_was_heard(texture: Texture, tmp_path: object) -> None:
    prompt = texture(3.0)
    out = f"{tmp_path}/out.wav"
    assert continue_recording(prompt, out, Request(seconds=1.0), budget=0)["takes"] == {
        "seed": 0,
        "texture_distance": [],
    }
    said = continue_recording(prompt, out, Request(seconds=1.0, takes=2), budget=0)["takes"]
    assert len(said["texture_distance"]) == 2
    assert said["seed"] == SEEDS_APART * int(np.argmin(said["texture_distance"]))


def test_takes_are_within_reason() -> None:
    with pytest.raises(InputError, match="takes: 0 is out of range; choose from 1 to 99"):
        Request(takes=0)
