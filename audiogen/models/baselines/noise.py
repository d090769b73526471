"""Noise baseline: independent Gaussian frames with the mean and covariance of the training frames."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from audiogen.config.option_types import PositiveFloat
from audiogen.models.base import FrameModel, Sampling, State


@dataclass(frozen=True)
class NoiseOptions:
    """Options of the noise baseline.

    Args:
        floor: fraction of the mean variance added to each variance, so that few frames have a density, too.
    """

    floor: PositiveFloat = 1e-4


class Noise(FrameModel):
    """Independent samples of one Gaussian. Temperature tau multiplies its covariance.

    Args:
        features: size of a frame.
        options: see `NoiseOptions`.
    """

    Options = NoiseOptions
    uses_selection = False
    mean: Tensor
    root: Tensor

    def __init__(self, features: int, options: NoiseOptions) -> None:
        super().__init__()
        self.floor = options.floor
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("root", torch.eye(features))  # Cholesky factor of the covariance

    @torch.no_grad()
    def fit_closed_form(self, sequences: list[Tensor]) -> None:
        frames = torch.cat(sequences)
        covariance = frames.T.cov(correction=0).view(len(self.mean), -1)
        variance = covariance.diagonal().mean().clamp(min=1e-6)
        self.mean.copy_(frames.mean(0))
        self.root.copy_(torch.linalg.cholesky(covariance + self.floor * variance * torch.eye(len(self.mean))))

    def log_likelihood(self, frames: Tensor) -> Tensor:
        """Log density in nats of each frame but the first, ``[batch, time - 1]``."""
        residual = (frames[:, 1:] - self.mean).flatten(0, 1)
        white = torch.linalg.solve_triangular(self.root, residual.T, upper=False).T.view_as(frames[:, 1:])
        log_det = self.root.diagonal().log().sum()
        return -0.5 * (white.square() + math.log(2 * math.pi)).sum(-1) - log_det

    def loss(self, frames: Tensor) -> Mapping[str, Tensor]:
        nats = -self.log_likelihood(frames).mean()
        return {"loss": nats / frames.shape[-1], "nll": nats}

    def start(self, prompt: Tensor) -> State:
        return prompt[:, -1]

    def draw(self, state: State, sampling: Sampling) -> Tensor:
        white = sampling.normal(*state.shape, device=state.device)
        return self.mean + math.sqrt(sampling.temperature) * white @ self.root.T

    def read(self, state: State, frame: Tensor) -> State:
        """The last frame, which later ones do not depend on."""
        return frame
