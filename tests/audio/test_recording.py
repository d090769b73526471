"""What a Recording accepts, and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from audiogen.audio import Recording
from audiogen.errors import InputError

RATE = 8000


def test_float32_channels_are_kept_without_a_copy() -> None:
    samples = np.zeros((2, 5), np.float32)
    assert Recording(samples, RATE).samples is samples


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, np.longdouble])
def test_numpy_of_any_float_type_becomes_float32_channels(kind: type) -> None:
    mono = Recording(np.array([0.25, -0.5], kind), RATE)
    assert mono.samples.dtype == np.float32
    np.testing.assert_array_equal(mono.samples, [[0.25, -0.5]])
    assert Recording(np.zeros((2, 7), kind), RATE).samples.shape == (2, 7)


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_torch_of_any_float_type_becomes_float32_channels(kind: torch.dtype) -> None:
    recording = Recording(torch.tensor([[0.25, -0.5]], dtype=kind, requires_grad=True), RATE)
    assert recording.samples.dtype == np.float32
    np.testing.assert_array_equal(recording.samples, [[0.25, -0.5]])


def test_the_sample_rate_may_be_any_integer() -> None:
    assert type(Recording(np.zeros(3), np.int64(RATE)).sample_rate) is int  # type: ignore[arg-type]


def test_a_part_and_an_empty_recording_stay_recordings() -> None:
    recording = Recording(np.arange(6.0).reshape(2, 3), RATE)
    assert recording.cut(1, 1).samples.shape == (2, 0)
    assert recording.resampled(2 * RATE).sample_rate == 2 * RATE


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.zeros((2, 3, 4)), r"their shape is \[2, 3, 4\]; give \[channels, time\]"),
        (np.zeros((0, 4)), "their shape"),
        (np.float64(1.0), "not an array"),
        (np.array(1.0), "their shape"),
        ([0.0, 1.0], "a list is not an array"),
        (np.zeros(4, np.int16), "samples / 32768"),
        (torch.zeros(4, dtype=torch.int16), "they are int16"),
        (np.zeros(4, complex), "real floating-point"),
        (np.array([0.0, np.nan, np.inf]), "2 of 3 are NaN or infinite"),
        (np.array([0.0, 1e300]), "1 of 2 are NaN or infinite"),
        (np.array([np.inf, -np.inf], np.float32), "2 of 2"),
    ],
)
def test_other_samples_are_refused_by_name(samples: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Recording(samples, RATE)


def test_large_samples_are_not_taken_for_infinite_ones() -> None:
    assert Recording(np.full(4, 3e38, np.float32), RATE).length == 4  # whose sum no float32 holds


@pytest.mark.parametrize("rate", [0, -1, 44100.0, True, "44100"])
def test_other_sample_rates_are_refused(rate: Any) -> None:
    with pytest.raises(InputError, match=r"sample_rate: .* is not a positive integer; give Hz"):
        Recording(np.zeros(3), rate)
