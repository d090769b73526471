"""Events in synthetic recordings whose calls are known, counted here by their power in blocks of 10 ms."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from scipy.signal import find_peaks

from audiogen.audio import AudioWarning, Recording
from audiogen.run import Run
from audiogen.sound.continuation import Continuer
from audiogen.sound.controls import Controls
from audiogen.sound.event_density import EventDensity, EventMaterial
from audiogen.sound.events import EventSearch

RATE, BED = 22050, 0.003
SEARCH = EventSearch(RATE)


def calls(times: np.ndarray, seconds: float, seed: int = 0) -> np.ndarray:
    """Decaying tones ``[1, time]``, each of its own pitch, that begin at given times, over noise."""
    random = np.random.default_rng(seed)
    samples = BED * random.standard_normal(round(seconds * RATE))
    clock = np.arange(RATE // 8) / RATE
    for start in times:
        call = random.uniform(0.2, 0.5) * np.exp(-clock / 0.03) * np.sin(2 * np.pi * random.uniform(800, 5000) * clock)
        samples[round(start * RATE) :][: len(call)] += call[: len(samples) - round(start * RATE)]
    return samples[None].astype(np.float32)


def at_random(rate: float, seconds: float, seed: int = 0) -> np.ndarray:
    times = np.sort(np.random.default_rng(seed).uniform(0.2, seconds - 0.3, round(rate * seconds)))
    return calls(times, seconds, seed)


def counted(samples: np.ndarray) -> int:
    """Peaks of the power in blocks of 10 ms, 15 dB above the bed."""
    block = RATE // 100
    power = np.square(samples[0, : samples.shape[1] // block * block]).reshape(-1, block).mean(axis=1)
    level = 10 * np.log10(power / BED**2 + 1e-9)
    return len(find_peaks(level, height=15, prominence=6)[0])


def thinned_or_thickened(tail: np.ndarray, material: np.ndarray, density: float, size: int = 4096) -> np.ndarray:
    layer = EventDensity(EventMaterial(material, RATE), material, density, seed=0)
    starts = range(0, tail.shape[1], size)
    return np.concatenate(list(layer(tail[:, start : start + size] for start in starts)), axis=1)


def test_events_are_found_where_they_are() -> None:
    times = np.arange(0.5, 9.5, 0.75)
    events = SEARCH.find(SEARCH.power(calls(times, 10)))
    peaks = np.array([event.peak for event in events]) / RATE
    assert np.abs(peaks[:, None] - times).min(axis=0).max() < 0.03
    assert len(events) <= len(times) + 1
    assert all(event.start <= event.peak < event.end for event in events)
    assert all(one.end <= other.start for one, other in pairwise(events))


def test_noise_has_no_events() -> None:
    noise = np.random.default_rng(0).standard_normal((2, 20 * RATE)).astype(np.float32)
    assert len(SEARCH.find(SEARCH.power(noise))) <= 2


def test_what_is_extracted_leaves_the_bed() -> None:
    samples = at_random(2, 12)
    power = SEARCH.power(samples)
    events = SEARCH.find(power)
    rest = samples.copy()
    for event in events:
        sound = SEARCH.extract(samples, power, events, event)
        rest[:, event.start : event.start + sound.shape[1]] -= sound
    level = 10 * np.log10(np.mean(np.square(rest)) / BED**2)
    assert level == pytest.approx(0, abs=1.5)  # 15 dB and more with the events
    assert 10 * np.log10(np.mean(np.square(samples)) / BED**2) > 15


@pytest.mark.parametrize("density", [0.3, 0.5, 2.0, 4.0])
def test_density_multiplies_the_events_per_second(density: float) -> None:
    material, tail = at_random(1.5, 30), at_random(1.5, 33, seed=1)
    changed = thinned_or_thickened(tail, material, density)
    assert changed.shape == tail.shape
    after = 3 * RATE  # the ramp
    usual = counted(material) / 30 * 30
    assert counted(changed[:, after:]) == pytest.approx(density * usual, rel=0.17)
    layer = EventDensity(EventMaterial(material, RATE), material, density, seed=0)
    list(layer([tail]))
    assert layer.remark() is None
    assert layer.describe()["reached"] == pytest.approx(layer.describe()["mean"], rel=0.15)
    assert layer.describe()["asked"] == density


def test_the_same_whatever_the_blocks_and_a_beginning_of_something_longer() -> None:
    material, tail = at_random(2, 8), at_random(2, 9, seed=1)
    whole = thinned_or_thickened(tail, material, 2.0, size=tail.shape[1])
    assert np.array_equal(whole, thinned_or_thickened(tail, material, 2.0, size=1000))
    shorter = thinned_or_thickened(tail[:, : 7 * RATE], material, 2.0)
    assert np.array_equal(whole[:, : 4 * RATE], shorter[:, : 4 * RATE])


def test_the_join_is_left_alone() -> None:
    material, tail = at_random(3, 8), at_random(3, 5, seed=1)
    for density in (0.2, 5.0):
        changed = thinned_or_thickened(tail, material, density)
        assert np.abs(changed - tail)[:, : RATE // 100].max() < 3 * BED


def test_a_tail_that_is_taken_up_is_denser_at_once() -> None:
    material, tail = at_random(1.5, 20), at_random(1.5, 20, seed=1)
    layer = EventDensity(EventMaterial(material, RATE), None, 3.0, seed=0)
    changed = np.concatenate(list(layer([tail])), axis=1)
    early = slice(0, 5 * RATE)
    assert counted(changed[:, early]) > 2 * 1.5 * 5
    assert counted(changed) == pytest.approx(3 * 30, rel=0.2)


def test_a_recording_without_events_keeps_its_density() -> None:
    noise = np.random.default_rng(0).standard_normal((1, 5 * RATE)).astype(np.float32)
    with pytest.warns(AudioWarning, match=r"--density changes nothing: the recording has . distinct events in 5 s"):
        layer = EventDensity(EventMaterial(noise, RATE), noise, 4.0, seed=0)
    assert np.array_equal(np.concatenate(list(layer([noise, noise])), axis=1), np.concatenate([noise, noise], axis=1))


def test_a_density_that_cannot_be_reached_is_said() -> None:
    """Fifty calls a second can't be told from one another."""
    material, tail = at_random(12, 10), at_random(12, 10, seed=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        layer = EventDensity(EventMaterial(material, RATE), material, 10.0, seed=0)
    list(layer([tail]))
    remark = layer.remark()
    assert remark is not None
    assert "is reached by count, since so many events hide one another" in remark


def tones(seconds: float) -> np.ndarray:
    """A loud tone ``[1, time]`` in each band that events are looked for in."""
    clock = np.arange(round(seconds * RATE)) / RATE
    hertz = np.geomspace(110, 0.45 * RATE, 12)
    return 0.2 * np.sum([np.sin(2 * np.pi * each * clock + each) for each in hertz], axis=0)[None].astype(np.float32)


def test_events_among_tones_are_those_without_them(untrained: Callable[..., Run]) -> None:
    """The tones, which hide all events, are taken out and continued by themselves: what is changed has none."""
    plain, tail = at_random(1.5, 14), at_random(1.5, 17, seed=1)
    prompt = Recording(plain + tones(14), RATE)
    assert not EventMaterial(prompt.samples, RATE).enough
    renderer = Continuer(untrained(prompt), prompt).renderer
    density = renderer._density(Controls(density=2.0), 0, None)
    assert density is not None
    assert density.material.rate == pytest.approx(EventMaterial(plain, RATE).rate, rel=0.2)
    assert np.sqrt(np.mean(np.square(density.past[:, -RATE // 10 :]))) < 3 * BED
    changed = np.concatenate(list(density([tail])), axis=1)
    assert counted(changed[:, 3 * RATE :]) == pytest.approx(2 * counted(plain), rel=0.2)


def test_events_per_second_do_not_depend_on_the_brightness(untrained: Callable[..., Run]) -> None:
    prompt = Recording(at_random(1.5, 8), RATE)
    renderer = Continuer(untrained(prompt), prompt).renderer
    plain, bright, dark = (renderer.events(slope) for slope in (0.0, 4.0, -4.0))
    assert plain.rate == bright.rate == dark.rate
    assert plain.events == bright.events == dark.events
    for other in (bright, dark):  # what is counted in a tail of this colour is compared with that rate
        count = len(SEARCH.count(other.power, other.floor, other.height))
        assert count / other.seconds == pytest.approx(plain.rate, rel=0.2)
        assert not np.array_equal(other.samples, plain.samples)
