"""Hidden Markov model with Gaussian emissions, fitted by expectation-maximisation; nothing else is trained.

Rabiner (1989), "A tutorial on hidden Markov models", sections III.C and IV; Baum et al. (1970). With ``order`` 1 or
more each state has its own linear prediction (Poritz 1982, "Linear predictive hidden Markov models"). With
``independent`` the states do not depend on one another: a Gaussian mixture model (Dempster et al. 1977).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from audiogen.config.option_types import Iterations, PositiveFloat, Steps, Width
from audiogen.models.base import FrameModel, Sampling, State
from audiogen.models.heads.mixture import sample_component

SEGMENT = 64  # frames per segment; the E-step runs on all segments in parallel
MAX_SEGMENTS = 512  # evenly spaced: enough data for these parameters
KMEANS_ITERATIONS = 10  # of the initialisation
MIN_GAIN = 1e-4  # nats per feature; EM stops when an iteration gains less
RIDGE = 1e-2  # of each state's regression, for frames of unit power
VARIANCE_FLOOR = 1e-4
PSEUDOCOUNT = 1e-3  # added to the count of each transition


@dataclass(frozen=True)
class HMMOptions:
    """Options of the hidden Markov model.

    Args:
        states: number of hidden states.
        order: number of earlier frames that a state's mean depends on.
        independent: whether the state of each frame is independent of the last one (Gaussian mixture model).
        max_iterations: maximum number of iterations of expectation-maximisation.
        prior: shrinkage of each state's covariance towards the pooled one, in frames.
    """

    states: Width = 12
    order: Iterations = 1
    independent: bool = False
    max_iterations: Steps = 40
    prior: PositiveFloat = 50.0


class HMM(FrameModel):
    """Transition probabilities and Gaussian emissions with linear prediction, fitted in closed form.

    The state is ``(posterior, past)``: probabilities of the hidden states ``[batch, states]`` and the last frames
    ``[batch, order, features]``. Temperature tau divides the log probabilities of the states and multiplies the
    covariances.

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
        self.register_buffer("root", torch.eye(features).repeat(states, 1, 1))  # Cholesky factors of the covariances

    def regressors(self, frames: Tensor, past: Tensor | None = None) -> Tensor:
        """Regressors of the states' means: a constant and the earlier frames, lag 1 first.

        Args:
            frames: ``[n, time, features]``.
            past: ``[n, order, features]``, the frames before the first one; None for zeros.

        Returns:
            ``[n, time, 1 + order * features]``.
        """
        order = self.options.order
        if past is None:
            past = frames.new_zeros(len(frames), order, self.features)
        padded = torch.cat([past, frames], dim=1)
        lags = [padded[:, order - lag : padded.shape[1] - lag] for lag in range(1, order + 1)]
        return torch.cat([frames.new_ones(*frames.shape[:2], 1), *lags], dim=-1)

    def emission_log_prob(self, regressors: Tensor, frames: Tensor) -> Tensor:
        """Log density in nats of frames ``[..., features]`` in each state, ``[..., states]``."""
        residual = frames.unsqueeze(-2) - torch.einsum("...k,skf->...sf", regressors, self.weight)
        eye = torch.eye(self.features, device=residual.device)
        whitening = torch.linalg.solve_triangular(self.root, eye, upper=False)
        white = torch.einsum("...sf,sgf->...sg", residual, whitening)
        log_det = self.root.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        return -0.5 * (white.square() + math.log(2 * math.pi)).sum(-1) - log_det

    @torch.no_grad()
    def fit_closed_form(self, sequences: list[Tensor]) -> None:
        order = self.options.order
        length = min(SEGMENT, max(len(sequence) for sequence in sequences) - order)
        long_enough = [sequence for sequence in sequences if len(sequence) >= length + order]
        segments = torch.cat([sequence.unfold(0, length + order, length) for sequence in long_enough]).transpose(1, 2)
        segments = segments[:: -(-len(segments) // MAX_SEGMENTS)]
        frames, regressors = segments[:, order:], self.regressors(segments[:, order:], segments[:, :order])
        posterior = torch.nn.functional.one_hot(_kmeans(frames, self.options.states), self.options.states).float()
        counts = posterior[:, :-1].flatten(0, 1).T @ posterior[:, 1:].flatten(0, 1)
        self._m_step(frames, regressors, posterior, counts)
        best = -math.inf
        for _ in range(self.options.max_iterations):
            nats, posterior, counts = self._e_step(self.emission_log_prob(regressors, frames))
            if nats < best + MIN_GAIN * self.features:
                break
            best = nats
            self._m_step(frames, regressors, posterior, counts)

    def _e_step(self, emission: Tensor) -> tuple[float, Tensor, Tensor]:
        """Forward-backward algorithm over emission log probabilities ``[n, time, states]``.

        Returns:
            Mean log likelihood per frame in nats, posterior probabilities ``[n, time, states]``, and expected counts of
            the transitions ``[states, states]``.
        """
        step = self.transition.log()
        forward, backward = [emission[:, 0] + self.stationary_distribution.log()], [torch.zeros_like(emission[:, 0])]
        for now in emission[:, 1:].unbind(1):
            forward.append(now + torch.logsumexp(forward[-1].unsqueeze(-1) + step, dim=1))
        for then in emission[:, 1:].flip(1).unbind(1):
            backward.append(torch.logsumexp(step + (then + backward[-1]).unsqueeze(1), dim=2))
        before, after = torch.stack(forward, 1), torch.stack(backward[::-1], 1)
        nats = torch.logsumexp(forward[-1], dim=-1)
        posterior = (before + after - nats[:, None, None]).exp()
        pairs = before[:, :-1, :, None] + step + (emission + after)[:, 1:, None, :] - nats[:, None, None, None]
        return float(nats.mean()) / emission.shape[1], posterior, pairs.exp().sum((0, 1))

    def _m_step(self, frames: Tensor, regressors: Tensor, posterior: Tensor, counts: Tensor) -> None:
        """Set the parameters to their maximum-likelihood values given the posteriors of the states."""
        counts = counts + PSEUDOCOUNT
        if self.options.independent:
            counts = (posterior.sum((0, 1)) + PSEUDOCOUNT).expand_as(counts)
        self.transition.copy_(counts / counts.sum(1, keepdim=True))
        frames, regressors, posterior = frames.flatten(0, 1), regressors.flatten(0, 1), posterior.flatten(0, 1)
        # The weighted regressions of all states at once, in float32; `audiogen.dsp.autoregression` solves one.
        weighted = posterior.T.unsqueeze(-1) * regressors  # [states, n, regressors]
        gram = weighted.transpose(1, 2) @ regressors
        eye = torch.eye(regressors.shape[1])
        loading = RIDGE * posterior.sum(0).clamp(min=1)[:, None, None] * eye
        loading[:, 0] = 1e-6 * eye[0]  # the mean of a state is not penalised
        self.weight.copy_(torch.linalg.solve(gram + loading, weighted.transpose(1, 2) @ frames))
        residual = frames - regressors @ self.weight  # [states, n, features]
        scatter = (posterior.T.unsqueeze(-1) * residual).transpose(1, 2) @ residual
        pooled, count = scatter.sum(0) / len(frames), posterior.sum(0)[:, None, None]
        prior = self.options.prior
        covariance = (scatter + prior * pooled) / (count + prior) + VARIANCE_FLOOR * torch.eye(self.features)
        self.root.copy_(torch.linalg.cholesky(covariance))

    @property
    def stationary_distribution(self) -> Tensor:
        """Long-run probability of each state, ``[states]``."""
        return torch.linalg.matrix_power(self.transition, 1024).mean(0)

    def log_likelihood(self, frames: Tensor) -> Tensor:
        """Log density in nats of each frame but the first, ``[batch, time - 1]``."""
        state, nats = self.start(frames[:, :1]), []
        for frame in frames[:, 1:].unbind(1):
            nats.append(torch.logsumexp(self._joint(state, frame), dim=-1))
            state = self.read(state, frame)
        return torch.stack(nats, dim=1)

    def loss(self, frames: Tensor) -> Mapping[str, Tensor]:
        nats = -self.log_likelihood(frames).mean()
        return {"loss": nats / self.features, "nll": nats}

    def start(self, prompt: Tensor) -> State:
        posterior = self.stationary_distribution.expand(len(prompt), -1)
        state: State = (posterior, prompt.new_zeros(len(prompt), self.options.order, self.features))
        for frame in prompt.unbind(1):
            state = self.read(state, frame)
        return state

    def draw(self, state: State, sampling: Sampling) -> Tensor:
        posterior, past = state
        chosen = sample_component((posterior @ self.transition).log(), sampling)
        noise = sampling.normal(len(chosen), self.features, 1, device=posterior.device)
        regressors = self.regressors(past.new_zeros(len(past), 1, self.features), past)
        mean = (regressors @ self.weight[chosen])[:, 0]
        return mean + math.sqrt(sampling.temperature) * (self.root[chosen] @ noise).squeeze(-1)

    def read(self, state: State, frame: Tensor) -> State:
        _, past = state
        joint = self._joint(state, frame)
        past = torch.cat([past, frame[:, None]], dim=1)[:, 1:] if self.options.order else past
        return joint.softmax(-1), past

    def _joint(self, state: State, frame: Tensor) -> Tensor:
        """Log probability in nats of ``frame`` ``[batch, features]`` together with each state, ``[batch, states]``."""
        posterior, past = state
        emission = self.emission_log_prob(self.regressors(frame[:, None], past)[:, 0], frame)
        return (posterior @ self.transition).log() + emission


def _kmeans(frames: Tensor, count: int) -> Tensor:
    """Cluster index ``[n, time]`` of each of ``[n, time, features]``, by k-means."""
    flat = frames.flatten(0, 1)
    generator = torch.Generator().manual_seed(0)
    centres = flat[torch.randint(len(flat), (1,), generator=generator)]
    for _ in range(count - 1):  # k-means++ initialisation (Arthur & Vassilvitskii 2007)
        distance = torch.cdist(flat, centres).amin(1).square() + 1e-9
        centres = torch.cat([centres, flat[torch.multinomial(distance, 1, generator=generator)]])
    for _ in range(KMEANS_ITERATIONS):
        member = torch.cdist(flat, centres).argmin(1)
        sums = torch.zeros_like(centres).index_add_(0, member, flat)
        sizes = torch.bincount(member, minlength=count)[:, None]
        centres = torch.where(sizes > 0, sums / sizes.clamp(min=1), centres)
    return torch.cdist(flat, centres).argmin(1).view(frames.shape[:2])
