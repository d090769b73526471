"""A recording that is nothing but separate events is continued by whole events, varied so that none is a copy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from audiogen.audio import Recording
from audiogen.metrics.copying import RepetitionDetector
from audiogen.pretrained import base
from audiogen.sound.continuation import Continuer
from audiogen.sound.separate_events import FACTORS, SeparateEvents, has_separate_events, with_variations

RATE = 44100
FRAME_RATE = 100.0
SPANS = [(100, 120), (300, 310), (400, 420), (600, 640), (700, 720), (900, 930), (1100, 1120), (1500, 1530)]


def drips(seconds: float = 20.0, seed: int = 0) -> Recording:
    """Rising tones that die away, one in 1.25 s on average, over noise 50 dB below them."""
    random = np.random.default_rng(seed)
    samples, at = 0.001 * random.standard_normal(round(seconds * RATE)), 0.3
    time = np.arange(round(0.25 * RATE)) / RATE
    while at < seconds - 0.5:
        tone = np.exp(-time / 0.04) * np.sin(2 * np.pi * (random.uniform(700, 1400) * time + 1500 * time**2))
        start = round(at * RATE)
        samples[start : start + len(tone)] += 0.5 * random.uniform(0.5, 1) * tone
        at += 0.35 + random.exponential(0.9)
    return Recording(samples[None].astype(np.float32), RATE)


def lengths_of_events(samples: np.ndarray) -> np.ndarray:
    """Milliseconds for which each event is above -40 dBFS, in frames of 5 ms: by samples, not by mel frames."""
    size = RATE // 200
    power = np.square(samples[0, : samples.shape[1] // size * size].reshape(-1, size)).mean(axis=1)
    loud = np.convolve(power > 1e-4, np.ones(5), "same") > 0
    edges = np.flatnonzero(np.diff(np.concatenate([[0], loud, [0]])))
    return 5.0 * (edges[1::2] - edges[::2])


def frames_with(spans: list[tuple[int, int]], count: int = 2000, floor: float = -6.0) -> torch.Tensor:
    """``count`` frames of one band, 0 within spans and ``floor`` elsewhere."""
    frames = torch.full((count, 1), floor)
    for start, end in spans:
        frames[start:end] = 0.0
    return frames


def test_separate_events_are_found_from_beginning_to_end() -> None:
    assert has_separate_events(frames_with(SPANS), FRAME_RATE)
    events = SeparateEvents(frames_with(SPANS), FRAME_RATE, varied=1000)
    assert events.count == 2
    assert [frame for frame in (99, 100, 101, 119, 120, 1999) if events.goes_on(frame, 8)] == [101, 119]
    assert not SeparateEvents(frames_with([*SPANS, (1990, 2000)]), FRAME_RATE, 1000).goes_on(1995, 8)  # ends there


def test_of_few_events_some_are_always_left_to_play() -> None:
    def lockout(count: int) -> float:
        period = 1000 // count
        spans = [(start, start + 5) for start in range(0, 3 * period * count, period)]
        return SeparateEvents(frames_with(spans, 3 * period * count), FRAME_RATE, 2 * period * count).lockout_seconds

    assert lockout(5) == pytest.approx(10.0)  # of 30 s: 5 of 10 varied events can be played
    assert lockout(8) == pytest.approx(12.5, rel=0.01)  # 6 of 16
    assert lockout(40) == pytest.approx(18.0)  # 8 of 80


@pytest.mark.parametrize(
    ("why", "frames"),
    [
        ("noise", torch.randn(2000, 8, generator=torch.Generator().manual_seed(0)) * 0.1),
        ("few", frames_with(SPANS[:2])),
        ("long", frames_with([*SPANS[:7], (1700, 1900)])),
        ("loud bed", frames_with(SPANS, floor=-1.0)),
        ("filled", frames_with([(start, start + 60) for start in range(0, 2000, 100)])),
        ("silence", torch.full((2000, 8), -11.5)),
        ("nothing", torch.zeros(0, 8)),
    ],
)
def test_other_recordings_are_not_made_of_separate_events(why: str, frames: torch.Tensor) -> None:
    assert not has_separate_events(frames, FRAME_RATE)


def test_patches_neither_begin_within_an_event_nor_play_one_that_is_not_varied() -> None:
    events = SeparateEvents(frames_with([(10, 16), (30, 36)], count=41), FRAME_RATE, varied=20)
    starts = torch.arange(0, 33)
    barred = events.barred(starts, 8)
    assert [int(start) for start in starts[barred]] == [*range(11, 16), *range(23, 33)]
    assert events.count == 1


def test_variations_go_before_the_recording_at_other_speeds() -> None:
    prompt = drips(10.0)
    varied = with_variations(prompt)
    np.testing.assert_array_equal(varied.samples[:, -prompt.length + RATE :], prompt.samples[:, RATE:])
    assert varied.seconds == pytest.approx(10 * (1 + sum(1 / factor for factor in FACTORS)), abs=0.1)


def test_drips_stay_whole_as_many_as_loud_and_no_copies() -> None:
    prompt = drips()
    tail = np.concatenate(list(Continuer(base(), prompt).tail(20 * RATE, seed=0)), axis=1)
    own, made = lengths_of_events(prompt.samples), lengths_of_events(tail)
    assert 0.7 < len(made) / len(own) < 1.4
    assert np.median(made) == pytest.approx(np.median(own), rel=0.25)
    assert abs(10 * np.log10(np.square(tail).mean() / np.square(prompt.samples).mean())) < 2
    assert RepetitionDetector(prompt).copying(Recording(tail, RATE)).fraction < 0.2


def test_a_model_of_a_run_is_given_the_recording_as_it_is() -> None:
    from dataclasses import replace

    run = base()
    network = replace(run, experiment=replace(run.experiment, predictor="model"))
    assert Continuer(network, drips(16.0)).analysis.events is None
    assert Continuer(run, drips(16.0)).analysis.events is not None


def test_events_that_are_too_long_when_slowed_down_are_events_all_the_same() -> None:
    random = np.random.default_rng(0)
    samples = 1e-4 * random.standard_normal(round(44 * RATE))
    for start in np.arange(0.5, 42, 4.2):
        span = slice(round(start * RATE), round((start + 1.45) * RATE))
        samples[span] += 0.1 * random.standard_normal(span.stop - span.start)
    analysis = Continuer(base(), Recording(samples[None].astype(np.float32), RATE)).analysis
    assert analysis.events is not None
    assert analysis.events.count == 10


def test_six_clicks_come_back_as_often() -> None:
    random = np.random.default_rng(0)
    samples = 3e-4 * random.standard_normal(8 * RATE)
    click = np.exp(-np.arange(RATE // 20) / (RATE / 200)) * random.standard_normal(RATE // 20)
    for start in (0.7, 2.1, 3.0, 4.6, 5.8, 7.1):
        samples[round(start * RATE) :][: len(click)] += 0.15 * click
    prompt = Recording(samples[None].astype(np.float32), RATE)
    tail = np.concatenate(list(Continuer(base(), prompt).tail(16 * RATE, seed=0)), axis=1)
    assert 6 <= len(lengths_of_events(tail)) <= 18
