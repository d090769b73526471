"""Griffin-Lim on the lowest part of the spectrum alone, at a fraction of the rate: coarse to fine.

Most of what a spectrum's convergence is about lies low, and most of what an iteration costs lies high. Windows of a
signal at a quarter of the rate have the lowest quarter of the bins, so an iteration there costs a quarter. What comes
out is the start of the iterations on the whole.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from audiogen.representation.filterbank import hertz_of, mels_of
from audiogen.representation.mel import MelSpec
from audiogen.vocoders.projection import analyse, pinned, refine, synthesise
from audiogen.vocoders.targets import LOUDEST, TowardBands, asked_now_and_then

FACTOR = 4
TOP = 31 / 32  # of the lowered bins that are taken back: the highest ones fold


@lru_cache(maxsize=16)
def lowered(spec: MelSpec) -> MelSpec | None:
    """The spec of the same bins and mel bands, as far as they reach, at a quarter of the rate.

    None where it divides nothing evenly, or no band is left.
    """
    if spec.sample_rate % FACTOR or spec.n_fft % (2 * FACTOR) or spec.hop % FACTOR:
        return None
    edges = hertz_of(
        np.linspace(mels_of(spec.fmin, spec.scale), mels_of(spec.fmax, spec.scale), spec.n_mels + 2), spec.scale
    )
    bands = int((edges <= spec.sample_rate / FACTOR / 2).sum()) - 2
    if bands < 1:
        return None
    return replace(
        spec,
        sample_rate=spec.sample_rate // FACTOR,
        n_fft=spec.n_fft // FACTOR,
        win=spec.win // FACTOR,
        hop=spec.hop // FACTOR,
        n_mels=bands,
        fmax=float(edges[bands + 1]),
        floor=spec.floor / FACTOR**spec.power,
    )


def settle(
    start: Tensor,
    expected: Tensor,
    pull: Tensor,
    frames: Tensor,
    past: Tensor,
    spec: MelSpec,
    steps: int,
    momentum: float = 0.99,
) -> Tensor:
    """Spectra to set out from, their lowest part refined.

    Args:
        start: ``[channels, time, bins]`` spectra.
        expected: ``[channels, time, bins]`` magnitudes that bins are pulled to.
        pull: by which part, 0..1; to be broadcast with them.
        frames: ``[channels, time, n_mels]`` log-mel.
        past: ``[channels, >= win]`` samples just before.
        steps: iterations.

    Returns:
        ``[channels, time, bins]`` spectra.
    """
    low = lowered(spec)
    if low is None or steps == 0:
        return start
    # A spectrum is a sum over samples: of every fourth one, a quarter.
    before = analyse(past, spec)[..., : low.bins] / FACTOR
    silence = torch.zeros(len(before), pinned(low), device=past.device)
    signal = synthesise(start[..., : low.bins] / FACTOR, synthesise(before, silence, low), low)
    wanted = frames[..., : low.n_mels] - spec.power * math.log(FACTOR)
    bands = TowardBands(wanted, low, LOUDEST, expected[..., : low.bins] / FACTOR)
    targets = asked_now_and_then(bands, [pull[..., : low.bins] if pull.ndim else pull] * steps)
    settled = analyse(refine(signal, [(target, momentum) for target in targets], low), low) * FACTOR
    top = int(TOP * low.bins)
    return torch.cat([settled[..., :top], start[..., top:]], dim=-1)
