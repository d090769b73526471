"""Infilling by a particle filter: sample the free bars or parts of a Tune so that they fit its given notes.

Sequential Monte Carlo with systematic resampling (Gordon et al. 1993, "Novel approach to nonlinear/non-Gaussian
Bayesian state estimation"). Several candidates (particles) are sampled token by token among the tokens that agree with
the given notes, and each is weighted by the total probability that the Model gives to those tokens. At bar lines,
candidates after which the given notes have become unlikely are replaced by copies of others. A sampled bar therefore
leads to what follows it, although the Model is causal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import torch
from torch import Tensor

from audiogen.errors import InputError
from audiogen.models import Sampling, State
from audiogen.progress import progress
from audiogen.tunes.given_notes import Candidate, GivenNotes
from audiogen.tunes.model_state import map_state
from audiogen.tunes.particle_filter import by_state_shape, resample_particles, systematic
from audiogen.tunes.tokens.events_tokenizer import EventsTokenizer
from audiogen.tunes.tune import Tune

MAX_TOKENS = 20_000  # per candidate


class TokenPredictor(Protocol):
    """A Model that predicts the next token: `TokenModel`, `Markov`."""

    def start(self, prompt: Tensor) -> State: ...

    def step(self, state: State, sampling: Sampling) -> tuple[Tensor, State]: ...

    def log_probabilities(self, state: State) -> Tensor:
        """Log-probabilities of the next token, ``[batch, size]``."""


@dataclass
class _Particle:
    """A weighted candidate.

    Args:
        candidate: its tokens.
        state: of the Model after them.
        log_weight: log-probability of the allowed tokens, summed over all steps.
    """

    candidate: Candidate
    state: State
    log_weight: float = 0.0

    @property
    def bar(self) -> int:
        return self.candidate.decoder.bar

    def branch(self) -> _Particle:
        return replace(self, candidate=self.candidate.branch())


@dataclass
class Infiller:
    """Samples notes in the free spans of a tune.

    Args:
        model: of tokens, in evaluation mode.
        tokenizer: the scheme that the model was trained on.
        given: notes to keep, with all parts, and none in the free spans.
        spans: for each part, the ticks (from, to) between which notes are sampled; (0, 0) for none.
        stop: tick at which sampling ends; what is given after it is ignored.
    """

    model: TokenPredictor
    tokenizer: EventsTokenizer
    given: Tune
    spans: Sequence[tuple[int, int]]
    stop: int
    constraint: GivenNotes = field(init=False)

    def __post_init__(self) -> None:
        self.constraint = GivenNotes(self.tokenizer, self.given, self.spans, self.stop)

    def fill(self, sampling: Sampling, candidates: int = 16) -> Tune:
        """Given and sampled notes as one tune, on the tokenizer's grid.

        Args:
            sampling: how to sample tokens; its ``allowed`` is replaced.
            candidates: number of particles.

        Raises:
            InputError: the end is not reached within `MAX_TOKENS`.
        """
        first, tokens = self.constraint.begin()
        with torch.no_grad():
            state = self.model.start(torch.tensor([tokens]))
            particles = self._sample([_Particle(first.branch(), state) for _ in range(candidates)], sampling)
        weights = torch.tensor([particle.log_weight for particle in particles], dtype=torch.float64).softmax(0)
        chosen = particles[int(systematic(weights, 1, sampling.generator)[0])]
        return chosen.candidate.decoder.tune()

    def _sample(self, particles: list[_Particle], sampling: Sampling) -> list[_Particle]:
        """Continue all particles to the end; they wait for each other at each bar line."""
        end = self.constraint.end
        with progress(end, "filling", "steps") as shown:
            for _ in range(MAX_TOKENS):
                slowest = min(particle.candidate.decoder.tick for particle in particles)
                shown.update(min(slowest, end) - shown.n)
                active = [particle for particle in particles if not self._is_done(particle)]
                if not active:
                    return particles
                bar = min(particle.bar for particle in active)
                for group in by_state_shape((each for each in active if each.bar == bar), lambda each: each.state):
                    self._step(group, sampling)
                if all(self._is_done(particle) or particle.bar > bar for particle in particles):
                    particles = resample_particles(particles, sampling.generator)
        raise InputError("the tune", f"it is not filled after {MAX_TOKENS} tokens", "fill less of it")

    def _is_done(self, particle: _Particle) -> bool:
        return self.constraint.is_done(particle.candidate)

    def _step(self, particles: list[_Particle], sampling: Sampling) -> None:
        """Sample one token for each of some particles whose states can be batched."""
        state = map_state(lambda *values: torch.cat(values), *(particle.state for particle in particles))
        masks = [torch.from_numpy(self.constraint.allowed(particle.candidate)) for particle in particles]
        allowed = torch.stack(masks)
        log_probabilities = self.model.log_probabilities(state).masked_fill(~allowed, -torch.inf)
        tokens, state = self.model.step(state, replace(sampling, allowed=allowed))
        increments = log_probabilities.logsumexp(-1).tolist()
        for row, (particle, token, increment) in enumerate(zip(particles, tokens.tolist(), increments, strict=True)):
            particle.log_weight += increment
            particle.state = map_state(lambda value, row=row: value[row : row + 1], state)
            self.constraint.push(particle.candidate, token)
