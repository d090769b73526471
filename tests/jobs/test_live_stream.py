"""Live streams: the samples of `continue` whatever the blocks, and kept parts that can be made again."""

from __future__ import annotations

import json
import math
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from audiogen.audio import Recording, read
from audiogen.errors import InputError
from audiogen.jobs.live_commands import Commands
from audiogen.jobs.live_delay import MAX_DELAY, MIN_DELAY, Delay
from audiogen.jobs.live_output import Device, paced
from audiogen.jobs.live_stream import AHEAD_SECONDS, MIN_LEAD_SECONDS, LiveStream
from audiogen.jobs.live_take import Take, TakeWriter, engine_of, settings_of
from audiogen.jobs.prepare_tail import PreparedTail, prepare_tails
from audiogen.jobs.request import Request
from audiogen.jobs.tail_file import tail_blocks
from audiogen.run import Run
from audiogen.sound.live_engines import SilentEngine
from audiogen.sound.live_settings import LiveSettings

Texture = Callable[..., Recording]
Untrained = Callable[..., Run]
RATE = 44100


@pytest.fixture
def prompt(texture: Texture) -> Recording:
    return texture(1.0)


@pytest.fixture
def prepared(prompt: Recording, untrained: Untrained) -> PreparedTail:
    return prepare_tails(prompt, [Request()], None, untrained(prompt)).tail(Request())


@pytest.mark.parametrize("size", [1, 100, 4096, RATE])
def test_a_stream_is_the_tail_of_continue_for_any_size_of_blocks(
    size: int, texture: Texture, untrained: Untrained
) -> None:
    # Long enough a prompt for texture matching, whose sections are longer than this tail.
    prompt = texture(6.0 if size == 4096 else 1.0)
    length = RATE // 4 if size == 1 else RATE
    request = Request(seed=4, temperature=1.3, level=-3.0)
    prepared = prepare_tails(prompt, [request], None, untrained(prompt)).tail(request)
    wanted = tail_blocks(prepared.parts, prepared.continuer, length, request)
    with LiveStream(engine_of(prepared), settings_of(request)) as stream:
        blocks, have = [], 0
        for block in stream.blocks(size):
            assert block.shape == (1, size)
            blocks.append(block)
            if (have := have + size) >= length:
                break
    np.testing.assert_array_equal(np.concatenate(blocks, axis=1)[:, :length], np.concatenate(list(wanted), axis=1))


def test_a_kept_part_is_made_again_to_the_byte(prompt: Recording, prepared: PreparedTail, tmp_path: Path) -> None:
    request, settled = Request(), threading.Event()
    lines: list[str] = []
    with LiveStream(engine_of(prepared), settings_of(request), on_change=lambda change: settled.set()) as stream:
        commands = Commands(stream, TakeWriter(prompt, request), lines.append, lambda *paths: None)
        blocks = stream.blocks()
        for line in ('{"temperature": 3}', '{"level": -12, "brightness": 2}', '{"freeze": true}', '{"reseed": 8}'):
            settled.clear()
            assert commands.carry_out(line)
            while not settled.is_set():
                next(blocks)
            for _ in range(30):
                next(blocks)
        assert commands.carry_out(json.dumps({"keep": 1.5, "to": str(tmp_path / "take.wav")}))
        assert commands.carry_out(json.dumps({"keep": 1.5, "to": str(tmp_path / "take.wav")}))
        assert not commands.carry_out('{"stop": true}')
        assert stream.read() is None
    assert len(lines) == 1
    assert "exists already" in lines[0]
    take = Take.read(tmp_path / "take.json")
    handles = [change.handles for change in take.changes]
    assert {"temperature": 3.0} in handles
    assert {"freeze": True} in handles
    assert [change.position for change in take.changes] == sorted(change.position for change in take.changes)
    take.render(tmp_path / "again.wav", prompt, engine_of(prepared))
    assert (tmp_path / "again.wav").read_bytes() == (tmp_path / "take.wav").read_bytes()
    kept = read(tmp_path / "take.wav")
    assert kept.length == round(1.5 * RATE)
    assert np.isfinite(kept.samples).all()
    with pytest.raises(InputError, match="not those that were continued"):
        take.render(tmp_path / "no.wav", Recording(prompt.samples * 0.5, RATE), engine_of(prepared))
    assert not (tmp_path / "no.wav").exists()


@pytest.mark.parametrize("text", ["", "[]", '{"stream": {}}', '{"seed": 0}'])
def test_what_is_no_sidecar_of_a_kept_part_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "take.json"
    path.write_text(text)
    with pytest.raises(InputError, match="not the sidecar"):
        Take.read(path)


