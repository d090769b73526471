"""Fourier transforms along the last axis, and lengths of them that are fast.

They are PyTorch's: in single precision NumPy's take up to three times as long, and SciPy's take a fifth of a second to
import. Of no signals at all, which MKL refuses, they are NumPy's.
"""

from __future__ import annotations

from itertools import count
from typing import Literal

import numpy as np
import torch

FACTORS = (2, 3, 5, 7, 11)  # of lengths for which there is code of its own


def rfft(samples: np.ndarray) -> np.ndarray:
    """Spectra ``[..., length // 2 + 1]`` of ``[..., length]`` real samples, in their precision."""
    return _transform("rfft", samples)


def irfft(spectra: np.ndarray, length: int) -> np.ndarray:
    """Real samples ``[..., length]`` of ``[..., length // 2 + 1]`` spectra."""
    return _transform("irfft", spectra, length)


def fft(samples: np.ndarray, length: int | None = None) -> np.ndarray:
    """Spectra of ``[..., time]`` samples, which are padded to ``length`` if that is given."""
    return _transform("fft", samples, length)


def ifft(spectra: np.ndarray) -> np.ndarray:
    """Complex samples of spectra ``[..., length]``."""
    return _transform("ifft", spectra)


def _transform(
    name: Literal["rfft", "irfft", "fft", "ifft"], values: np.ndarray, length: int | None = None
) -> np.ndarray:
    """A transform of ``[..., length]`` values, by PyTorch unless there are none."""
    if not values.size:
        return np.asarray(getattr(np.fft, name)(values, length))
    return np.asarray(getattr(torch.fft, name)(torch.from_numpy(values), length))


def fast_length(length: int) -> int:
    """The next length, at least 1, that has no prime factors but `FACTORS`."""
    return next(each for each in count(max(length, 1)) if _remainder(each) == 1)


def _remainder(number: int) -> int:
    """What is left of a number without `FACTORS`."""
    for factor in FACTORS:
        while number % factor == 0:
            number //= factor
    return number
