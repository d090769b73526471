"""More events or fewer: of several next patches that a Model finds likely, one is drawn by how much begins in it."""

from __future__ import annotations

import torch
from torch import Tensor

from audiogen.models import Model, Sampling, State
from audiogen.representation.mel_latents import MelLatents

CANDIDATES = 8


class Candidates:
    """Draws next latents whose patches begin with more, or with less, than the Model's own would.

    Among `CANDIDATES` independent draws one is taken with weight ``exp(density * onset)``: exponential tilting of the
    Model's distribution, by sampling importance resampling (Rubin 1988, Bayesian Statistics 3). ``onset`` is the
    strongest rise of a patch, in units of its standard deviation over the source.

    Args:
        model: what draws.
        representation: of its latents.
        frames: ``[time, channels * n_mels]`` of the source, as far as the Model hears it.
        centre: ``[feature]`` that latents are relative to.
        density: 0 leaves the Model alone, exactly; above, more begins; below, less.
    """

    def __init__(
        self, model: Model, representation: MelLatents, frames: Tensor, centre: Tensor, density: float
    ) -> None:
        self.model, self.representation, self.centre, self.density = model, representation, centre, density
        self.last = frames[-1]
        rises = _rises(frames) if density else frames[:0, 0]
        onsets = rises[: len(rises) // representation.patch * representation.patch].view(-1, representation.patch)
        self.unit = float(onsets.amax(1).std().clamp(min=1e-3)) if len(onsets) > 1 else 1.0

    def step(self, state: State, sampling: Sampling) -> tuple[Tensor, State]:
        """The next latent ``[1, latent]`` and the state that has read it."""
        if self.density == 0:
            return self.model.step(state, sampling)
        latents, states = self.model.step(repeated(state, CANDIDATES), sampling)
        patches = [self.representation.decode(latent[None], self.centre) for latent in latents]
        strength = torch.stack([_rises(torch.cat([self.last[None], patch])).amax() for patch in patches]) / self.unit
        place = sampling.uniform(1) < (self.density * strength).softmax(0).cumsum(0)
        chosen = int(place.float().argmax())
        self.last = patches[chosen][-1]
        return latents[chosen : chosen + 1], only(states, chosen)

    def read(self, patch: Tensor) -> None:
        """What came next was drawn elsewhere: ``[patch, channels * n_mels]``."""
        self.last = patch[-1, : len(self.centre)]


def _rises(frames: Tensor) -> Tensor:
    """``[time - 1]``: how much louder ``[time, feature]`` log-mel frames get, mean over bands.

    The half-wave rectified spectral flux (Dixon 2006, "Onset detection revisited", DAFx).
    """
    return frames.diff(dim=0).clamp(min=0).mean(1)


def repeated(state: State, count: int) -> State:
    """A state for ``count`` rollouts from one: every tensor's batch axis repeated."""
    if isinstance(state, Tensor):
        return state.repeat_interleave(count, dim=0)
    if isinstance(state, list | tuple):
        return type(state)(repeated(item, count) for item in state)
    return state


def only(state: State, row: int) -> State:
    """The state of one of several rollouts: every tensor's batch axis cut to a row."""
    if isinstance(state, Tensor):
        return state[row : row + 1]
    if isinstance(state, list | tuple):
        return type(state)(only(item, row) for item in state)
    return state
