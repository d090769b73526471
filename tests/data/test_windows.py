"""Training windows: a function of seed and step, with all starts equally likely."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from audiogen.data.windows import Windows


def ramp(length: int, offset: int = 0) -> np.ndarray:
    """Frames that hold their own index."""
    return np.arange(offset, offset + length, dtype=np.float32)[:, None].repeat(2, axis=1)


def windows(*recordings: np.ndarray, length: int = 8, seed: int = 0) -> Windows:
    centres = [torch.full((2,), float(frames[0, 0])) for frames in recordings]
    return Windows(list(recordings), length, 4, centres, seed)


def test_a_batch_depends_on_seed_and_step_alone():
    one, other = windows(ramp(300)), windows(ramp(300))
    for step in (5, 1, 0):
        other.batch(step, 3)
    assert torch.equal(one.batch(7, 16)[0], other.batch(7, 16)[0])
    assert not torch.equal(one.batch(7, 16)[0], one.batch(8, 16)[0])
    assert not torch.equal(one.batch(7, 16)[0], windows(ramp(300), seed=1).batch(7, 16)[0])


def test_windows_are_segments_with_the_centre_of_their_recording():
    made = windows(ramp(30), ramp(50, 1000))
    frames, centres = made.batch(0, 200)
    assert frames.shape == (200, 8, 2)
    assert centres.shape == (200, 1, 2)
    assert (frames.diff(dim=1) == 1).all()
    assert torch.equal(centres[:, 0, 0], torch.where(frames[:, 0, 0] < 1000, 0.0, 1000.0))


def test_all_starts_are_equally_likely():
    made = windows(ramp(10), ramp(15, 1000))  # 3 and 8 starts
    starts = torch.cat([made.batch(step, 1000)[0][:, 0, 0] for step in range(11)])
    values, counts = starts.unique(return_counts=True)
    assert values.tolist() == [*range(3), *range(1000, 1008)]
    chi_square = float(((counts - 1000.0).square() / 1000).sum())
    assert chi_square < 30  # 10 degrees of freedom: exceeded once in a thousand


def test_a_window_is_a_multiple_long_and_fits_the_longest_recording():
    assert windows(ramp(100), length=30).length == 28
    assert windows(ramp(11), length=30).length == 8
    made = windows(ramp(5), ramp(21, 1000), length=30)
    assert made.length == 20
    assert float(made.batch(0, 100)[0].min()) >= 1000  # the short one has no such window
    with pytest.raises(ValueError, match="no recording has 4 frames"):
        windows(ramp(3))


def test_spread_covers_both_ends_and_never_changes():
    made = windows(ramp(30), ramp(50, 1000))
    frames, centres = made.spread(5)
    assert torch.equal(frames, made.spread(5)[0])
    assert frames[0, 0, 0] == 0
    assert frames[-1, -1, 0] == 1049
    assert centres.shape == (5, 1, 2)


def test_memory_maps_are_read_without_being_changed(tmp_path: Path):
    np.save(tmp_path / "frames.npy", ramp(1000))
    mapped = np.load(tmp_path / "frames.npy", mmap_mode="r")
    made = windows(mapped)
    assert isinstance(made.recordings[0], np.memmap)
    assert torch.equal(made.batch(3, 9)[0], windows(ramp(1000)).batch(3, 9)[0])
    made.batch(3, 9)[0].add_(1)  # a batch is a copy: the file stays as it is
    assert np.array_equal(np.load(tmp_path / "frames.npy"), ramp(1000))
