"""Peaks and spectrogram tiles: the same at any zoom, and right for a tone and a click."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from audiogen.audio import Recording, SegmentReader, read, read_segment, write
from audiogen.studio.peaks import BASE_LEVEL, TILE, Peaks
from audiogen.studio.spectrogram import MIN_HZ, ROWS, Spectrogram

RATE = 44100


def saved(path: Path, samples: np.ndarray, subtype: str | None = None) -> Path:
    write(path, Recording(samples.astype(np.float32), RATE), subtype, exact=True)
    return path


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    samples = 0.2 * np.random.default_rng(0).standard_normal((2, 5 * RATE + 123))
    samples[0, 3 * RATE] = 0.99
    return saved(tmp_path_factory.mktemp("noise") / "noise.wav", samples)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3"])
def test_any_segment_is_that_of_the_whole_file(tmp_path: Path, noise: Path, name: str) -> None:
    path = tmp_path / name
    write(path, read(noise))
    whole = read(path)
    with SegmentReader(path, tmp_path / "copy.f32") as reader:
        assert (reader.length, reader.channels, reader.sample_rate) == (whole.length, 2, RATE)
        for start, stop in ((0, 10), (100_000, 170_001), (whole.length - 5, whole.length + 99), (-7, 3), (9, 9)):
            expected = whole.samples[:, max(start, 0) : max(stop, 0)]
            np.testing.assert_array_equal(reader.read(start, stop), expected)
    segment = read_segment(path, 1.0, 2.5)
    np.testing.assert_array_equal(segment.samples, whole.samples[:, RATE : RATE + round(1.5 * RATE)])
    assert segment.start == RATE
    assert read_segment(path, 0, None).length == whole.length


def test_samples_that_are_not_finite_do_not_reach_the_page(tmp_path: Path) -> None:
    import soundfile

    samples = np.full((1000, 1), 0.5, np.float32)
    samples[500] = np.nan
    soundfile.write(tmp_path / "nan.wav", samples, RATE, subtype="FLOAT")
    with SegmentReader(tmp_path / "nan.wav", tmp_path / "copy.f32") as reader:
        assert np.isfinite(reader.read(0, 1000)).all()
    with pytest.warns(match="interpolated"):
        assert read_segment(tmp_path / "nan.wav", 0, None).samples == pytest.approx(0.5)


def test_tiles_of_all_levels_hold_the_extremes_of_their_samples(tmp_path: Path, noise: Path) -> None:
    samples = read(noise).samples
    with SegmentReader(noise, tmp_path / "copy.f32") as reader:
        peaks = Peaks(reader, tmp_path / "peaks.npy")
        peaks.compute()
        for level in (4, BASE_LEVEL, 11, 16, 20):
            size, tile = 1 << level, 0 if level > 4 else 1
            found = peaks.tile(level, tile).astype(np.float64) / 32767
            assert found.shape[1] == min(TILE, -(-samples.shape[1] // size) - tile * TILE)
            for column in range(0, found.shape[1], 97):
                start = (tile * TILE + column) * size
                part = samples[:, start : start + size]
                np.testing.assert_allclose(found[:, column], np.stack([part.min(1), part.max(1)], 1), atol=2e-5)
        assert peaks.tile(BASE_LEVEL, 99).shape == (2, 0, 2)
        kept = Peaks(reader, tmp_path / "peaks.npy")
        kept.compute()
        np.testing.assert_array_equal(kept.tile(14, 0), peaks.tile(14, 0))


def test_before_all_peaks_are_known_an_estimate_stays_below_them(tmp_path: Path, noise: Path) -> None:
    with SegmentReader(noise, tmp_path / "copy.f32") as reader:
        peaks = Peaks(reader, tmp_path / "peaks.npy")
        assert not peaks.complete
        early = peaks.tile(14, 0)
        peaks.compute()
        whole = peaks.tile(14, 0)
    assert early.shape == whole.shape
    assert (early[..., 1] <= whole[..., 1]).all()
    assert (early[..., 1] > 0.4 * np.median(whole[..., 1])).all()


def row_of(hertz: float) -> float:
    """Row of a frequency, the highest first."""
    return ROWS - ROWS * np.log(hertz / MIN_HZ) / np.log(RATE / 2 / MIN_HZ)


@pytest.mark.parametrize("hertz", [110.0, 1000.0, 8000.0])
@pytest.mark.parametrize("level", [9, 13])
def test_a_tone_is_a_line_at_its_logarithmic_frequency(tmp_path: Path, hertz: float, level: int) -> None:
    time = np.arange(4 * RATE) / RATE
    hiss = 1e-4 * np.random.default_rng(0).standard_normal(len(time))
    path = saved(tmp_path / "tone.wav", (0.5 * np.sin(2 * np.pi * hertz * time) + hiss)[None], "FLOAT")
    with SegmentReader(path, tmp_path / "copy.f32") as reader:
        spectrogram = Spectrogram(reader)
        tile = spectrogram.tile(level, 0, spectrogram.contrast).astype(int)
    assert abs(tile[:, 2:10].sum(axis=1).argmax() - row_of(hertz)) <= 1.5
    assert np.median(tile) < 128


def test_levels_are_those_of_the_samples_and_a_quieter_take_is_darker(tmp_path: Path, noise: Path) -> None:
    loud = read(noise).samples
    quiet = saved(tmp_path / "quiet.wav", loud * 10 ** (-10 / 20), "FLOAT")
    with SegmentReader(noise, tmp_path / "1") as one, SegmentReader(quiet, tmp_path / "2") as other:
        contrast = (-100.0, 0.0)
        difference = Spectrogram(one).tile(12, 0, contrast).astype(int) - Spectrogram(other).tile(12, 0, contrast)
    assert np.median(difference) * 100 / 255 == pytest.approx(10, abs=0.5)
