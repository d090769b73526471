"""Generate the low-noise noise that phase reconstruction starts from: audiogen/vocoders/weights/low_noise.safetensors.

    python tools/make_low_noise.py [-o FILE] [--steps 1500]

Periodic white noise is optimised (Adam) until the magnitudes of its short-time spectra are even, for several window
lengths at once and for any position of the windows. Takes about five minutes on one core.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import torch
from torch import Tensor

from audiogen.vocoders.phase_reconstruction.low_noise import SHIPPED, save

WINDOWS = (512, 1024, 2048)
PERIOD = 2**18  # period in samples
RATE = 0.05
POWER_FLOOR = 1e-4  # added to power


def spectra(noise: Tensor, window: int) -> Tensor:
    """Periodic ``[samples]`` -> ``[frames, bins]`` spectra of unit power, overlapping by three quarters."""
    hann = torch.hann_window(window)
    windows = torch.cat([noise, noise[:window]]).unfold(0, window, window // 4)[: len(noise) * 4 // window]
    return torch.fft.rfft(windows * hann) / hann.square().sum().sqrt()


def unevenness(noise: Tensor) -> Tensor:
    """Mean absolute log power, in nats."""
    return sum((spectra(noise, window).abs().square() + POWER_FLOOR).log().abs().mean() for window in WINDOWS)  # type: ignore[return-value]


def optimise(steps: int, seed: int = 0) -> Tensor:
    """The optimised noise ``[samples]``, of unit power."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(PERIOD, generator=generator).requires_grad_()
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
    save(optimise(arguments.steps), arguments.output)


if __name__ == "__main__":
    main()
