"""Low-noise noise: noise whose spectra hardly fluctuate, the initial signal of vocoders at high frequencies.

Magnitudes of white noise fluctuate by 4 dB (mean) in windows of any length, and so does any sound shaped from it;
Griffin-Lim evens that out for one window length, in dozens of iterations. Low-noise noise (Pumplin 1985, "Low-noise
noise", JASA 78; Hartmann & Pumplin 1988, JASA 83) is evened out beforehand, to 2 dB in windows of 512, 1024 and 2048
samples: sound shaped from it starts where those iterations end, and has only the fluctuations of the mel frames. The
file is made by ``tools/make_low_noise.py``.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from audiogen.representation.mel import MelSpec, hann
from audiogen.vocoders.phase_reconstruction.projection import analyse, overlap

SHIPPED = Path(__file__).parents[1] / "weights" / "low_noise.safetensors"
FULL_SCALE = 127  # 8 bits: quantisation noise is 40 dB below, and only the phases matter


@lru_cache(maxsize=1)
def loop() -> Tensor:
    """The shipped noise ``[samples]``: white spectrum, unit power, its end joins its start."""
    from safetensors.torch import load_file

    noise = load_file(SHIPPED)["noise"].float()
    return noise / noise.square().mean().sqrt()


def save(noise: Tensor, path: Path) -> None:
    """Write noise ``[samples]`` of any power to a file."""
    from safetensors.torch import save_file

    save_file({"noise": (noise * (FULL_SCALE / noise.abs().max())).round().to(torch.int8)}, path)


def low_noise(shape: torch.Size, spec: MelSpec, generator: torch.Generator | None = None) -> Tensor:
    """Spectra of low-noise noise from random positions in the loop.

    Args:
        shape: ``[channels, time, ...]``.
        spec: window and hop.
        generator: source of randomness.

    Returns:
        ``[channels, time, bins]`` complex, of unit power.
    """
    noise, length = loop(), overlap(spec) + shape[1] * spec.hop
    starts = torch.randint(len(noise), (shape[0],), generator=generator).tolist()
    repeats = 1 + -(-length // len(noise))
    samples = torch.stack([noise.repeat(repeats)[start : start + length] for start in starts])
    return analyse(samples, spec) / float(hann(spec, samples.device).square().sum().sqrt())
