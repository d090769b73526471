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

    def sweep(self, search: Search, count: int) -> list[Branch]:
        sampler = search.sampler
        particles = [sampler.root() for _ in range(count)]
        while True:
            particles = [path[-1] for path in sampler.extend(particles, bars=1)]
            if all(sampler.is_complete(particle) for particle in particles):
                return particles
            for particle in particles:
                particle.log_weight = SHARPNESS * search.partial(particle)
            particles = resample_particles(particles, sampler.sampling.generator)
