"""Moment calibration: what a Model's own rollouts get wrong on average is measured once and put right.

A Model that is fed its own output settles at levels and spreads a little off those of the source. A short probe of
parallel rollouts, compared with the source, gives each latent a shift and a factor.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from audiogen.models import Model, Sampling, State
from audiogen.representation.mel_latents import MelLatents

ROLLOUTS = 4
PROBE_SECONDS = 8.0
LARGEST_FACTOR = 1.5
PROBE_SEED = 20_817  # a constant: the calibration belongs to the Run and the prompt, not to the tail's seed


@dataclass(frozen=True)
class Calibration:
    """``latent * factor + shift``.

    Args:
        factor: ``[latent]``.
        shift: ``[latent]``.
    """

    factor: Tensor
    shift: Tensor

    def __call__(self, latent: Tensor) -> Tensor:
        return latent * self.factor + self.shift


@torch.no_grad()
def calibrate(model: Model, representation: MelLatents, start: State, frames: Tensor, centre: Tensor) -> Calibration:
    """Compare rollouts from the prompt's end with the source's own latents, at temperature 1."""
    size = representation.features
    if len(frames) < 8 * representation.patch:
        return Calibration(torch.ones(size), torch.zeros(size))
    whole = len(frames) // representation.patch * representation.patch
    real = representation.encode(frames[len(frames) - whole :], centre)
    sampling = Sampling(1.0, generator=torch.Generator().manual_seed(PROBE_SEED))
    state = repeated(start, ROLLOUTS)
    steps = max(round(PROBE_SECONDS / representation.step_seconds), 1)
    drawn = []
    for _ in range(steps):
        latent, state = model.step(state, sampling)
        drawn.append(latent)
    made = torch.cat(drawn)
    factor = (real.std(0) / made.std(0).clamp(min=1e-4)).clamp(1 / LARGEST_FACTOR, LARGEST_FACTOR)
    return Calibration(factor, real.mean(0) - made.mean(0) * factor)


def repeated(state: State, count: int) -> State:
    """A state for ``count`` rollouts from one: every tensor's batch axis repeated."""
    if isinstance(state, Tensor):
        return state.repeat_interleave(count, dim=0)
    if isinstance(state, list | tuple):
        return type(state)(repeated(item, count) for item in state)
    return state
