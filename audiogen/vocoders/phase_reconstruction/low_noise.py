"""Noise whose spectra hardly fluctuate: what vocoders set out from where the phases of noise are wanted.

Magnitudes of white noise fluctuate by 4 dB (mean) in windows of any length, and so would whatever is shaped from it:
Griffin-Lim evens that out in one length of windows, in dozens of iterations. Low-noise noise (Pumplin 1985, "Low-noise
noise", JASA 78; Hartmann & Pumplin 1988, JASA 83) was evened out beforehand, to 2 dB in windows of 512, 1024 and 2048
samples: what is shaped from it begins where those iterations end, and the fluctuations that mel frames ask for are not
mixed with others. Made by ``tools/make_low_noise.py``.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from audiogen.representation.mel import MelSpec, hann
from audiogen.vocoders.phase_reconstruction.projection import analyse, pinned

SHIPPED = Path(__file__).parents[1] / "weights" / "low_noise.safetensors"
LARGEST = 127  # of what the file holds: 8 bits are 40 dB below, and what matters are phases


@lru_cache(maxsize=1)
def loop() -> Tensor:
    """``[samples]`` of white spectrum and unit power; it goes on at its end as it begins."""
    from safetensors.torch import load_file

    noise = load_file(SHIPPED)["noise"].float()
    return noise / noise.square().mean().sqrt()


def save(noise: Tensor, path: Path) -> None:
    """Write ``[samples]`` of any power."""
    from safetensors.torch import save_file

    save_file({"noise": (noise * (LARGEST / noise.abs().max())).round().to(torch.int8)}, path)


def low_noise(shape: torch.Size, spec: MelSpec, generator: torch.Generator | None = None) -> Tensor:
    """Spectra ``[channels, time, bins]`` of unit power, from places of the loop that are drawn.

    Args:
        shape: ``[channels, time, ...]``.
    """
    noise, length = loop(), pinned(spec) + shape[1] * spec.hop
    places = torch.randint(len(noise), (shape[0],), generator=generator).tolist()
    rounds = 1 + -(-length // len(noise))
    samples = torch.stack([noise.repeat(rounds)[place : place + length] for place in places])
    return analyse(samples, spec) / float(hann(spec, samples.device).square().sum().sqrt())
