"""The mel filterbank, compared with librosa's."""

from __future__ import annotations

import hashlib

import librosa
import numpy as np
import pytest

from audiogen.representation.filterbank import mel_filterbank
from audiogen.representation.mel import MelSpec


def test_the_default_has_the_checksum_of_bigvgans() -> None:
    """The checksum is that of `librosa.filters.mel(sr=44100, n_fft=2048, n_mels=128, fmin=0, fmax=22050)`."""
    found = hashlib.sha256(np.ascontiguousarray(MelSpec().filterbank()).tobytes()).hexdigest()
    assert found == "ac731832a9c3585e15c48b96defd3923a4f98f90f61d298460d62923302c3f16"


@pytest.mark.parametrize(
    ("rate", "size", "bands", "low", "high"), [(24000, 1024, 100, 0, 12000), (16000, 512, 40, 60, 7600)]
)
@pytest.mark.parametrize("scale", ["slaney", "htk"])
@pytest.mark.parametrize("equal_area", [True, False])
def test_it_equals_librosas(
    rate: int, size: int, bands: int, low: float, high: float, scale: str, equal_area: bool
) -> None:
    norm = "slaney" if equal_area else None
    wanted = librosa.filters.mel(
        sr=rate, n_fft=size, n_mels=bands, fmin=low, fmax=high, htk=scale == "htk", norm=norm, dtype=np.float32
    )
    found = mel_filterbank(rate, size, bands, low, high, scale, equal_area)
    np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-9)


def test_empty_bands_cause_a_warning() -> None:
    with pytest.warns(UserWarning, match="mel bands are empty"):
        mel_filterbank(44100, 256, 256, 0, 22050, "slaney", True)
