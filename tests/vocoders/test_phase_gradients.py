"""Phase-gradient integration: roots agree with a plain loop, phases of tones advance by their frequency."""

from __future__ import annotations

import math

import pytest
import torch

from audiogen.representation.mel import MelSpec
from audiogen.vocoders.phase_reconstruction.phase_gradients import _roots, integrate


def roots_of(before: list[float], now: list[float]) -> list[int]:
    """The definition: a bin that was as loud one frame before as its neighbours takes its phase from there; others take
    that of the nearest such bin on the side of their louder neighbour or, if there is none, on the other side.
    """
    count = len(now)
    reach = [min(pair) for pair in zip(before, now, strict=True)]
    left = [-math.inf, *reach[:-1]]
    right = [*reach[1:], -math.inf]
    anchors = [k for k in range(count) if before[k] >= max(left[k], right[k])]
    found = []
    for k in range(count):
        lower, upper = [a for a in anchors if a <= k], [a for a in anchors if a >= k]
        first, second = (lower[-1:], upper[:1]) if left[k] > right[k] or k in anchors else (upper[:1], lower[-1:])
        found.append((first or second or [0])[0])
    return found


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("time", "bins"), [(2, 40), (9, 7), (30, 30)])
def test_roots_agree_with_the_definition(seed: int, time: int, bins: int) -> None:
    levels = torch.randn(2, time, bins, generator=torch.Generator().manual_seed(seed))
    # Monotonic spectra have their roots far away, at either end.
    levels[0] += torch.linspace(-4, 4, bins)
    levels[1] -= torch.linspace(-4, 4, bins)
    found = _roots(levels)
    assert found.shape == (2, time - 1, bins)
    for channel in range(2):
        for frame in range(time - 1):
            before, now = levels[channel, frame].tolist(), levels[channel, frame + 1].tolist()
            assert found[channel, frame].tolist() == roots_of(before, now)


def test_the_phase_of_a_tone_advances_by_its_frequency() -> None:
    spec = MelSpec()
    window = torch.hann_window(spec.win, periodic=True)
    bin_, frames = 100, 6
    time = torch.arange(spec.win + frames * spec.hop, dtype=torch.float64)
    tone = torch.sin(2 * math.pi * bin_ * time / spec.n_fft)
    spectrum = torch.fft.rfft(tone.unfold(0, spec.win, spec.hop) * window)
    magnitude = spectrum.abs().float()[None]
    phase = integrate(magnitude, spectrum[:1].angle().float(), spec)
    wanted = spectrum[1:, bin_].angle().float()
    off = (phase[0, :, bin_] - wanted + math.pi).remainder(2 * math.pi) - math.pi
    assert float(off.abs().max()) < 0.01
