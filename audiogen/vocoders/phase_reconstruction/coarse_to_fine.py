"""Griffin-Lim on the lowest parts of the spectrum alone, at a fraction of the rate: coarse to fine.

Most of what a spectrum's convergence is about lies low, and most of what an iteration costs lies high. Windows of a
signal at a quarter of the rate have the lowest quarter of the bins, so an iteration there costs a quarter, and one on
the lowest sixteenth a tenth. What comes out of each is the start of the next, and of the iterations on the whole.
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
from audiogen.vocoders.phase_reconstruction.mel_band_targets import LOUDEST, MelBandProjection, band_projection_schedule
from audiogen.vocoders.phase_reconstruction.projection import analyse, pinned, refine, synthesise

FACTORS = (16, 4)  # by which the rate is lowered, the lowest one first
TURNS = (2, 1)  # iterations at each, in units of those at a quarter: what costs less may take more
MOMENTUM = 1.06  # what would not converge in hundreds of iterations is ahead in tens
TOP = 31 / 32  # of the lowered bins that are taken back: the highest ones fold


@lru_cache(maxsize=16)
def lowered(spec: MelSpec, factor: int) -> MelSpec | None:
    """The spec of the same bins and mel bands, as far as they reach, at a fraction of the rate.

    None where windows or hops do not divide evenly, or no band is left. The rate is one in whole Hz: bins shift by a
    ten-thousandth.
    """
    if spec.n_fft % (2 * factor) or spec.hop % factor:
        return None
    rate = spec.sample_rate // factor
    edges = hertz_of(
        np.linspace(mels_of(spec.fmin, spec.scale), mels_of(spec.fmax, spec.scale), spec.n_mels + 2), spec.scale
    )
    bands = int((edges <= rate / 2).sum()) - 2
    if bands < 1:
        return None
    return replace(
        spec,
        sample_rate=rate,
        n_fft=spec.n_fft // factor,
        win=spec.win // factor,
        hop=spec.hop // factor,
        n_mels=bands,
        fmax=float(edges[bands + 1]),
        floor=spec.floor / factor**spec.power,
    )


def coarse_to_fine(
    start: Tensor,
    expected: Tensor,
    pull: Tensor,
    frames: Tensor,
    past: Tensor,
    spec: MelSpec,
    steps: int,
) -> Tensor:
    """Spectra to set out from, their lowest parts refined.

    Args:
        start: ``[channels, time, bins]`` spectra.
        expected: ``[channels, time, bins]`` magnitudes that bins are pulled to.
        pull: by which part, 0..1; to be broadcast with them.
        frames: ``[channels, time, n_mels]`` log-mel.
        past: ``[channels, >= win]`` samples just before.
        steps: iterations on the lowest quarter; twice as many are made before, on the lowest sixteenth.

    Returns:
        ``[channels, time, bins]`` spectra.
    """
    if steps == 0:
        return start
    start, known = start.clone(), analyse(past, spec)
    for factor, turns in zip(FACTORS, TURNS, strict=True):
        low = lowered(spec, factor)
        if low is None:
            continue
        # A spectrum is a sum over samples: of every fourth one, a quarter.
        before = known[..., : low.bins] / factor
        silence = torch.zeros(len(before), pinned(low), device=past.device)
        signal = synthesise(start[..., : low.bins] / factor, synthesise(before, silence, low), low)
        wanted = frames[..., : low.n_mels] - spec.power * math.log(factor)
        bands = MelBandProjection(wanted, low, LOUDEST, expected[..., : low.bins] / factor)
        targets = band_projection_schedule(bands, [pull[..., : low.bins] if pull.ndim else pull] * (turns * steps))
        settled = analyse(refine(signal, [(target, MOMENTUM) for target in targets], low), low) * factor
        top = int(TOP * low.bins)
        start[..., :top] = settled[..., :top]
    return start
