"""Hidden Markov model with Gaussian emissions, by expectation-maximisation (Rabiner 1989, "A tutorial on hidden Markov
models", sections III.C and IV; Baum et al. 1970).

With ``order: 1`` each state has a linear prediction of its own (Poritz 1982, "Linear predictive hidden Markov models"),
with ``independent`` states do not depend on one another: a Gaussian mixture (Dempster et al. 1977).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from audiogen.config.option_types import Iterations, PositiveFloat, Steps, Width
from audiogen.models.base import FrameModel, Sampling, State
from audiogen.models.heads.mixture import pick

LENGTH = 64  # frames of the pieces that states are inferred in, many at a time
MOST = 512  # such pieces, evenly chosen: more than these parameters need
ROUNDS = 10  # of k-means, to begin with
ENOUGH = 1e-4  # nats a feature that a round must gain
RIDGE = 1e-2  # of each state's regression, in frames of unit power
FLOOR = 1e-4  # of each variance
RARE = 1e-3  # transitions that are always counted


@dataclass(frozen=True)
class HMMOptions:
    """Args:
    states: number of hidden states.
    order: earlier frames that a state's mean depends on.
    independent: each frame's state is drawn anew, whatever the last one was.
    rounds: most rounds of expectation-maximisation.
    prior: frames that a state's covariance is drawn towards that of all states by.
    """

    states: Width = 12
    order: Iterations = 1
    independent: bool = False
    rounds: Steps = 40
    prior: PositiveFloat = 50.0


class HMM(FrameModel):
    """Which state follows which, and what a frame is in each. Nothing is left to train.

    Temperature tau divides the logarithms of the states' shares and multiplies the covariances.

    Args:
        features: size of a frame.
        options: see `HMMOptions`.
    """

    Options = HMMOptions
    transition: Tensor
    weight: Tensor
    root: Tensor

    def __init__(self, features: int, options: HMMOptions) -> None:
        super().__init__()
        self.options, self.features = options, features
        states = options.states
        self.register_buffer("transition", torch.full((states, states), 1 / states))
        self.register_buffer("weight", torch.zeros(states, 1 + options.order * features, features))
        self.register_buffer("root", torch.eye(features).repeat(states, 1, 1))  # Cholesky's of the covariances

    def known(self, frames: Tensor, past: Tensor | None = None) -> Tensor:
        """What means depend on at each frame of ``[n, time, features]``: one, and the frames before it; ``past``
        ``[n, order, features]`` stand before the first."""
        order = self.options.order
        if past is None:
            past = frames.new_zeros(len(frames), order, self.features)
        heard = torch.cat([past, frames], dim=1)
        lags = [heard[:, order - lag : heard.shape[1] - lag] for lag in range(1, order + 1)]
        return torch.cat([frames.new_ones(*frames.shape[:2], 1), *lags], dim=-1)

    def emission(self, known: Tensor, frames: Tensor) -> Tensor:
        """Nats of ``[..., features]`` in each state, ``[..., states]``."""
        left = frames.unsqueeze(-2) - torch.einsum("...k,skf->...sf", known, self.weight)
        whitening = torch.linalg.solve_triangular(self.root, torch.eye(self.features, device=left.device), upper=False)
        white = torch.einsum("...sf,sgf->...sg", left, whitening)
        spread = self.root.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        return -0.5 * (white.square() + math.log(2 * math.pi)).sum(-1) - spread

    @torch.no_grad()
    def fit_closed_form(self, sequences: list[Tensor]) -> None:
        order = self.options.order
        length = min(LENGTH, max(len(piece) for piece in sequences) - order)
        cut = [piece.unfold(0, length + order, length) for piece in sequences if len(piece) >= length + order]
        pieces = torch.cat(cut).transpose(1, 2)
        pieces = pieces[:: -(-len(pieces) // MOST)]
        frames, known = pieces[:, order:], self.known(pieces[:, order:], pieces[:, :order])
        shares = torch.nn.functional.one_hot(_clustered(frames, self.options.states), self.options.states).float()
        self._maximise(frames, known, shares, shares[:, :-1].flatten(0, 1).T @ shares[:, 1:].flatten(0, 1))
        best = -math.inf
        for _ in range(self.options.rounds):
            nats, shares, moves = self._expect(self.emission(known, frames))
            if nats < best + ENOUGH * self.features:
                break
            best = nats
            self._maximise(frames, known, shares, moves)

    def _expect(self, emission: Tensor) -> tuple[float, Tensor, Tensor]:
        """Forward and backward over ``[n, time, states]``: mean nats a frame, each state's share of each frame, and
        how often each follows each."""
        step = self.transition.log()
        forward, backward = [emission[:, 0] + self.usual.log()], [torch.zeros_like(emission[:, 0])]
        for now in emission[:, 1:].unbind(1):
            forward.append(now + torch.logsumexp(forward[-1].unsqueeze(-1) + step, dim=1))
        for then in emission[:, 1:].flip(1).unbind(1):
            backward.append(torch.logsumexp(step + (then + backward[-1]).unsqueeze(1), dim=2))
        before, after = torch.stack(forward, 1), torch.stack(backward[::-1], 1)
        nats = torch.logsumexp(forward[-1], dim=-1)
        shares = (before + after - nats[:, None, None]).exp()
        pairs = before[:, :-1, :, None] + step + (emission + after)[:, 1:, None, :] - nats[:, None, None, None]
        return float(nats.mean()) / emission.shape[1], shares, pairs.exp().sum((0, 1))

    def _maximise(self, frames: Tensor, known: Tensor, shares: Tensor, moves: Tensor) -> None:
        """The parameters that are likeliest given the states' shares."""
        counted = moves + RARE
        if self.options.independent:
            counted = (shares.sum((0, 1)) + RARE).expand_as(moves)
        self.transition.copy_(counted / counted.sum(1, keepdim=True))
        frames, known, shares = frames.flatten(0, 1), known.flatten(0, 1), shares.flatten(0, 1)
        weighted = shares.T.unsqueeze(-1) * known  # [states, n, known]
        gram = weighted.transpose(1, 2) @ known
        loading = RIDGE * shares.sum(0).clamp(min=1)[:, None, None] * torch.eye(known.shape[1])
        loading[:, 0] = 1e-6 * torch.eye(known.shape[1])[0]  # a state's own mean is what it is
        self.weight.copy_(torch.linalg.solve(gram + loading, weighted.transpose(1, 2) @ frames))
        left = frames - known @ self.weight  # [states, n, features]
        scatter = (shares.T.unsqueeze(-1) * left).transpose(1, 2) @ left
        common, count = scatter.sum(0) / len(frames), shares.sum(0)[:, None, None]
        prior = self.options.prior
        covariance = (scatter + prior * common) / (count + prior) + FLOOR * torch.eye(self.features)
        self.root.copy_(torch.linalg.cholesky(covariance))

    @property
    def usual(self) -> Tensor:
        """``[states]``: how often each state is met in the long run."""
        return torch.linalg.matrix_power(self.transition, 1024).mean(0)

    def log_likelihood(self, frames: Tensor) -> Tensor:
        """Nats of each frame but the first, ``[batch, time - 1]``."""
        state, nats = self.start(frames[:, :1]), []
        for frame in frames[:, 1:].unbind(1):
            shares, past = state
            joint = (shares @ self.transition).log() + self.emission(self.known(frame[:, None], past)[:, 0], frame)
            nats.append(torch.logsumexp(joint, dim=-1))
            state = self.read(state, frame)
        return torch.stack(nats, dim=1)

    def loss(self, frames: Tensor) -> Mapping[str, Tensor]:
        nats = -self.log_likelihood(frames).mean()
        return {"loss": nats / self.features, "nll": nats}

    def start(self, prompt: Tensor) -> State:
        order = self.options.order
        state: State = (self.usual.expand(len(prompt), -1), prompt.new_zeros(len(prompt), order, self.features))
        for frame in prompt.unbind(1):
            state = self.read(state, frame)
        return state

    def draw(self, state: State, sampling: Sampling) -> Tensor:
        shares, past = state
        chosen = pick((shares @ self.transition).log(), sampling)
        noise = sampling.normal(len(chosen), self.features, 1, device=shares.device)
        known = self.known(past.new_zeros(len(past), 1, self.features), past)
        mean = (known @ self.weight[chosen])[:, 0]
        return mean + math.sqrt(sampling.temperature) * (self.root[chosen] @ noise).squeeze(-1)

    def read(self, state: State, frame: Tensor) -> State:
        """The state that has read ``frame`` ``[batch, feature]``: how likely each hidden state is now, and the past."""
        shares, past = state
        joint = (shares @ self.transition).log() + self.emission(self.known(frame[:, None], past)[:, 0], frame)
        past = torch.cat([past, frame[:, None]], dim=1)[:, 1:] if self.options.order else past
        return joint.softmax(-1), past


def _clustered(frames: Tensor, count: int) -> Tensor:
    """Which of ``count`` clusters each of ``[n, time, features]`` belongs to, by k-means."""
    flat = frames.flatten(0, 1)
    generator = torch.Generator().manual_seed(0)
    centres = flat[torch.randint(len(flat), (1,), generator=generator)]
    for _ in range(count - 1):  # begun far apart: k-means++ (Arthur & Vassilvitskii 2007)
        distance = torch.cdist(flat, centres).amin(1).square() + 1e-9
        centres = torch.cat([centres, flat[torch.multinomial(distance, 1, generator=generator)]])
    for _ in range(ROUNDS):
        member = torch.cdist(flat, centres).argmin(1)
        sums = torch.zeros_like(centres).index_add_(0, member, flat)
        sizes = torch.bincount(member, minlength=count)[:, None]
        centres = torch.where(sizes > 0, sums / sizes.clamp(min=1), centres)
    return torch.cdist(flat, centres).argmin(1).view(frames.shape[:2])
