"""Warnings about tails far from their recording: the figure, what is usual, the cure; none about good ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from audiogen.audio import AudioWarning, Recording
from audiogen.jobs import tail_check
from audiogen.jobs.continue_sound import continue_recording
from audiogen.jobs.request import Request
from audiogen.jobs.tail_check import MAX_WARNINGS, tail_warnings
from audiogen.metrics.tail_measures import measure_continuation
from audiogen.reports.continuation_page import write_continuation_page
from audiogen.run import Run
from tests.metrics.signals import RATE, impacts, modulated, noise, recording

PLAIN = Request()


def lines_of(prompt: np.ndarray, tail: np.ndarray, request: Request = PLAIN, morphs: bool = False) -> list[str]:
    return tail_warnings(measure_continuation(recording(prompt), recording(tail)), request, "morph" if morphs else "")


def tone(seconds: float, hertz: float = 440.0) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE))[None].astype(np.float32)


def rough(seconds: float) -> np.ndarray:
    """A tone whose phase wanders: noise as wide as a semitone, of the tone's level."""
    steps = np.random.default_rng(5).standard_normal(round(seconds * RATE)) * 0.08
    phase = 2 * np.pi * 440 * np.arange(round(seconds * RATE)) / RATE + np.cumsum(steps)
    return (0.3 * np.sin(phase))[None].astype(np.float32)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("make", [noise, impacts, lambda seconds, seed: modulated(seconds, seed, 0.7)])
def test_the_same_texture_gives_no_warning(make: Callable[[float, int], np.ndarray], seed: int) -> None:
    whole = make(24, seed)
    assert lines_of(whole[:, : 14 * RATE], whole[:, 14 * RATE :]) == []


def test_tones_that_became_noise() -> None:
    hiss = 0.003 * noise(22, 1)
    lines = lines_of(tone(12) + hiss[:, : 12 * RATE], rough(10) + hiss[:, 12 * RATE :])
    assert lines[0].startswith("its tones became noise: ")
    assert "dB over the rest, 5" in lines[0]
    assert lines[0].endswith("; listen to it, and to one with another --seed")
    assert lines_of(tone(12) + hiss[:, : 12 * RATE], tone(22)[:, 12 * RATE :] + hiss[:, 12 * RATE :]) == []


def test_a_tail_that_rings() -> None:
    assert lines_of(noise(12, 1), noise(10, 2) + tone(10))[0].startswith("it rings: its tones are ")


