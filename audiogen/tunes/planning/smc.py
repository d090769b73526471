"""Sequential Monte Carlo over bars: particles are resampled in proportion to their reward."""

from __future__ import annotations

import torch

from audiogen.tunes.particle_filter import resample_particles, systematic
from audiogen.tunes.planning.branches import Branch
from audiogen.tunes.planning.planner import Search, SweepPlanner

SHARPNESS = 20.0
"""Particles are weighted by exp(``SHARPNESS`` x reward): 0.1 more reward is 7 times the weight."""


class ParticleSearch(SweepPlanner):
    """Steering by sequential Monte Carlo (Lew et al. 2023, arXiv 2306.03081; the filter is that of infilling).

    At each bar line, the weight of a particle is ``exp(SHARPNESS x reward so far)``, of `WeightedReward.partial`, and
    particles are resampled where weights are uneven, or where the time suffices for fewer.
    """

    kind = "smc"

    def select(self, search: Search, going: list[Branch], count: int) -> list[Branch]:
        random = search.sampler.sampling.generator
        for particle in going:
            particle.log_weight = SHARPNESS * search.partial(particle)
        if count == len(going):
            return resample_particles(going, random)
        weights = torch.tensor([particle.log_weight for particle in going], dtype=torch.float64).softmax(0)
        return [going[index] for index in systematic(weights, count, random).tolist()]
