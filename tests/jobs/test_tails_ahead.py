"""Variations are generated side by side: the same files and the same account of each as one after the other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from audiogen.audio import Recording
from audiogen.jobs import tails_ahead
from audiogen.jobs.continue_sound import continue_recording, continue_variations
from audiogen.jobs.prepare_tail import PreparedTails, prepare_tails
from audiogen.jobs.request import Request
from audiogen.jobs.tails_ahead import TailsAhead
from audiogen.run import Run
from audiogen.sound.continuation import Continuer

REQUEST = Request(seconds=3.0, pulse=False)
pytestmark = pytest.mark.filterwarnings("ignore::audiogen.audio.AudioWarning")  # of an untrained Model's tail


@pytest.fixture
def prompt(texture: Callable[..., Recording]) -> Recording:
    return texture(6.0, channels=2)


@pytest.fixture
def run(untrained: Callable[..., Run], prompt: Recording) -> Run:
    return untrained(prompt)


@pytest.fixture
def prepared(prompt: Recording, run: Run) -> PreparedTails:
    return prepare_tails(prompt, [REQUEST], run=run)


def variations(count: int) -> list[Request]:
    return [replace(REQUEST, seed=seed) for seed in range(count)]


def test_variations_are_what_single_tails_are(
    prompt: Recording, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tails_ahead, "count_threads", lambda tasks: 2)
    outputs = [(tmp_path / f"{request.seed}.wav", request) for request in variations(4)]
    for (path, request), sidecar in zip(outputs, continue_variations(prompt, outputs, run), strict=True):
        alone = continue_recording(prompt, tmp_path / "alone.wav", request, run)
        assert (tmp_path / "alone.wav").read_bytes() == path.read_bytes()
        for name in ("measures", "drift_guard", "match_texture"):
            assert sidecar[name] == alone[name]
        renamed = [text.replace(str(path), str(tmp_path / "alone.wav")) for text in sidecar["warnings"]]
        assert renamed == alone["warnings"]


def test_tails_are_begun_before_they_are_asked_for(prepared: PreparedTails) -> None:
    with TailsAhead(prepared, variations(5), threads=2) as ahead:
        assert ahead.tail(0)[1] is not None
        assert len(ahead._tails) == 3
        assert ahead.tail(1)[1] is not None
        assert len(ahead._tails) == 4


@pytest.mark.parametrize(
    ("requests", "threads"),
    [
        (variations(1), 2),
        (variations(3), 1),
        ([REQUEST, replace(REQUEST, seconds=2.0)], 2),
        ([replace(each, density=2.0) for each in variations(2)], 2),
    ],
)
def test_others_are_made_when_needed(prepared: PreparedTails, requests: list[Request], threads: int) -> None:
    with TailsAhead(prepared, requests, threads) as ahead:
        assert ahead.tail(0)[1] is None


def test_what_fails_in_a_thread_is_raised_where_the_tail_is_asked_for(
    prepared: PreparedTails, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*arguments: object) -> Iterator[np.ndarray]:
        yield np.zeros((2, 10), np.float32)
        raise OSError("the disk is full")

    monkeypatch.setattr(tails_ahead, "tail_blocks", fails)
    with TailsAhead(prepared, variations(2), 2) as ahead:
        _, blocks = ahead.tail(0)
        assert blocks is not None
        with pytest.raises(OSError, match="full"):
            list(blocks)


def test_nothing_goes_on_when_nobody_waits(prepared: PreparedTails, monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(*arguments: object) -> Iterator[np.ndarray]:
        while True:
            yield np.zeros((2, 10), np.float32)

    monkeypatch.setattr(tails_ahead, "tail_blocks", endless)
    before = threading.active_count()
    with TailsAhead(prepared, variations(3), 2) as ahead:
        _, blocks = ahead.tail(0)
        assert blocks is not None
        next(blocks)
        assert threading.active_count() > before
    assert threading.active_count() == before


def test_a_tail_waits_while_too_many_bytes_of_it_wait(prepared: PreparedTails, monkeypatch: pytest.MonkeyPatch) -> None:
    made, size = [], 80  # bytes of a block

    def counted(*arguments: object) -> Iterator[np.ndarray]:
        for index in range(9):
            made.append(index)
            yield np.zeros((2, 10), np.float32)

    monkeypatch.setattr(tails_ahead, "tail_blocks", counted)
    monkeypatch.setattr(tails_ahead, "WAITING_BYTES", 3 * size)
    most = 0
    with TailsAhead(prepared, variations(2), threads=2) as ahead:
        _, blocks = ahead.tail(0)
        assert blocks is not None
        _, tail = ahead._tails[0]
        for _ in blocks:
            most = max(most, tail._put - tail._taken)
    assert 0 < most <= 3 * size
    assert tail._put == tail._taken == 9 * size


def test_a_tail_is_abandoned_between_two_steps_of_its_block(prepared: PreparedTails) -> None:
    """A tail is paused as often as before, and raises there once nobody waits; the shared Continuer does not."""
    _, shared = prepared.tail(REQUEST)
    assert isinstance(shared, Continuer)
    with TailsAhead(prepared, variations(2), threads=2) as ahead:
        tail, blocks = ahead.tail(0)
        assert isinstance(tail.continuer, Continuer)
        assert tail.continuer.renderer.pause is not None
        tail.continuer.renderer.pause()
        assert blocks is not None
        next(blocks)
    for pause in (tail.continuer.pause, tail.continuer.renderer.pause):
        with pytest.raises(CancelledError):
            pause()
    shared.pause()
    assert shared.renderer.pause is not None
    shared.renderer.pause()
