"""Coarse-to-fine Griffin-Lim: iterations on the lowest part of the spectrum first, at a reduced sample rate.

Most of the energy that has to converge is at low frequencies, most of the cost of an iteration at high ones. Windows of
a signal at a quarter of the sample rate have the lowest quarter of the bins, so an iteration there costs a quarter, and
one on the lowest sixteenth a tenth. Each result initialises the next stage, and the last one the full spectrum.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from audiogen.representation.filterbank import hz_to_mel, mel_to_hz
from audiogen.representation.mel import MelSpec
from audiogen.vocoders.phase_reconstruction.mel_band_projection import (
    MAX_GAIN,
    MelBandProjection,
    band_projection_schedule,
)
from audiogen.vocoders.phase_reconstruction.projection import analyse, overlap, refine, synthesise

FACTORS = (16, 4)  # of the reduction of the sample rate, one per stage
ITERATIONS = (2, 1)  # of each stage, relative to the last one: cheaper iterations are more numerous
MOMENTUM = 1.06  # diverges in the long run, but is faster over tens of iterations
KEPT_BINS = 31 / 32  # fraction of the bins of a stage that are used: the highest ones alias


@lru_cache(maxsize=16)
def reduced(spec: MelSpec, factor: int) -> MelSpec | None:
    """The spec with the sample rate divided by a factor, and the same bins and mel bands below half of it.

    The rate is rounded to whole Hz, which shifts the bins by 1e-4. None where the factor does not divide window and
    hop, or no band is left.
    """
    if spec.n_fft % (2 * factor) or spec.hop % factor:
        return None
    rate = spec.sample_rate // factor
    edges = mel_to_hz(
        np.linspace(hz_to_mel(spec.fmin, spec.scale), hz_to_mel(spec.fmax, spec.scale), spec.n_mels + 2), spec.scale
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
    weight: Tensor,
    frames: Tensor,
    past: Tensor,
    spec: MelSpec,
    iterations: int,
) -> Tensor:
    """Refine the lowest part of initial spectra.

    Args:
        start: ``[channels, time, bins]`` spectra.
        expected: ``[channels, time, bins]`` estimated magnitudes.
        weight: by which bins are moved to them in each iteration, 0..1; broadcastable to them.
        frames: ``[channels, time, n_mels]`` log-mel.
        past: ``[channels, >= win]`` samples just before.
        spec: spec of the frames.
        iterations: on the lowest quarter, preceded by twice as many on the lowest sixteenth.

    Returns:
        ``[channels, time, bins]`` spectra.
    """
    if iterations == 0:
        return start
    start, known = start.clone(), analyse(past, spec)
    for factor, count in zip(FACTORS, ITERATIONS, strict=True):
        low = reduced(spec, factor)
        if low is None:
            continue
        # A spectrum is a sum over samples, so decimation divides it by the factor.
        before = known[..., : low.bins] / factor
        silence = torch.zeros(len(before), overlap(low), device=past.device)
        signal = synthesise(start[..., : low.bins] / factor, synthesise(before, silence, low), low)
        low_frames = frames[..., : low.n_mels] - spec.power * math.log(factor)
        bands = MelBandProjection(low_frames, low, MAX_GAIN, expected[..., : low.bins] / factor)
        low_weight = weight[..., : low.bins] if weight.ndim else weight
        targets = band_projection_schedule(bands, [low_weight] * (count * iterations))
        refined = analyse(refine(signal, [(target, MOMENTUM) for target in targets], low), low) * factor
        top = int(KEPT_BINS * low.bins)
        start[..., :top] = refined[..., :top]
    return start
