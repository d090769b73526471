"""The linear part of a prediction: what the next frame is, as far as the last frames and running means tell.

Fitted in closed form before anything is trained, so that slow structure, swells that last longer than a training
window, is there from the first step, and a network has only the rest to learn.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

LAGS = 4
MEMORIES = (4.0, 16.0, 64.0)  # time constants of the running means, in frames
REGRESSORS = ((0,), (0, 1), (0, 1, 2, 3), (0, 4, 5, 6), (0, 1, 2, 3, 4, 5, 6))  # tried: of lags, then running means
# Times the mean power of the regressors. Three forget most of what they tell: where the end of a recording asks for
# more, it is the end that differs.
RIDGES = tuple(10.0 ** (power / 2) for power in range(-8, 2))
WORTH_REGRESSORS, WORTH_RIDGE = 0.01, 0.005  # nats a feature that more of the one, less of the other must be better by
HELD_BACK = 0.2  # of each sequence, to choose by
LARGEST_RADIUS = 0.995  # of the recursion's spectrum: what it is fed with dies away


class LinearPrediction(nn.Module):
    """Vector autoregression with running means: frame[t + 1] = W [frame[t], ..., frame[t - 3], means[t]].

    Args:
        features: size of a frame.
    """

    weight: Tensor
    root: Tensor
    keep: Tensor

    def __init__(self, features: int) -> None:
        super().__init__()
        self.features = features
        self.register_buffer("weight", torch.zeros((LAGS + len(MEMORIES)) * features, features))
        self.register_buffer("root", torch.eye(features))  # of the covariance of what is left (Cholesky's)
        self.register_buffer("keep", torch.exp(-1 / torch.tensor(MEMORIES)), persistent=False)

    def forward(self, frames: Tensor, state: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, tuple]:
        """``[batch, time, features]`` -> what is expected after each, same shape; the state."""
        regressors, state = self.regressors(frames, state)
        return regressors @ self.weight, state

    def left(self, frames: Tensor, expected: Tensor) -> Tensor:
        """What was not expected of frames ``[..., features]``, whitened."""
        rest = (frames - expected).flatten(0, -2)
        return torch.linalg.solve_triangular(self.root.T, rest, upper=True, left=False).view(frames.shape)

    def frames(self, expected: Tensor, left: Tensor) -> Tensor:
        """The frames ``[..., features]`` of which `left` was left."""
        return expected + left @ self.root.T

    @property
    def log_volume(self) -> Tensor:
        """Nats by which the density of a frame is below that of what is left of it."""
        return self.root.diagonal().log().sum()

    def regressors(self, frames: Tensor, state: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, tuple]:
        """``[batch, time, (lags + memories) * features]`` known by each frame; the state."""
        batch, _, features = frames.shape
        if state is None:
            state = (frames.new_zeros(batch, LAGS - 1, features), frames.new_zeros(batch, len(MEMORIES), features))
        recent, means = state
        heard = torch.cat([recent, frames], dim=1)
        lags = [heard[:, LAGS - 1 - lag : heard.shape[1] - lag] for lag in range(LAGS)]
        memories = self._running(frames, means)
        state = (heard[:, heard.shape[1] - LAGS + 1 :], memories[:, -1])
        return torch.cat([*lags, memories.flatten(2)], dim=2), state

    def _running(self, frames: Tensor, means: Tensor) -> Tensor:
        """``[batch, time, memories, features]`` running means, from those before the first frame."""
        steps = torch.arange(1, frames.shape[1] + 1, device=frames.device)
        apart = steps[:, None] - steps
        decay = torch.where(apart >= 0, self.keep[:, None, None] ** apart.clamp(min=0), 0.0)
        fresh = torch.einsum("mts,bsf->btmf", decay * (1 - self.keep)[:, None, None], frames)
        return fresh + (self.keep[:, None] ** steps).T[None, :, :, None] * means[:, None]

    @torch.no_grad()
    def fit(self, sequences: Sequence[Tensor]) -> None:
        """Least squares, with the regressors and the ridge that make the later part of the sequences likeliest.

        Args:
            sequences: ``[time, features]`` each, at least one of two frames; the same recording at several offsets
                counts once when it is judged how far the covariance of what is left can be trusted.
        """
        pairs = [self._pairs(piece) for piece in sequences if len(piece) > 1]
        stops = [round((1 - HELD_BACK) * len(known)) for known, _ in pairs]
        early = _Moments([(known[:stop], wanted[:stop]) for (known, wanted), stop in zip(pairs, stops, strict=True)])
        late = _Moments([(known[stop:], wanted[stop:]) for (known, wanted), stop in zip(pairs, stops, strict=True)])
        columns, ridge = self._chosen(early, late)
        weight, covariance = _Moments(pairs).solved(columns, ridge)
        self.weight.copy_(self._stable(weight))
        self.root.copy_(torch.linalg.cholesky(covariance))

    def _chosen(self, early: _Moments, late: _Moments) -> tuple[Tensor, float]:
        """The fewest regressors that are as good as any, then the strongest ridge that is as good as any.

        What is fitted too closely foretells the next minute badly, and leaves too little to be drawn.
        """
        tried = [self._columns(places) for places in REGRESSORS]
        nats = torch.tensor([[_nats(late, *early.solved(columns, ridge)) for ridge in RIDGES] for columns in tried])
        nats = nats / self.features
        best = nats.amax(dim=1)
        simplest = int((best >= best.max() - WORTH_REGRESSORS).nonzero().min())
        strongest = int((nats[simplest] >= best[simplest] - WORTH_RIDGE).nonzero().max())
        return tried[simplest], RIDGES[strongest]

    def _columns(self, places: Sequence[int]) -> Tensor:
        return torch.cat([torch.arange(place * self.features, (place + 1) * self.features) for place in places])

    def _pairs(self, sequence: Tensor) -> tuple[Tensor, Tensor]:
        known, _ = self.regressors(sequence[None, :-1])
        return known[0], sequence[1:]

    def _stable(self, weight: Tensor) -> Tensor:
        for _ in range(200):
            if float(torch.linalg.eigvals(self._recursion(weight)).abs().max()) <= LARGEST_RADIUS:
                break
            weight = 0.98 * weight
        return weight

    def _recursion(self, weight: Tensor) -> Tensor:
        """Square matrix that carries (last frames, means) one frame on."""
        size, count = self.features, LAGS + len(MEMORIES)
        eye = torch.eye(size)
        matrix = torch.zeros(count * size, count * size)
        matrix[:size] = weight.T
        for lag in range(1, LAGS):
            matrix[lag * size : (lag + 1) * size, (lag - 1) * size : lag * size] = eye
        for index, keep in enumerate(self.keep.tolist(), LAGS):
            rows = slice(index * size, (index + 1) * size)
            matrix[rows] = (1 - keep) * weight.T
            matrix[rows, rows] += keep * eye
        return matrix


class _Moments:
    """All that least squares need to know of regressors and what follows them.

    Args:
        pairs: ``[n, regressors]`` and ``[n, features]`` of each sequence.
    """

    def __init__(self, pairs: Sequence[tuple[Tensor, Tensor]]) -> None:
        known, wanted = (torch.cat(parts).double() for parts in zip(*pairs, strict=True))
        self.known, self.cross, self.wanted = known.T @ known, known.T @ wanted, wanted.T @ wanted
        self.count, self.independent = len(wanted), len(wanted) / len(pairs)

    def solved(self, columns: Tensor, ridge: float) -> tuple[Tensor, Tensor]:
        """Weight on some of the regressors, zero on the others, and the covariance of what it leaves."""
        gram = self.known[columns][:, columns]
        loading = (ridge * float(gram.diagonal().mean()) + 1e-9) * torch.eye(len(gram), dtype=gram.dtype)
        weight = torch.zeros_like(self.cross)
        weight[columns] = torch.linalg.solve(gram + loading, self.cross[columns])
        covariance = self.left(weight) / max(self.count, 1)
        # Drawn towards its diagonal as far as frames are few.
        trust = self.independent / (self.independent + len(covariance))
        covariance = trust * covariance + (1 - trust) * covariance.diagonal().diag()
        floor = 1e-6 * covariance.diagonal().mean() + 1e-6
        return weight.float(), (covariance + floor * torch.eye(len(covariance), dtype=gram.dtype)).float()

    def left(self, weight: Tensor) -> Tensor:
        """Summed second moments of what is left by a weight."""
        weight = weight.double()
        explained = weight.T @ self.cross
        return self.wanted - explained - explained.T + weight.T @ self.known @ weight


def _distance(moments: _Moments, weight: Tensor, covariance: Tensor) -> Tensor:
    """Mean square of what is left, whitened by the covariance and summed over the features."""
    return torch.linalg.solve(covariance.double(), moments.left(weight)).trace().float() / max(moments.count, 1)


def _nats(moments: _Moments, weight: Tensor, covariance: Tensor) -> float:
    """Mean log-likelihood but for a constant."""
    return -0.5 * float(_distance(moments, weight, covariance) + torch.logdet(covariance))
