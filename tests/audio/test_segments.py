"""Segments of a file are those of the whole, and are warned of as they are."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from audiogen.audio import AudioWarning, Recording, read, read_segment, write

RATE = 8000


@pytest.mark.parametrize("name", ["a.wav", "a.ogg"])
def test_clipping_is_warned_of_in_the_segment_that_has_it(tmp_path: Path, name: str) -> None:
    samples = (0.3 * np.random.default_rng(0).standard_normal((2, 4 * RATE))).clip(-0.9, 0.9).astype(np.float32)
    samples[:, 3 * RATE : 3 * RATE + 200] = 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AudioWarning)
        write(tmp_path / name, Recording(samples, RATE), "PCM_16" if name == "a.wav" else "VORBIS")
        whole = read(tmp_path / name)
    if name == "a.wav":
        with pytest.warns(AudioWarning, match=r"a\.wav: clipped: \d+ of 32000 samples are flat"):
            loud = read_segment(tmp_path / name, 2.0, 4.0)
        with warnings.catch_warnings():
            warnings.simplefilter("error", AudioWarning)
            quiet = read_segment(tmp_path / name, 0.5, 1.5)
    else:  # decoded as a whole
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AudioWarning)
            loud, quiet = read_segment(tmp_path / name, 2.0, 4.0), read_segment(tmp_path / name, 0.5, 1.5)
            assert read_segment(tmp_path / name, 9.0, None).samples.shape == (2, 0)
        assert quiet.samples.base is None or quiet.samples.base.size == quiet.samples.size
    np.testing.assert_array_equal(loud.samples, whole.samples[:, 2 * RATE :])
    np.testing.assert_array_equal(quiet.samples, whole.samples[:, RATE // 2 : 3 * RATE // 2])