def test_dips_and_the_fades_they_come_from() -> None:
    prompt, tail = noise(12, 1), noise(10, 2)
    for start in range(0, 10 * RATE, 2 * RATE):
        tail[:, start : start + RATE // 5] *= 0.2
    assert "; try --temperature 0.5 or another --seed" in lines_of(prompt, tail)[0]
    prompt[:, -2 * RATE :] *= np.linspace(1, 0, 2 * RATE)
    lines = lines_of(prompt, tail)
    assert lines[0].startswith("its level dips by 14 dB below its median, the recording's by ")
    assert lines[0].endswith("; the recording fades out over 1.4 s: cut that off first")
    assert not any("dips" in line for line in lines_of(prompt, tail, Request(temperature=2.0)))


def test_another_texture() -> None:
    lines = lines_of(noise(14, 1), impacts(10, 2))
    assert any(line.startswith("its texture differs from the recording's: a distance of ") for line in lines)
    assert not any("texture" in line for line in lines_of(noise(14, 1), impacts(10, 2), morphs=True))


def test_a_break_at_the_join() -> None:
    hum = tone(22) + 0.01 * noise(22, 1)
    shifted = np.concatenate([hum[:, : 12 * RATE], -hum[:, 12 * RATE :]], axis=1)
    assert lines_of(hum[:, : 12 * RATE], hum[:, 12 * RATE :]) == []
    lines = lines_of(hum[:, : 12 * RATE], shifted[:, 12 * RATE :])
    assert lines[0].startswith(("there is a click at the join: ", "there is a break at the join: "))
    assert lines[0].endswith("; cut a moment off the recording's end, or try another --seed")


@pytest.mark.filterwarnings("ignore::audiogen.audio.AudioWarning")
def test_the_codec_is_named_for_a_click_of_its_own(tmp_path: Path) -> None:
    """A tail that is encoded alone begins with the encoder's transient; encoded with the recording it does not."""
    prompt = recording(noise(4, 1))
    for name, alone in {"alone.mp3": True, "whole.mp3": False, "alone.wav": True}.items():
        sidecar = continue_recording(prompt, tmp_path / name, Request(seconds=1.5, tail_only=alone))
        assert ("encoded_alone" in sidecar["measures"]["join"]) == (name == "alone.mp3")
    flat = {"join": {"click": 9.0, "click_percentile": 100.0, "encoded_alone": True}}
    (line,) = tail_warnings(flat, PLAIN)
    assert line.startswith("there is a click at the join: 9 times the usual prediction error; the codec makes it")


def test_a_copy_and_a_loop() -> None:
    prompt = impacts(14, 1)
    tail = np.tile(prompt[:, 5 * RATE : 8 * RATE], (1, 4))
    lines = lines_of(prompt, tail)
    assert any(
        line.endswith("copies the recording (up to 10% is usual); give a longer recording, or try another --seed")
        for line in lines
    )
    assert any("of it repeats itself (up to 10% is usual)" in line for line in lines)


@pytest.mark.parametrize(("gain", "text"), [(2.0, "rises to -1"), (0.5, "falls to -2")])
def test_a_level_beyond_the_recordings(gain: float, text: str) -> None:
    tail = noise(20, 2)
    tail[:, 10 * RATE :] *= gain
    (line,) = (line for line in lines_of(noise(14, 1), tail) if "level" in line)
    assert text in line
    assert f"amplify it by {-6 if gain > 1 else 6} dB" in line
    request = Request(level=20 * np.log10(gain))
    assert not any("level" in line for line in lines_of(noise(14, 1), tail, request))


def test_a_tail_that_becomes_darker_or_freezes() -> None:
    tail = noise(10, 2)
    dark = tail.copy()
    dark[:, 1:] += tail[:, :-1]  # a slope towards low frequencies, by half the samples' sum
    dark *= 0.7
    lines = lines_of(noise(14, 1), dark)
    assert any(line.startswith("it becomes darker: ") for line in lines)
    flat = {"segments": {"variance": {"low": 2.0, "high": 3.0, "usual_low": 9.0, "usual_high": 10.0}}}
    assert tail_warnings(flat, PLAIN)[0].startswith("it freezes: the variance of its bands falls to 2.0 dB²")
    assert tail_warnings(flat, Request(temperature=0.0)) == []


RANGES = [
    ("level_db", (-22.4, -20, -20, -18), None),
    ("level_db", (-22.6, -20, -20, -18), "its level falls to -22.6 dBFS, the recording's is from -20.0 to -18.0; "),
    ("level_db", (-20, -15.4, -20, -18), "its level rises to -15.4 dBFS, the recording's is from -20.0 to -18.0; "),
    ("level_db", (-30, -10, -20, -18), "its level varies from -30.0 to -10.0 dBFS, the recording's from "),
    ("centroid_hz", (890, 1110, 1000, 1000), None),
    ("centroid_hz", (900, 1130, 1000, 1000), "it becomes brighter: its spectral centroid rises to 1130 Hz, "),
    ("centroid_hz", (870, 1100, 1000, 1000), "it becomes darker: its spectral centroid falls to 870 Hz, "),
    ("variance", (5.1, 19.9, 10, 10), None),
    ("variance", (6, 20.1, 10, 10), "it is rougher: the variance of its bands reaches 20.1 dB², "),
    ("variance", (4.9, 10, 10, 10), "it freezes: the variance of its bands falls to 4.9 dB², "),
    ("correlation", (0.36, 0.74, 0.5, 0.6), None),
    ("correlation", (0.5, 0.76, 0.5, 0.6), "its stereo image narrows: the channels correlate by 0.76, "),
    ("correlation", (0.34, 0.5, 0.5, 0.6), "its stereo image widens: the channels correlate by 0.34, "),
    ("tonality_db", (20, 26, 30, 31), None),
    ("tonality_db", (20, 24, 30, 31), "its tones became noise: 24 dB over the rest, 30 in the recording; "),
    ("tonality_db", (-20, -19, -4, -3.5), None),
    ("tonality_db", (-2.5, 0, -20, -8), "it rings: its tones are -2 dB over the rest, -8 in the recording; "),
    ("tonality_db", (-4, 0, -20, -10), None),
]


@pytest.mark.parametrize(("name", "edges", "text"), RANGES)
def test_the_margins_beyond_the_usual_range(name: str, edges: tuple[float, ...], text: str | None) -> None:
    named = dict(zip(("low", "high", "usual_low", "usual_high"), edges, strict=True))
    lines = tail_warnings({"segments": {name: named}}, PLAIN)
    assert len(lines) == (text is not None)
    assert all(line.startswith(str(text)) for line in lines)


def test_the_limits_of_the_other_measures() -> None:
    def lines(**measures: Any) -> list[str]:
        return tail_warnings(measures, PLAIN)

    assert lines(texture={"overall": 1.5, "classes": {"moments": 1.5}}) == []
    (line,) = lines(texture={"overall": 1.6, "classes": {"moments": 1.5, "attack": 1.7}})
    assert "a distance of 1.6 (" in line
    assert "most in attack (1.7)" in line
    assert lines(copying={"fraction": 0.1}, looping={"fraction": 0.1}) == []
    assert lines(copying={"fraction": 0.11})[0].startswith("11% of it copies the recording")
    assert lines(looping={"fraction": 0.11})[0].startswith("11% of it repeats itself")
    assert lines(dips={"dip_db": 7.9, "usual_dip_db": 3.0, "fade_in_seconds": 1.0, "fade_out_seconds": 0.0}) == []
    (line,) = lines(dips={"dip_db": 8.1, "usual_dip_db": 3.0, "fade_in_seconds": 1.0, "fade_out_seconds": 2.0})
    assert line.endswith("the recording fades in over 1.0 s and out over 2.0 s: cut that off first")
    usual = {"flux": 1.9, "flux_percentile": 100, "click": 5.9, "click_percentile": 100, "level_step_db": 2.9}
    assert lines(join=usual | {"level_step_percentile": 100}, loop_seam=None) == []
    assert lines(join=usual | {"click": 50.0, "flux": 50.0, "click_percentile": 99, "flux_percentile": 99}) == []
    assert "a break at the join: the spectrum changes 2.1 times" in lines(join=usual | {"flux": 2.1})[0]
    assert "a click at the join: 7 times" in lines(join=usual | {"click": 7.0, "flux": 2.1})[0]
    step = {"level_step_db": -3.1, "level_step_percentile": 100}
    assert "the level steps by -3.1 dB where the loop starts over" in lines(loop_seam=usual | step)[0]
    assert lines(seconds=1.0, copying={"fraction": 0.5}) != []
    assert lines(seconds=0.99, copying={"fraction": 0.5}) == []
    assert lines(join=None, segments=None, texture=None, dips=None, copying=None, looping=None) == []


def test_at_most_three_lines_the_most_important_first() -> None:
    lines = lines_of(tone(12), 3 * impacts(10, 1))
    assert len(lines) == MAX_WARNINGS
    assert lines[0].startswith("its tones became noise")


def test_command_sidecar_and_page_show_the_warning(
    texture: Callable[..., Recording],
    untrained: Callable[..., Run],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prompt, out = texture(2.0), tmp_path / "out.wav"
    calls = []

    def found(measures: Any, request: Request, kind: str) -> list[str]:
        calls.append((measures["seconds"], request.seed, kind))
        return ["it hums: 20 dB, 3 in the recording; leave it out"]

    monkeypatch.setattr(tail_check, "tail_warnings", found)
    with pytest.warns(AudioWarning, match=r"out\.wav: it hums: 20 dB") as caught:
        sidecar = continue_recording(prompt, out, Request(seconds=1.0, seed=7), untrained(prompt))
    assert len(caught) == 1
    assert calls == [(1.0, 7, "")]
    assert sidecar["warnings"] == [f"{out}: it hums: 20 dB, 3 in the recording; leave it out"]
    write_continuation_page(tmp_path / "page.html", prompt, out, sidecar)
    assert "it hums: 20 dB" in (tmp_path / "page.html").read_text()
