"""Quad, 5.1 and ambisonics: the tail keeps the spatial covariance, silent loudspeakers and the order of channels."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from audiogen.audio import Recording
from audiogen.metrics.stereo import pair_differences
from audiogen.run import Run
from audiogen.sound.continuation import Continuer

MAX_DIFFERENCE_DB = 1.0


def first_order(azimuth: float, elevation: float) -> np.ndarray:
    """Gains of W, Y, Z, X (AmbiX: SN3D)."""
    flat = np.cos(elevation)
    return np.array([1, np.sin(azimuth) * flat, np.sin(elevation), np.cos(azimuth) * flat])


LAYOUTS = {
    "quad": np.array([[1, 0.5, 0, 0], [0.2, 1, 0.1, 0], [0, 0, 0.5, 0.2], [0, 0.1, 0.1, 0.7]]),
    "5.1, silent LFE": np.array(
        [[1, 0.2, 0, 0], [0.2, 1, 0, 0], [0.5, 0.5, 0, 0.1], [0, 0, 0, 0], [0, 0, 1, 0.2], [0, 0, 0.2, 1]]
    ),
    "first-order AmbiX": np.stack(
        [first_order(0.3, 0.1), first_order(2, -0.2), first_order(-1.8, 0.6), [0.4, 0, 0, 0]], 1
    ),
}


@pytest.mark.parametrize("gains", LAYOUTS.values(), ids=LAYOUTS)
def test_the_spatial_covariance_is_kept(
    texture: Callable[..., Recording], untrained: Callable[..., Run], gains: np.ndarray
) -> None:
    sources = np.concatenate([texture(6.0, seed).samples for seed in range(4)])
    prompt = Recording((0.5 * gains @ sources).astype(np.float32), 44100)
    tail = np.concatenate(list(Continuer(untrained(texture(4.0)), prompt).tail(6 * 44100, 1)), axis=1)
    assert [not channel.any() for channel in tail] == [not row.any() for row in gains]
    moments, reference = (samples @ samples.T / samples.shape[1] for samples in (tail, prompt.samples))
    assert np.abs(pair_differences(moments, reference)).max() < MAX_DIFFERENCE_DB
