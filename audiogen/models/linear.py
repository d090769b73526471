"""The linear part of a prediction: what the next frame is, as far as the last frames and running means tell.

Fitted in closed form before anything is trained, so that slow structure, swells that last longer than a training
window, is there from the first step, and a network has only the rest to learn.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

LAGS = 3
MEMORIES = (4.0, 16.0, 64.0)  # time constants of the running means, in frames
RIDGES = tuple(10.0 ** (power / 2) for power in range(-8, 7))  # times the mean power of the regressors
TOLERANCE = 0.02  # that a stronger ridge may be worse by
HELD_BACK = 0.2  # of each sequence, to choose the ridge by
LARGEST_RADIUS = 0.995  # of the recursion's spectrum: what it is fed with dies away


class LinearPrediction(nn.Module):
    """Vector autoregression with running means: frame[t + 1] = W [frame[t], ..., frame[t - 2], means[t]].

    Args:
        features: size of a frame.
    """

    weight: Tensor
    deviation: Tensor
    keep: Tensor

    def __init__(self, features: int) -> None:
        super().__init__()
        self.features = features
        self.register_buffer("weight", torch.zeros((LAGS + len(MEMORIES)) * features, features))
        self.register_buffer("deviation", torch.ones(()))  # of what is left, over all features
        self.register_buffer("keep", torch.exp(-1 / torch.tensor(MEMORIES)), persistent=False)

    def forward(self, frames: Tensor, state: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, tuple]:
        """``[batch, time, features]`` -> what is expected after each, same shape; the state."""
        regressors, state = self.regressors(frames, state)
        return regressors @ self.weight, state

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
        """Least squares with the ridge that predicts the later part of the sequences best.

        Args:
            sequences: ``[time, features]`` each, at least one of two frames.
        """
        pairs = [self._pairs(piece) for piece in sequences if len(piece) > 1]
        stops = [round((1 - HELD_BACK) * len(known)) for known, _ in pairs]
        early = _moments([(known[:stop], wanted[:stop]) for (known, wanted), stop in zip(pairs, stops, strict=True)])
        late = [(known[stop:], wanted[stop:]) for (known, wanted), stop in zip(pairs, stops, strict=True)]
        errors = torch.tensor([_error(late, _solve(*early, ridge)) for ridge in RIDGES])
        # The strongest ridge that is as good as the best: what is fitted too closely leaves too little to be drawn.
        chosen = int((errors <= (1 + TOLERANCE) * errors.min()).nonzero().max())
        self.weight.copy_(self._stable(_solve(*_moments(pairs), RIDGES[chosen])))
        self.deviation.copy_(errors[chosen].clamp(min=1e-6).sqrt())

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


def _error(pairs: Sequence[tuple[Tensor, Tensor]], weight: Tensor) -> float:
    """Mean square of what is left unpredicted."""
    left = torch.cat([wanted - known @ weight for known, wanted in pairs])
    return float(left.square().mean())


def _moments(pairs: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    square = sum(known.double().T @ known.double() for known, _ in pairs)
    cross = sum(known.double().T @ wanted.double() for known, wanted in pairs)
    return torch.as_tensor(square), torch.as_tensor(cross)


def _solve(square: Tensor, cross: Tensor, ridge: float) -> Tensor:
    loading = (ridge * float(square.diagonal().mean()) + 1e-9) * torch.eye(len(square), dtype=square.dtype)
    return torch.linalg.solve(square + loading, cross).float()
