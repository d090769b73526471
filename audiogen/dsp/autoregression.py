"""Vector autoregression: ridge-regularised least squares, shrunk residual covariance, stability.

Lütkepohl (2005), "New introduction to multiple time series analysis", chapter 3. The next frame is a linear function of
regressors known before it, such as the last frames, plus a residual. All is computed in float64.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def lag_regression(frames: Tensor, order: int) -> tuple[Tensor, Tensor]:
    """Regressors and targets of an autoregression.

    Args:
        frames: ``[time, features]``, time > order.
        order: number of lags.

    Returns:
        ``[time - order, order * features]`` earlier frames side by side, lag 1 first, and ``[time - order, features]``
        frames that follow them.
    """
    past = [frames[order - lag : len(frames) - lag] for lag in range(1, order + 1)]
    return torch.cat(past, dim=1), frames[order:]


class LeastSquares:
    """The second moments that a linear regression of several sequences depends on.

    Args:
        pairs: regressors ``[n, regressors]`` and targets ``[n, features]`` of each sequence.

    Attributes:
        count: number of targets.
    """

    def __init__(self, pairs: Sequence[tuple[Tensor, Tensor]]) -> None:
        regressors, targets = (torch.cat(parts).double() for parts in zip(*pairs, strict=True))
        self.gram, self.cross, self.power = regressors.T @ regressors, regressors.T @ targets, targets.T @ targets
        self.count = len(targets)
        self._independent = len(targets) / len(pairs)  # sequences may be one recording at several offsets

    def solve(self, ridge: float, columns: Tensor | None = None, constant: bool = False) -> Tensor:
        """Weight ``[regressors, features]`` that minimises squared error plus ridge penalty.

        Args:
            ridge: penalty on the squared weight, relative to the mean power of the regressors.
            columns: indices of the regressors to use; the weights of the others are zero. None for all.
            constant: whether the last regressor is a constant, which is not penalised.
        """
        columns = torch.arange(len(self.gram)) if columns is None else columns
        gram = self.gram[columns][:, columns]
        weight = torch.zeros_like(self.cross)
        weight[columns] = torch.linalg.solve(gram + _loading(gram, ridge, constant), self.cross[columns])
        return weight

    def freedom(self, ridge: float, constant: bool = False) -> float:
        """Degrees of freedom of the residuals of `solve` (Hastie et al. 2009, section 3.4.1), at least a tenth of the
        number of targets."""
        smoother = torch.linalg.solve(self.gram + _loading(self.gram, ridge, constant), self.gram)
        return max(self.count - float(smoother.trace()), 0.1 * self.count)

    def scatter(self, weight: Tensor) -> Tensor:
        """Sum of the outer products of the residuals under a weight, ``[features, features]``."""
        weight = weight.double()
        explained = weight.T @ self.cross
        return self.power - explained - explained.T + weight.T @ self.gram @ weight

    def covariance(self, weight: Tensor, freedom: float | None = None) -> Tensor:
        """Residual covariance ``[features, features]``, shrunk towards its diagonal; more so with fewer frames.

        Args:
            weight: ``[regressors, features]``.
            freedom: degrees of freedom of the residuals; None for the number of targets.
        """
        covariance = self.scatter(weight) / (max(self.count, 1) if freedom is None else freedom)
        confidence = self._independent / (self._independent + len(covariance))
        covariance = confidence * covariance + (1 - confidence) * covariance.diagonal().diag()
        floor = 1e-6 * covariance.diagonal().mean() + 1e-6
        return covariance + floor * torch.eye(len(covariance), dtype=covariance.dtype)


def _loading(gram: Tensor, ridge: float, constant: bool) -> Tensor:
    loading = (ridge * float(gram.diagonal().mean()) + 1e-9) * torch.eye(len(gram), dtype=gram.dtype)
    if constant:
        loading[-1] = 0.0
    return loading


def companion(weight: Tensor, order: int) -> Tensor:
    """Companion matrix, square of size ``order * features``, which carries the last frames, newest first, one frame on.

    Args:
        weight: ``[order * features, features]``, lag 1 first.
        order: number of lags.
    """
    features = weight.shape[1]
    matrix = torch.diag(torch.ones((order - 1) * features, dtype=weight.dtype), -features)
    matrix[:features] = weight.T
    return matrix


def spectral_radius(matrix: Tensor) -> float:
    """Largest absolute eigenvalue; a recursion whose matrix has one below 1 is stable."""
    return float(torch.linalg.eigvals(matrix).abs().max())


def stabilise(weight: Tensor, order: int, radius: float) -> Tensor:
    """Weight ``[order * features, features]`` whose companion matrix has at most the given spectral radius.

    The weight of lag k is multiplied by g^k, which multiplies each eigenvalue by g.
    """
    excess = spectral_radius(companion(weight, order)) / radius
    if excess <= 1.0:
        return weight
    scale = (1.0 / excess) ** torch.arange(1, order + 1, dtype=weight.dtype)
    return weight * scale.repeat_interleave(weight.shape[1])[:, None]
