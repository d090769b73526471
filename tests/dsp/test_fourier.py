"""Transforms in single precision, and fast lengths."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import fft

from audiogen.dsp import fourier


@pytest.mark.parametrize(("precision", "error"), [(np.float32, 1e-4), (np.float64, 1e-12)])
@pytest.mark.parametrize("length", [16, 45, 2048])
def test_transforms_are_those_of_numpy_in_the_precision_of_the_samples(
    length: int, precision: type, error: float
) -> None:
    samples = np.random.default_rng(length).standard_normal((2, 3, length)).astype(precision)
    spectra, whole = fourier.rfft(samples), fourier.fft(samples)
    assert spectra.dtype == whole.dtype == np.result_type(precision, np.complex64)
    assert spectra == pytest.approx(np.fft.rfft(samples.astype(float)), abs=error)
    assert whole == pytest.approx(np.fft.fft(samples.astype(float)), abs=error)
    assert fourier.fft(samples, 2 * length)[..., ::2] == pytest.approx(whole, abs=error)
    assert fourier.irfft(spectra, length) == pytest.approx(samples, abs=error)
    assert fourier.ifft(whole) == pytest.approx(samples, abs=error)
    assert fourier.fft(samples[:0], 2 * length).shape == (0, 3, 2 * length)
    assert fourier.ifft(whole[:0]).shape == (0, 3, length)
    assert fourier.rfft(samples[:0]).shape == (0, 3, length // 2 + 1)
    assert fourier.irfft(spectra[:0], length).shape == (0, 3, length)


def test_fast_lengths_are_those_that_scipy_has_code_for() -> None:
    lengths = [1, 2, 11, 13, 97, 1000, 8001, 65537, 123457]
    assert [fourier.fast_length(length) for length in lengths] == [fft.next_fast_len(length) for length in lengths]