def test_what_cannot_be_carried_out_is_reported_and_the_rest_done() -> None:
    lines: list[str] = []
    with LiveStream(SilentEngine(1, RATE)) as stream:
        commands = Commands(
            stream, TakeWriter(Recording(np.zeros((1, RATE), np.float32), RATE), Request()), lines.append, print
        )
        commands.read(
            iter(
                [
                    '{"volume": 3, "level": -2}',
                    "louder",
                    '{"density": 2}',
                    '{"temperature": 99}',
                    '{"keep": 2}',
                    '{"to": "a.wav"}',
                    "",
                    '{"stop": true}',
                    "not read any more",
                ]
            )
        )
        assert stream.settings.level == -2
        assert stream.read() is None
    causes = [
        "no such handle",
        "no JSON object",
        "does not apply to this prompt",
        "out of range",
        "no file",
        "names the file",
    ]
    assert len(lines) == len(causes)
    for line, cause in zip(lines, causes, strict=True):
        assert cause in line


def test_nothing_can_be_kept_before_anything_was_read() -> None:
    with LiveStream(SilentEngine(1, RATE)) as stream:
        with pytest.raises(InputError, match="nothing has been played"):
            stream.keep(3)
        for seconds in (-3, 0, math.inf, math.nan, True):
            with pytest.raises(InputError, match="above 0"):
                stream.keep(seconds)


def test_the_shortest_kept_part_is_a_sample() -> None:
    with LiveStream(SilentEngine(1, RATE)) as stream:
        stream.read()
        assert stream.keep(1e-9).samples.shape == (1, 1)
        assert stream.keep(1e300).samples.shape[1] > 1


def test_no_more_is_made_than_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = SilentEngine(1, RATE)
    made = 0

    def start(settings: LiveSettings) -> Iterator[np.ndarray]:
        nonlocal made
        while True:
            made += RATE
            yield np.zeros((1, RATE), np.float32)

    monkeypatch.setattr(engine, "start", start)
    with LiveStream(engine, kept_seconds=3) as stream:
        read_samples = 0
        for block in stream.blocks():
            read_samples += block.shape[1]
            assert made <= read_samples + (AHEAD_SECONDS + 2) * RATE
            if read_samples > 40 * RATE:
                break
        assert stream.keep(100).samples.shape[1] < 4 * RATE


def test_hops_come_before_anything_else_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, ready = SilentEngine(1, RATE), []

    def start(settings: LiveSettings) -> Iterator[np.ndarray]:
        yield np.zeros((1, 5 * RATE), np.float32)
        while True:
            assert engine.pause is not None
            engine.pause()
            ready.append(stream._ready_samples)
            yield np.zeros((1, 5 * RATE), np.float32)

    monkeypatch.setattr(engine, "start", start)
    stream = LiveStream(engine)
    take = stream.tail.take

    def slow_take() -> np.ndarray:
        time.sleep(0.01)
        return take()

    monkeypatch.setattr(stream.tail, "take", slow_take)
    with stream:
        stream.wait(6.0)
    assert ready[0] >= MIN_LEAD_SECONDS * RATE


def test_a_segment_begins_as_far_ahead_as_the_last_ones_took() -> None:
    delay = Delay()
    for taken, expected in ((2.0, 2.4), (0.5, 0.5 * (2.4 + 0.675)), (0.0, 0.5 * (0.5 * (2.4 + 0.675) + 0.1))):
        delay.learn(taken)
        assert delay.seconds == pytest.approx(expected)
    for _ in range(9):
        delay.learn(0.0)
    assert delay.seconds == MIN_DELAY
    delay.learn(60.0)
    assert delay.seconds == MAX_DELAY


