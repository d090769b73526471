"""Sequential Monte Carlo over bars: particles are resampled in proportion to how their reward has risen."""

from __future__ import annotations

from audiogen.tunes.particle_filter import resample_particles
from audiogen.tunes.planning.branches import Branch
from audiogen.tunes.planning.planner import Search, SweepPlanner

SHARPNESS = 20.0
"""Particles are weighted by exp(``SHARPNESS`` x reward): 0.1 more reward is 7 times the weight."""


class ParticleSearch(SweepPlanner):
    """Steering by sequential Monte Carlo (Lew et al. 2023, arXiv 2306.03081; the filter is that of infilling).

    At each bar line, the weight of a particle is multiplied by ``exp(SHARPNESS (reward now - reward a bar ago))``, of
    `WeightedReward.partial`, and particles are resampled where weights are uneven.
    """

    kind = "smc"

    def select(self, search: Search, going: list[Branch]) -> list[Branch]:
        for particle in going:
            particle.log_weight = SHARPNESS * search.partial(particle)
        return resample_particles(going, search.sampler.sampling.generator)
