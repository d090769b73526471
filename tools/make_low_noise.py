"""Make the low-noise noise that vocoders set out from: audiogen/vocoders/weights/low_noise.safetensors.

    python tools/make_low_noise.py [-o FILE] [--steps 1500]

White noise, periodic, is led by gradients (Adam) to where the magnitudes of its short-time spectra are even, in windows
of several lengths at once, and wherever they begin. About five minutes of one core.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import torch
from torch import Tensor

from audiogen.vocoders.phase_reconstruction.low_noise import SHIPPED, save

WINDOWS = (512, 1024, 2048)
LENGTH = 2**18  # samples after which it comes again
RATE = 0.05
FAINTEST = 1e-4  # added to power


def spectra(noise: Tensor, window: int) -> Tensor:
    """``[samples]``, periodic -> ``[frames, bins]`` spectra of unit power, three quarters overlapping."""
    hann = torch.hann_window(window)
    windows = torch.cat([noise, noise[:window]]).unfold(0, window, window // 4)[: len(noise) * 4 // window]
    return torch.fft.rfft(windows * hann) / hann.square().sum().sqrt()


def unevenness(noise: Tensor) -> Tensor:
    """Mean distance of all power from one, in nats."""
    return sum((spectra(noise, window).abs().square() + FAINTEST).log().abs().mean() for window in WINDOWS)  # type: ignore[return-value]


def made(steps: int, seed: int = 0) -> Tensor:
    """``[samples]``, of unit power."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(LENGTH, generator=generator).requires_grad_()
    optimiser = torch.optim.Adam([noise], lr=RATE)
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = RATE * (0.5 + 0.5 * math.cos(math.pi * step / steps)) + 1e-4
        moved = noise.roll(int(torch.randint(min(WINDOWS), (), generator=generator)))
        loss = unevenness(moved)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        if step % 100 == 99:
            print(f"step {step + 1}: {10 / math.log(10) * float(loss.detach()) / len(WINDOWS):.2f} dB", flush=True)
    noise = noise.detach()
    return noise / noise.square().mean().sqrt()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=SHIPPED)
    parser.add_argument("--steps", type=int, default=1500)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    save(made(arguments.steps), arguments.output)


if __name__ == "__main__":
    main()
