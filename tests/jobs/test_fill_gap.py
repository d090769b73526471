"""Filling gaps: both seams are joins, the segments stay bit-exact, and the level glides from one to the other."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from audiogen.audio import AudioWarning, Recording, read, read_metadata, write
from audiogen.errors import InputError
from audiogen.jobs.fill_gap import Gap, fill_gap, gap_in
from audiogen.jobs.loudness_target import loudness_of
from audiogen.jobs.request import Request
from audiogen.run import Run
from tests.audio.metadata.wave_files import RATE, cue, everything, labels, write_wav

Texture = Callable[..., Recording]
pytestmark = pytest.mark.filterwarnings("ignore::audiogen.audio.AudioWarning")  # of an untrained Model's tail


@pytest.fixture
def run(untrained: Callable[..., Run], texture: Texture) -> Run:
    return untrained(texture(4.0))


def level(samples: np.ndarray) -> float:
    return float(10 * np.log10(np.square(samples, dtype=np.float64).mean()))


def test_everything_outside_the_gap_is_bit_exact(texture: Texture, run: Run, tmp_path: Path) -> None:
    write(tmp_path / "clip.wav", texture(7.0, channels=2), "PCM_16")
    clip = read(tmp_path / "clip.wav")
    sidecar = fill_gap(gap_in(clip, 3.0, 4.5), tmp_path / "out.wav", Request(seed=3), run)
    out = read(tmp_path / "out.wav")
    start, stop = 3 * 44100, round(4.5 * 44100)
    assert sidecar["gap"] == {"start": start, "stop": stop}
    assert out.length == clip.length == sidecar["length"]
    assert sidecar["loudness_lufs"] == pytest.approx(loudness_of(out), abs=1e-6)
    np.testing.assert_array_equal(out.samples[:, :start], clip.samples[:, :start])
    np.testing.assert_array_equal(out.samples[:, stop:], clip.samples[:, stop:])
    assert not np.array_equal(out.samples[:, start:stop], clip.samples[:, start:stop])
    assert abs(level(out.samples[:, start:stop]) - level(clip.samples)) < 2.5
    for seam in sidecar["measures"]["seams"].values():
        assert seam["click_percentile"] < 100
        assert seam["flux_percentile"] < 100
    assert json.loads((tmp_path / "out.json").read_text()) == sidecar


def test_the_same_seed_gives_the_same_filling_alone_or_with_its_sides(
    texture: Texture, run: Run, tmp_path: Path
) -> None:
    gap = Gap(texture(2.0), texture(2.0, 1), 22050)
    fill_gap(gap, tmp_path / "whole.wav", Request(seed=1), run)
    fill_gap(gap, tmp_path / "only.wav", Request(seed=1), run, gap_only=True)
    whole, only = (read(tmp_path / f"{name}.wav").samples for name in ("whole", "only"))
    np.testing.assert_array_equal(whole[:, 2 * 44100 : 2 * 44100 + 22050], only)


def test_the_level_glides_from_one_segment_to_the_other(run: Run, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).standard_normal((2, 1, 3 * 44100)).astype(np.float32)
    loud, quiet = Recording(0.1 * noise[0], 44100), Recording(0.025 * noise[1], 44100)  # 12 dB
    for before, after, sign in ((loud, quiet, -1), (quiet, loud, 1)):
        fill_gap(Gap(before, after, 4 * 44100), tmp_path / "out.wav", Request(), run, gap_only=True)
        filled = read(tmp_path / "out.wav").samples
        first, middle, last = (level(part) for part in np.array_split(filled, 3, axis=1))
        assert 2 < sign * (middle - first) < 6
        assert 2 < sign * (last - middle) < 6
        assert abs(first - sign * 2 - level(before.samples)) < 2.5


def test_a_gap_shorter_than_a_fade(texture: Texture, run: Run, tmp_path: Path) -> None:
    for length in (1, 3, 400):
        fill_gap(Gap(texture(2.0), texture(2.0, 1), length), tmp_path / "out.wav", Request(), run)
        assert read(tmp_path / "out.wav").length == 4 * 44100 + length


def test_metadata_move_around_the_gap(tmp_path: Path) -> None:
    """Silence needs no Model. The markers are at 1000 and 24 000; one of the two lies in the gap."""
    clip = read(write_wav(tmp_path / "clip.wav", np.zeros(RATE), *everything(RATE)))
    fill_gap(gap_in(clip, 0.4, 0.6), tmp_path / "out.wav", Request())
    metadata = read_metadata(tmp_path / "out.wav")
    gap = [(19_200, b"gap"), (28_800, b"gap end")]
    assert [(marker.position, marker.label) for marker in metadata.markers] == [(1000, b"door"), *gap]
    assert metadata.broadcast is not None
    assert metadata.broadcast.time_reference == 172_800_000
    fill_gap(gap_in(clip, 0.1, 0.2), tmp_path / "out.wav", Request())
    assert (24_000, b"gust") in [
        (marker.position, marker.label) for marker in read_metadata(tmp_path / "out.wav").markers
    ]
    fill_gap(gap_in(clip, 0.1, 0.2), tmp_path / "out.wav", replace(Request(), metadata=False))
    assert read_metadata(tmp_path / "out.wav").broadcast is None


def test_markers_of_the_second_file_are_kept_too(tmp_path: Path) -> None:
    before = read(write_wav(tmp_path / "before.wav", np.zeros(RATE // 2), cue(100), labels(b"one")))
    after = read(write_wav(tmp_path / "after.wav", np.zeros(RATE), *everything(RATE)))
    with pytest.warns(AudioWarning, match="only markers were kept"):
        fill_gap(Gap(before, after, 1000), tmp_path / "out.wav", Request())
    start, stop = RATE // 2, RATE // 2 + 1000
    assert [(marker.position, marker.label) for marker in read_metadata(tmp_path / "out.wav").markers] == [
        (100, b"one"),
        (start, b"gap"),
        (stop, b"gap end"),
        (stop + 1000, b"door"),
        (stop + RATE // 2, b"gust"),
    ]


def test_what_cannot_be_filled_is_refused(texture: Texture) -> None:
    clip = texture(2.0)
    for start, stop in ((0.0, 1.0), (1.0, 2.0), (1.5, 1.0), (1.0, 5.0)):
        with pytest.raises(InputError, match="does not lie inside"):
            gap_in(clip, start, stop)
    with pytest.raises(InputError, match="1 channels at 44100"):
        Gap(texture(1.0, channels=2), clip, 100)
    with pytest.raises(InputError, match="above 0 s"):
        Gap(clip, clip, 0)
