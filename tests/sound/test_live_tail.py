"""Live tails: those of `tail` while nothing moves, changes at the sample, and the same again from the same changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from audiogen.audio import Recording
from audiogen.errors import InputError
from audiogen.run import Run
from audiogen.sound.beat_continuation import BeatContinuer
from audiogen.sound.continuation import Continuer
from audiogen.sound.controls import Controls
from audiogen.sound.live_controls import Glide, LiveControls
from audiogen.sound.live_engines import BeatEngine, Engine, MorphEngine, Rereadable, SilentEngine, TextureEngine
from audiogen.sound.live_settings import Change, LiveSettings
from audiogen.sound.live_tail import LiveTail, SampleQueue, replayed
from audiogen.sound.morph import Morph
from tests.rhythm.signals import RATE as BEAT_RATE
from tests.sound.test_beat_continuation import PERIOD, onsets_of, rhythm_of, song

Untrained = Callable[..., Run]
RATE = 16000


def noise(seconds: float, level: float = 0.1, seed: int = 0) -> np.ndarray:
    return level * np.random.default_rng(seed).standard_normal((1, int(seconds * RATE)))


def prompt_of(samples: np.ndarray) -> Recording:
    return Recording(samples.astype(np.float32), RATE)


def engine_of(samples: np.ndarray, untrained: Untrained) -> TextureEngine:
    prompt = prompt_of(samples)
    return TextureEngine(Continuer(untrained(prompt), prompt))


def taken(tail: LiveTail, length: int) -> np.ndarray:
    blocks, have = [], 0
    while have < length:
        blocks.append(tail.take())
        have += blocks[-1].shape[1]
    return np.concatenate(blocks, axis=1)


def decibels(samples: np.ndarray) -> float:
    return 10 * float(np.log10(np.mean(np.square(samples, dtype=np.float64)) + 1e-20))


@pytest.fixture(scope="module")
def beats() -> BeatContinuer:
    return BeatContinuer(rhythm_of(song(20.13)))


def test_a_tail_with_tones_and_controls_is_that_of_tail(untrained: Untrained) -> None:
    hum = 0.3 * np.sin(2 * np.pi * 120 * np.arange(3 * RATE) / RATE)
    engine = engine_of(noise(3.0, 0.02) + hum, untrained)
    assert engine.continuer.partials is not None
    settings = LiveSettings(seed=3, temperature=0.5, level=-4.0, brightness=1.5)
    wanted = engine.continuer.tail(2 * RATE, 3, 0.5, Controls(-4.0, 1.5))
    np.testing.assert_array_equal(
        taken(LiveTail(engine, settings), 2 * RATE)[:, : 2 * RATE], np.concatenate(list(wanted), axis=1)
    )


def test_a_tail_of_beats_is_that_of_tail(beats: BeatContinuer) -> None:
    settings, length = LiveSettings(seed=2, level=3.0, brightness=-1.0), 5 * BEAT_RATE
    wanted = np.concatenate(list(beats.tail(length, 2, controls=Controls(3.0, -1.0))), axis=1)
    np.testing.assert_array_equal(taken(LiveTail(BeatEngine(beats), settings), length)[:, :length], wanted)


MOVES: list[dict[str, Any]] = [
    {"temperature": 2.0},
    {"temperature": 0.5},
    {"freeze": True},
    {"level": -9.0, "brightness": 2.0},
    {"freeze": False},
    {"reseed": 5, "level": 0.0},
]


def test_a_morph_is_where_it_is_set_to(untrained: Untrained) -> None:
    prompt, target = prompt_of(noise(2.0)), prompt_of(np.diff(noise(2.0, 0.02, 1), prepend=0))
    run = untrained(prompt)
    engine = MorphEngine(Morph(Continuer(run, prompt), Continuer(run, target)))
    tail, loudness = LiveTail(engine, LiveSettings()), []
    for position in (0.0, 1.0, 0.5, 0.0):
        tail.change({"morph": position})
        taken(tail, RATE // 2)
        loudness.append(decibels(taken(tail, RATE)))
    ends = [decibels(each.samples) for each in (prompt, target)]
    assert loudness == pytest.approx([ends[0], ends[1], sum(ends) / 2, ends[0]], abs=2)


@pytest.mark.parametrize("kind", ["texture", "beats"])
def test_the_same_changes_at_the_same_samples_give_the_same_tail(
    kind: str, untrained: Untrained, beats: BeatContinuer
) -> None:
    engine: Engine = engine_of(noise(2.0), untrained) if kind == "texture" else BeatEngine(beats)
    tail = LiveTail(engine, LiveSettings())
    live = [taken(tail, engine.sample_rate // 4)]
    for move in MOVES:
        tail.change(move)
        live.append(taken(tail, engine.sample_rate // 4))
    whole = np.concatenate(live, axis=1)
    assert [change.handles for change in tail.changes][:3] == MOVES[:3]
    again = replayed(LiveTail(engine, LiveSettings()), [Change.from_json(each.as_json()) for each in tail.changes])
    replay = np.concatenate([next(again) for _ in range(-(-whole.shape[1] // tail.hop) + 1)], axis=1)
    replay = replay[:, : whole.shape[1]]
    np.testing.assert_array_equal(replay, whole)
    unmoved = taken(LiveTail(engine, LiveSettings()), whole.shape[1])[:, : whole.shape[1]]
    first = tail.changes[0].position
    np.testing.assert_array_equal(whole[:, :first], unmoved[:, :first])
    assert np.abs(whole - unmoved)[:, first:].max() > 1e-3


def test_another_temperature_lets_the_tail_take_the_same_course(untrained: Untrained) -> None:
    engine = engine_of(noise(2.0), untrained)
    likeness = {}
    for move in ({"temperature": 1.5}, {"reseed": 9}):
        tail = LiveTail(engine, LiveSettings())
        before = taken(tail, RATE // 2).shape[1]
        tail.change(move)
        moved = taken(tail, 2 * RATE)[0, RATE : 2 * RATE]
        usual = taken(LiveTail(engine, LiveSettings()), 4 * RATE)[0, before + RATE : before + 2 * RATE]
        likeness[next(iter(move))] = np.corrcoef(moved, usual)[0, 1]
    assert likeness["temperature"] > 0.9
    assert abs(likeness["reseed"]) < 0.3


def test_what_was_rendered_can_be_read_again_as_far_as_it_is_remembered() -> None:
    samples = np.arange(600, dtype=np.float32)[None]
    pauses = []

    def pause() -> None:
        pauses.append(len(pauses))
        if len(pauses) == 3:
            raise KeyError  # abandons whoever reads

    blocks = (samples[:, start : start + 50] for start in range(0, 600, 50))
    rendered = Rereadable((block for each in blocks for block in (each[:, :0], each)), 120, pause)
    first = rendered.after(20)
    np.testing.assert_array_equal(next(first), samples[:, 20:50])
    with pytest.raises(KeyError):
        next(first)
    reader, parts = rendered.after(30), list[np.ndarray]()
    while sum(part.shape[1] for part in parts) < 270:
        parts.append(next(reader))
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), samples[:, 30:300])
    np.testing.assert_array_equal(next(rendered.after(180)), samples[:, 180:200])
    with pytest.raises(ValueError, match="not remembered"):
        next(rendered.after(100))


def test_level_and_brightness_glide_to_what_they_are_set_to(untrained: Untrained) -> None:
    engine = engine_of(noise(2.0), untrained)
    plain = taken(LiveTail(engine, LiveSettings()), 3 * RATE)
    tail = LiveTail(engine, LiveSettings())
    before = taken(tail, RATE)
    (change,) = tail.change({"level": -20.0, "brightness": -3.0})
    moved = np.concatenate([before, taken(tail, 2 * RATE)], axis=1)
    np.testing.assert_array_equal(moved[:, : change.position], plain[:, : change.position])
    late = slice(change.position + RATE // 2, 3 * RATE)
    assert decibels(moved[:, late]) - decibels(plain[:, late]) == pytest.approx(-20, abs=0.7)
    spectra = [np.abs(np.fft.rfft(each[0, late])) ** 2 for each in (moved, plain)]
    hertz = np.fft.rfftfreq(late.stop - late.start, 1 / RATE)
    bands = [(hertz >= low) & (hertz < 2 * low) for low in (200, 400, 800, 1600, 3200)]
    ratios = [10 * np.log10(spectra[0][band].sum() / spectra[1][band].sum()) for band in bands]
    assert np.diff(ratios) == pytest.approx([-3] * 4, abs=0.4)


def test_a_tone_goes_on_in_phase_from_one_segment_to_the_next(untrained: Untrained) -> None:
    time = np.arange(3 * RATE) / RATE
    engine = engine_of(noise(3.0, 0.003) + 0.3 * np.sin(2 * np.pi * 120 * time), untrained)
    tail = LiveTail(engine, LiveSettings())
    before = taken(tail, RATE)
    tail.change({"reseed": 4})
    whole = np.concatenate([before, taken(tail, RATE)], axis=1)[0]
    turned = whole * np.exp(-2j * np.pi * 120 * np.arange(len(whole)) / RATE)
    steady = turned[: len(turned) // 800 * 800].reshape(-1, 800).mean(1)  # of six periods each
    assert np.abs(steady) == pytest.approx(np.abs(steady).mean(), rel=0.03)
    assert np.abs(np.diff(np.unwrap(np.angle(steady)))).max() < 0.05


def test_a_frozen_texture_stays_as_loud_as_it_was(untrained: Untrained) -> None:
    loud = np.arange(4 * RATE) // (RATE // 2) % 2  # half seconds
    engine = engine_of(noise(4.0) * np.where(loud, 1.0, 0.1), untrained)
    spread = {}
    for freeze in (False, True):
        tail = LiveTail(engine, LiveSettings(seed=1))
        taken(tail, RATE // 2)
        tail.change({"freeze": freeze, "reseed": 3})
        levels = np.array([decibels(part) for part in np.split(taken(tail, 3 * RATE)[0, RATE // 2 : 3 * RATE], 25)])
        spread[freeze] = np.percentile(levels, 90) - np.percentile(levels, 10)
    assert spread[False] > 10
    assert spread[True] < 6


def test_frozen_beats_repeat_their_last_bar_on_the_grid(beats: BeatContinuer) -> None:
    tail = LiveTail(BeatEngine(beats), LiveSettings())
    taken(tail, 4 * BEAT_RATE)
    tail.change({"freeze": True})
    held = taken(tail, 8 * BEAT_RATE)
    bar = round(4 * PERIOD * BEAT_RATE)
    late = held[:, 2 * bar :]
    first, second = late[0, :bar], late[0, bar - 100 : 2 * bar + 100]
    likeness = np.correlate(second, first, "valid").max() / np.square(first).sum()
    assert likeness == pytest.approx(1, abs=0.1)
    assert np.diff(onsets_of(held[:, BEAT_RATE:])) == pytest.approx(PERIOD, abs=0.03)


def test_what_was_played_is_known_where_a_segment_begins_and_no_more_is_remembered(untrained: Untrained) -> None:
    engine = engine_of(noise(2.0), untrained)
    path = engine.path
    path.most, path.ahead = 40, 40
    played: list[int] = []
    note = path.note
    path.note = lambda chunk: (played.extend(chunk.positions[:: path.patch].tolist()), note(chunk))[1]  # type: ignore
    tail = LiveTail(engine, LiveSettings())
    while tail.position < 8 * RATE:
        tail.take()
    assert len(path.starts) <= 80
    number = round(tail.position / RATE * engine.continuer.spec.frame_rate / path.patch)
    assert 40 < number <= len(played)
    before = played[number - 40 : number]
    tail.change({"reseed": 1})
    assert path.first == -40
    assert path.starts[:40] == before


def test_a_handle_out_of_range_is_refused_and_changes_nothing() -> None:
    tail = LiveTail(SilentEngine(2, RATE), LiveSettings())
    for handles in ({"temperature": -1}, {"level": "loud"}, {"freeze": 1}, {"reseed": -2}, {"density": float("nan")}):
        with pytest.raises(InputError, match="choose"):
            tail.change(handles)
    assert not tail.changes
    assert not taken(tail, RATE).any()


def test_a_queue_gives_its_samples_in_order_and_remembers_the_latest() -> None:
    samples = np.arange(1000, dtype=np.float32)[None]
    queue = SampleQueue(1, 30)
    for start in range(0, 1000, 70):
        queue.append(samples[:, start : start + 70])
    out = [queue.take(count) for count in (1, 99, 0, 150, 50)]
    np.testing.assert_array_equal(np.concatenate(out, axis=1), samples[:, :300])
    assert queue.length == 700
    np.testing.assert_array_equal(queue.peek(5, 60), samples[:, 360:365])
    np.testing.assert_array_equal(queue.before(10, 4), samples[:, 280:314])
    queue.replace(20, -samples[:, :40])
    np.testing.assert_array_equal(queue.take(60), np.concatenate([samples[:, 300:320], -samples[:, :40]], axis=1))
    assert queue.length == 0


@pytest.mark.parametrize("size", [1, 7, 64])
def test_glides_do_not_depend_on_the_size_of_blocks(size: int) -> None:
    glide = Glide(2.0, 50)
    glide.to(-1.0, 9)
    values: list[float] = []
    while len(values) < 128:
        part = glide.next(size)
        values.extend([glide.value] * size if part is None else part.tolist())
    assert values[8] == 2.0
    assert values[58] == pytest.approx(-1.0)
    assert values[33] == pytest.approx(0.5)
    assert values[100] == -1.0


def test_live_controls_at_rest_change_no_bit() -> None:
    block = np.random.default_rng(0).standard_normal((2, 333)).astype(np.float32)
    controls = LiveControls(block, RATE, LiveSettings(level=5.0, brightness=2.0))
    np.testing.assert_array_equal(controls(block), block)