def test_a_handle_that_joins_another_is_given_the_time_that_it_needs(prepared: PreparedTail) -> None:
    stream = LiveStream(engine_of(prepared))  # whose threads do not run
    reshaped, taken_up = (stream._delays[kind] for kind in (True, False))
    reshaped.seconds, taken_up.seconds = 0.5, 2.0
    limits = []
    for handles in ({"temperature": 2.0}, {"temperature": 3.0}, {"reseed": 1}, {"temperature": 1.0}):
        stream.update(handles)
        assert not stream._can_begin()  # nothing has been generated yet
        limits.append(stream._limit)
    hop = stream.tail.hop
    assert limits == [-(-round(seconds * RATE) // hop) * hop for seconds in (0.5, 0.5, 2.0, 2.0)]


class ReshapableSilence(SilentEngine):
    """Calls ``on_fill`` during the second block of the first segment; its temperature is reshaped."""

    reshapes = ("temperature",)

    def __init__(self, on_fill: Callable[[], None]) -> None:
        super().__init__(1, RATE)
        self.on_fill = on_fill

    def start(self, settings: LiveSettings) -> Iterator[np.ndarray]:
        yield np.zeros((1, round(1.3 * RATE)), np.float32)
        self.on_fill()
        while True:
            yield np.zeros((1, RATE), np.float32)

    def reshape(self, settings: LiveSettings, past: np.ndarray, position: int) -> Iterator[np.ndarray]:
        return self.take_up(settings, past, position)


def test_a_handle_that_moves_as_a_segment_is_abandoned_is_for_the_one_after_the_next() -> None:
    moved = threading.Event()

    def on_fill() -> None:
        stream.set("temperature", 2.0)
        try:
            stream._pause()
        finally:
            stream.set("freeze", True)  # before the thread that was abandoned goes on
            moved.set()

    stream = LiveStream(ReshapableSilence(on_fill))
    for kind, seconds in ((True, 0.4), (False, 1.5)):  # reshaped, and taken up
        stream._delays[kind].seconds = seconds
    with stream:
        assert moved.wait(60)  # nothing is read until then
        for _, _ in zip(range(20), stream.blocks(RATE // 2), strict=False):
            if len(stream.changes) == 2:
                break
    reshaped, taken_up = stream.changes
    assert [reshaped.handles, taken_up.handles] == [{"temperature": 2.0}, {"freeze": True}]
    assert reshaped.position < 1.3 * RATE
    assert taken_up.position >= 1.5 * RATE


def test_an_error_of_the_generation_reaches_the_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = SilentEngine(1, RATE)

    def start(settings: LiveSettings) -> Iterator[np.ndarray]:
        yield np.zeros((1, RATE), np.float32)
        raise OverflowError("of something")

    monkeypatch.setattr(engine, "start", start)
    with LiveStream(engine) as stream, pytest.raises(OverflowError, match="of something"):
        for _ in stream.blocks():
            pass


def test_a_paced_output_keeps_to_the_clock_and_starts_it_again_after_a_gap() -> None:
    now = 0.0
    written: list[float] = []

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    def blocks() -> Iterator[np.ndarray]:
        nonlocal now
        for number in range(40):
            if number == 20:
                now += 5.0  # late
            yield np.zeros((1, 100), np.float32)

    paced(blocks(), lambda block: written.append(now), 1000, True, lambda: now, sleep)
    before, after = written[:20], written[20:]
    assert before[-1] - before[0] == pytest.approx(1.9, abs=0.11)
    assert after[-1] - after[0] == pytest.approx(1.9, abs=0.11)


def test_a_missing_sound_library_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("audiogen.jobs.live_output.is_installed", lambda extra: False)
    with pytest.raises(InputError, match="sounddevice is not installed; pip install"):
        Device(RATE, 2)


@pytest.mark.parametrize(("channels", "available", "played"), [(2, 2, 2), (1, 2, 2), (1, 1, 1)])
def test_a_sound_device_is_given_frames_and_counts_its_gaps(
    channels: int, available: int, played: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[np.ndarray] = []

    class Stream:
        latency = 0.25

        def start(self) -> None: ...

        def write(self, frames: np.ndarray) -> bool:
            written.append(frames)
            return len(written) == 2  # PortAudio: samples were lacking before these

    class Library:
        PortAudioError = OSError

        @staticmethod
        def query_devices(device: int, kind: str) -> dict[str, int]:
            assert (device, kind) == (3, "output")
            return {"max_output_channels": available}

        @staticmethod
        def OutputStream(**options: object) -> Stream:
            assert (options["samplerate"], options["channels"], options["device"]) == (RATE, played, 3)
            return Stream()

    monkeypatch.setattr("audiogen.jobs.live_output.load_sounddevice", lambda: Library)
    device = Device(RATE, channels, "3")
    block = np.array([[0.5, 2.0, 0.0], [-2.0, 0.0, 1.0]])[:channels]
    for _ in range(3):
        device.write(block)
    assert (device.gaps, device.latency) == (1, 0.25)
    expected = np.array([[0.5, -1], [1, 0], [0, 1]], np.float32) if channels == 2 else [[0.5] * 2, [1] * 2, [0] * 2]
    np.testing.assert_array_equal(written[0], np.array(expected)[:, :played])
    assert written[0].flags.c_contiguous
    assert written[0].dtype == np.float32
