"""Sets of takes: as loud as the prompt, and compared with each other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from audiogen.audio import AudioWarning, Recording, write
from audiogen.jobs.request import Request
from audiogen.jobs.take_set import compare_takes, request_for_set

Texture = Callable[..., Recording]


def test_takes_are_tails_as_loud_as_the_prompt(texture: Texture) -> None:
    request = request_for_set(texture(2.0), Request())
    assert request.tail_only
    assert request.loudness is not None
    assert -60 < request.loudness < -5
    assert request_for_set(texture(2.0), Request(loudness=-30.0)).loudness == -30.0
    assert request_for_set(Recording(np.zeros((1, 44100), np.float32), 44100), Request()).loudness is None


def test_a_copy_is_the_nearest_pair(texture: Texture, tmp_path: Path) -> None:
    outs = [tmp_path / f"take-{number}.wav" for number in (1, 2, 3)]
    takes = [texture(3.0, 1), texture(3.0, 2), texture(4.0, 3)]
    copied = takes[0].samples[:, 22050:110250]
    takes[2].samples[:, 44100 : 44100 + copied.shape[1]] = 0.5 * copied  # elsewhere in the take, and quieter
    for out, take in zip(outs, takes, strict=True):
        write(out, take)
    with pytest.warns(AudioWarning, match=r"take-1\.wav and take-3\.wav are alike"):
        report = compare_takes(texture(8.0), outs)
    assert report is not None
    assert report.nearest.takes == ("take-1.wav", "take-3.wav")
    assert report.nearest.repeated > 0.4
    assert report.real is not None
    assert report.real.repeated < 0.2
    assert "nearest pair: take-1.wav and take-3.wav" in str(report)


def test_unrelated_takes_are_no_nearer_than_segments_of_the_prompt(texture: Texture, tmp_path: Path) -> None:
    outs = [tmp_path / f"take-{number}.wav" for number in (1, 2, 3)]
    for number, out in enumerate(outs, 1):
        write(out, texture(3.0, number))
    report = compare_takes(texture(8.0), outs)  # a warning would be an error
    assert report is not None
    assert report.real is not None
    assert report.nearest.similarity < report.real.similarity + 0.1
    assert report.nearest.repeated < 0.2


def test_too_little_to_compare(texture: Texture, tmp_path: Path) -> None:
    write(tmp_path / "a.wav", texture(2.0))
    assert compare_takes(texture(4.0), [tmp_path / "a.wav"]) is None
