"""Sets of takes: as loud as the prompt, and compared with each other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from audiogen.audio import AudioWarning, Recording, write
from audiogen.jobs.loudness_target import Loudness, highest_bed, loudness_of, measured_loudness
from audiogen.jobs.request import Request
from audiogen.jobs.take_set import compare_sounds, compare_takes, equally_loud, levels_of_set, request_for_set

Texture = Callable[..., Recording]


def test_takes_are_tails_as_loud_as_the_prompt(texture: Texture) -> None:
    request = request_for_set(texture(2.0), Request())
    assert request.tail_only
    assert request.loudness is not None
    assert -60 < request.loudness < -5
    assert request_for_set(texture(2.0), Request(loudness=-30.0)).loudness == -30.0
    assert request_for_set(Recording(np.zeros((1, 44100), np.float32), 44100), Request()).loudness is None


def drips(*onsets: float, seconds: float, bed: float = 0.001) -> Recording:
    """A quiet bed, and decaying tones 30 dB above it."""
    generator, rate = np.random.default_rng(len(onsets)), 44100
    samples, clock = bed * generator.standard_normal(round(seconds * rate)), np.arange(rate // 2) / rate
    for onset in onsets:
        first = round(onset * rate)
        samples[first : first + len(clock)] += 0.3 * np.exp(-15 * clock) * np.sin(2 * np.pi * 900 * clock)
    return Recording(samples[None].astype(np.float32), rate)


def test_a_take_without_an_event_keeps_its_bed() -> None:
    prompt = drips(1.0, 4.0, 9.0, 13.0, seconds=16.0)
    takes = [drips(0.5, seconds=3.0), drips(seconds=3.0), drips(0.2, 1.4, seconds=3.0)]
    own = loudness_of(prompt)
    assert own is not None
    with pytest.warns(AudioWarning, match=r"take 2: up to [23]\d LU quieter than the other takes, for want of events"):
        made = equally_loud(prompt, takes, own, requested=False)
    loud, quiet, other = (loudness_of(take) for take in made)
    assert loud == pytest.approx(other, abs=0.05) == pytest.approx(own, abs=0.05)
    assert quiet is not None
    assert quiet < own - 20
    assert measured_loudness(made[1]).bed < highest_bed(prompt, 3.0) + 3.0
    with pytest.warns(AudioWarning, match="quieter than the recording, for want of events"):
        (alone,) = levels_of_set(prompt, {"a": measured_loudness(takes[1])}, own - 6.0, requested=False)
    assert alone.gain_db == pytest.approx(-6.0)


def test_a_take_without_an_event_is_never_louder_than_the_others() -> None:
    """The others, which are far quieter, need more gain than it does."""
    prompt = drips(1.0, 4.0, 9.0, 13.0, seconds=16.0)
    own = loudness_of(prompt)
    assert own is not None
    takes = {name: Loudness(own - 25, 0.001, own - 60, 3.0) for name in "ab"}
    levels = levels_of_set(prompt, {**takes, "c": Loudness(own - 5, 0.01, own - 6, 3.0)}, own, requested=False)
    assert [level.lufs for level in levels] == pytest.approx([own] * 3)


def test_loudnesses_of_a_set_in_waves_are_equal() -> None:
    """A lull of waves has no events over a bed: all of it is quieter."""
    swell = 0.1 * 10 ** (8 * np.sin(2 * np.pi * np.arange(16 * 44100) / (8 * 44100)) / 20)
    waves = (swell * np.random.default_rng(0).standard_normal(16 * 44100))[None].astype(np.float32)
    prompt, own = Recording(waves, 44100), loudness_of(Recording(waves, 44100))
    assert own is not None
    takes = [prompt.cut(second * 44100, (second + 3) * 44100) for second in (0, 1, 6)]  # crest, crest and lull
    made = equally_loud(prompt, takes, own - 12.0, requested=True)  # a warning would be an error
    assert [loudness_of(take) for take in made] == pytest.approx([own - 12.0] * 3, abs=0.05)


def test_a_copy_is_the_nearest_pair(texture: Texture, tmp_path: Path) -> None:
    outs = [tmp_path / f"take-{number}.wav" for number in (1, 2, 3)]
    takes = [texture(3.0, 1), texture(3.0, 2), texture(4.0, 3)]
    copied = takes[0].samples[:, 22050:110250]
    takes[2].samples[:, 44100 : 44100 + copied.shape[1]] = 0.5 * copied  # elsewhere in the take, and quieter
    for out, take in zip(outs, takes, strict=True):
        write(out, take)
    with pytest.warns(
        AudioWarning, match=r"take-1\.wav and take-3\.wav are alike.*; leave out take-3\.wav, and no two"
    ):
        report = compare_takes(texture(8.0), outs)
    assert report is not None
    assert report.nearest.takes == ("take-1.wav", "take-3.wav")
    assert report.leave_out == ("take-3.wav",)
    assert report.nearest.repeated > 0.4
    assert report.real is not None
    assert report.real.repeated < 0.2
    assert str(report).startswith("nearest pair: take-1.wav and take-3.wav, similarity 1.00, ")
    assert "% repeated; of two segments of the recording: similarity 0." in str(report)


def test_takes_are_left_out_in_their_order(texture: Texture) -> None:
    """Of two that are alike it is the later one, by place and not by name."""
    takes = {f"take {number}": texture(1.5, number) for number in range(1, 13)}
    takes["take 10"], takes["take 12"] = takes["take 9"], takes["take 2"]
    with pytest.warns(AudioWarning, match="leave out take 10, take 12, and no two are"):
        report = compare_sounds(texture(8.0, 20), takes)
    assert report is not None
    assert report.leave_out == ("take 10", "take 12")


def test_unrelated_takes_are_no_nearer_than_segments_of_the_prompt(texture: Texture, tmp_path: Path) -> None:
    outs = [tmp_path / f"take-{number}.wav" for number in (1, 2, 3)]
    for number, out in enumerate(outs, 1):
        write(out, texture(3.0, number))
    report = compare_takes(texture(8.0), outs)  # a warning would be an error
    assert report is not None
    assert report.real is not None
    assert report.nearest.similarity < report.real.similarity + 0.1
    assert report.leave_out == ()
    assert report.nearest.repeated < 0.2


def test_too_little_to_compare(texture: Texture, tmp_path: Path) -> None:
    write(tmp_path / "a.wav", texture(2.0))
    assert compare_takes(texture(4.0), [tmp_path / "a.wav"]) is None
