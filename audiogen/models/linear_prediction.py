"""Linear prediction of the next frame from the last frames and from running means.

Fitted in closed form before gradient training, so that slow structure, such as swells longer than a training window, is
modelled from the first step and a network has only the residual to learn.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from audiogen.dsp.autoregression import LeastSquares, spectral_radius

LAGS = 4
TIME_CONSTANTS = (4.0, 16.0, 64.0)  # of the running means, in frames
# Candidate sets of regressors: indices of lags (0 to 3), then of running means (4 to 6).
REGRESSORS = ((0,), (0, 1), (0, 1, 2, 3), (0, 4, 5, 6), (0, 1, 2, 3, 4, 5, 6))
# Candidate ridges, relative to the mean power of the regressors. Beyond about 3 the fit is close to zero: where the end
# of a recording prefers more, that end differs from the rest.
RIDGES = tuple(10.0 ** (power / 2) for power in range(-8, 2))
MIN_GAIN_REGRESSORS, MIN_GAIN_RIDGE = 0.01, 0.005  # nats per feature that justify more regressors, a smaller ridge
VALIDATION_FRACTION = 0.2  # of each sequence, its end, for the choice of regressors and ridge
MAX_RADIUS = 0.995  # of the recursion: its response to a residual decays


class LinearPrediction(nn.Module):
    """Vector autoregression with running means: ``frame[t + 1] = W [frame[t], ..., frame[t - 3], means[t]]``.

    Args:
        features: size of a frame.
    """

    weight: Tensor
    root: Tensor
    keep: Tensor

    def __init__(self, features: int) -> None:
        super().__init__()
        self.features = features
        self.register_buffer("weight", torch.zeros((LAGS + len(TIME_CONSTANTS)) * features, features))
        self.register_buffer("root", torch.eye(features))  # Cholesky factor of the residual covariance
        self.register_buffer("keep", torch.exp(-1 / torch.tensor(TIME_CONSTANTS)), persistent=False)

    def forward(self, frames: Tensor, state: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, tuple]:
        """Predict the frame after each of ``[batch, time, features]``; returns predictions and the next state."""
        regressors, state = self.regressors(frames, state)
        return regressors @ self.weight, state

    def residual(self, frames: Tensor, expected: Tensor) -> Tensor:
        """Whitened prediction residual of frames ``[..., features]``."""
        error = (frames - expected).flatten(0, -2)
        return torch.linalg.solve_triangular(self.root.T, error, upper=True, left=False).view(frames.shape)

    def unwhiten(self, expected: Tensor, residual: Tensor) -> Tensor:
        """The frames ``[..., features]`` with the given predictions and whitened residuals; inverse of `residual`."""
        return expected + residual @ self.root.T

    @property
    def log_det(self) -> Tensor:
        """Log determinant of the whitening's inverse: log p(frame) = log p(residual) - log_det, in nats."""
        return self.root.diagonal().log().sum()

    def regressors(self, frames: Tensor, state: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, tuple]:
        """Regressors after each frame.

        Args:
            frames: ``[batch, time, features]``.
            state: the last frames and the running means before; None at the start of a sequence (zeros).

        Returns:
            ``[batch, time, (lags + running means) * features]``, and the next state.
        """
        batch, _, features = frames.shape
        if state is None:
            state = (
                frames.new_zeros(batch, LAGS - 1, features),
                frames.new_zeros(batch, len(TIME_CONSTANTS), features),
            )
        recent, means = state
        padded = torch.cat([recent, frames], dim=1)
        lags = [padded[:, LAGS - 1 - lag : padded.shape[1] - lag] for lag in range(LAGS)]
        running = self._running_means(frames, means)
        state = (padded[:, padded.shape[1] - LAGS + 1 :], running[:, -1])
        return torch.cat([*lags, running.flatten(2)], dim=2), state

    def _running_means(self, frames: Tensor, means: Tensor) -> Tensor:
        """Exponential running means ``[batch, time, means, features]``, given those before the first frame."""
        steps = torch.arange(1, frames.shape[1] + 1, device=frames.device)
        age = steps[:, None] - steps
        decay = torch.where(age >= 0, self.keep[:, None, None] ** age.clamp(min=0), 0.0)
        fresh = torch.einsum("mts,bsf->btmf", decay * (1 - self.keep)[:, None, None], frames)
        return fresh + (self.keep[:, None] ** steps).T[None, :, :, None] * means[:, None]

    @torch.no_grad()
    def fit(self, sequences: Sequence[Tensor]) -> None:
        """Fit by ridge regression; regressors and ridge are chosen by the likelihood of the end of each sequence.

        Args:
            sequences: ``[time, features]`` each, at least one of two frames. They may be the same recording at several
                offsets: the shrinkage of the residual covariance counts their mean length, not their total.
        """
        pairs = [self._pairs(sequence) for sequence in sequences if len(sequence) > 1]
        cuts = [round((1 - VALIDATION_FRACTION) * len(targets)) for _, targets in pairs]
        early = LeastSquares([(past[:cut], targets[:cut]) for (past, targets), cut in zip(pairs, cuts, strict=True)])
        late = LeastSquares([(past[cut:], targets[cut:]) for (past, targets), cut in zip(pairs, cuts, strict=True)])
        weight, covariance = _solve(LeastSquares(pairs), *self._select(early, late))
        self.weight.copy_(self._stable(weight))
        self.root.copy_(torch.linalg.cholesky(covariance))

    def _select(self, early: LeastSquares, late: LeastSquares) -> tuple[Tensor, float]:
        """Choose the fewest regressors, then the largest ridge, that are nearly as good as the best.

        Overfitting predicts new audio badly and makes the residual, from which rollouts are sampled, too small.
        """
        candidates = [self._columns(blocks) for blocks in REGRESSORS]
        nats = torch.tensor(
            [[_log_likelihood(late, *_solve(early, columns, ridge)) for ridge in RIDGES] for columns in candidates]
        )
        nats = nats / self.features
        best = nats.amax(dim=1)
        fewest = int((best >= best.max() - MIN_GAIN_REGRESSORS).nonzero().min())
        strongest = int((nats[fewest] >= best[fewest] - MIN_GAIN_RIDGE).nonzero().max())
        return candidates[fewest], RIDGES[strongest]

    def _columns(self, blocks: Sequence[int]) -> Tensor:
        return torch.cat([torch.arange(block * self.features, (block + 1) * self.features) for block in blocks])

    def _pairs(self, sequence: Tensor) -> tuple[Tensor, Tensor]:
        regressors, _ = self.regressors(sequence[None, :-1])
        return regressors[0], sequence[1:]

    def _stable(self, weight: Tensor) -> Tensor:
        for _ in range(200):
            if spectral_radius(self._recursion(weight)) <= MAX_RADIUS:
                break
            weight = 0.98 * weight
        return weight

    def _recursion(self, weight: Tensor) -> Tensor:
        """Square matrix that carries (last frames, running means) one frame on: a companion matrix with means."""
        size, count = self.features, LAGS + len(TIME_CONSTANTS)
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


def _solve(moments: LeastSquares, columns: Tensor, ridge: float) -> tuple[Tensor, Tensor]:
    """Weight and residual covariance in float32, the precision in which they are saved."""
    weight = moments.solve(ridge, columns)
    return weight.float(), moments.covariance(weight).float()


def _log_likelihood(moments: LeastSquares, weight: Tensor, covariance: Tensor) -> float:
    """Mean Gaussian log likelihood of the targets in nats, up to a constant."""
    whitened = torch.linalg.solve(covariance.double(), moments.scatter(weight)).trace().float() / max(moments.count, 1)
    return -0.5 * float(whitened + torch.logdet(covariance))
