"""Linear latents of patches of frames: principal components, partially whitened.

A patch is several consecutive frames side by side: a model over patches has that many times the context at the same
cost. Principal component analysis of the training patches keeps their directions of greatest variance. Each component
is divided by its standard deviation to a power between 0 (plain PCA) and 1 (whitened). Fully whitened, a model spends
its capacity on noise; unwhitened, it does not learn the fine structure.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

PATCHES_AT_ONCE = 4096  # while fitting: bounds memory, since overlapping patches hold each frame ``patch`` times


@dataclass(frozen=True)
class Latents:
    """A fitted linear code of patches.

    Args:
        mean: ``[feature]``, mean log-mel frame of the training split.
        deviation: ``[feature]``, standard deviation of each band there, at least a hundredth of their mean.
        basis: ``[patch * feature, latent]``, orthonormal columns over normalised patches.
        scale: ``[latent]``, divisor of each latent.
    """

    mean: Tensor
    deviation: Tensor
    basis: Tensor
    scale: Tensor

    @property
    def patch(self) -> int:
        """Frames in a patch."""
        return self.basis.shape[0] // self.mean.shape[0]

    @property
    def size(self) -> int:
        """Number of latents of a patch."""
        return self.basis.shape[1]

    def encode(self, frames: Tensor, centre: Tensor | None = None) -> Tensor:
        """Latents ``[..., time / patch, latent]`` of frames.

        Args:
            frames: ``[..., time, feature]``, time a multiple of the patch.
            centre: ``[feature]``, subtracted instead of the training mean, so that recordings of other levels or
                spectra have comparable latents.
        """
        normalised = (frames - (self.mean if centre is None else centre)) / self.deviation
        patches = normalised.unflatten(-2, (-1, self.patch)).flatten(-2)
        return patches @ self.basis / self.scale

    def decode(self, latents: Tensor, centre: Tensor | None = None) -> Tensor:
        """Frames ``[..., time * patch, feature]`` of latents ``[..., time, latent]``, less the dropped components."""
        patches = (latents * self.scale) @ self.basis.T
        normalised = patches.unflatten(-1, (self.patch, -1)).flatten(-3, -2)
        return normalised * self.deviation + (self.mean if centre is None else centre)

    def to(self, device: torch.device) -> Latents:
        """A copy on another device."""
        return Latents(**{name: tensor.to(device) for name, tensor in self.tensors().items()})

    def tensors(self) -> dict[str, Tensor]:
        """The fields by name, as saved with a Run."""
        return {"mean": self.mean, "deviation": self.deviation, "basis": self.basis, "scale": self.scale}


def fit_latents(
    recordings: list[Tensor],
    patch: int,
    size: int,
    whitening: float,
    centred: bool = False,
    centres: list[Tensor] | None = None,
) -> Latents:
    """Fit the code on patches at all offsets.

    Args:
        recordings: ``[time, feature]`` frames of each recording in the training split.
        patch: frames in a patch.
        size: latents to keep; at most ``patch * feature`` and the number of patches. 0 keeps the normalised frame
            values (no rotation, no whitening).
        whitening: exponent, 0..1, of the standard deviation that each latent is divided by.
        centred: whether to subtract each recording's own mean instead of the common one.
        centres: ``[feature]`` for each recording, subtracted if ``centred``; None for the recording's mean. Needed
            where recordings are segments of longer ones.

    Raises:
        ValueError: no recording is as long as a patch.
    """
    frames = torch.cat(recordings)
    feature = frames.shape[1]
    mean = frames.mean(0)
    own = centres or [piece.mean(0) for piece in recordings]
    pieces = [piece - (centre if centred else mean) for piece, centre in zip(recordings, own, strict=True)]
    deviation = torch.cat(pieces).square().mean(0).sqrt()
    deviation = deviation.clamp(min=max(0.01 * float(deviation.mean()), 1e-3))
    if size == 0:
        return Latents(mean, deviation, torch.eye(patch * feature), torch.ones(patch * feature))
    count = sum(max(len(piece) - patch + 1, 0) for piece in pieces)
    if count == 0:
        raise ValueError(f"no recording has the {patch} frames of a patch")
    covariance = sum(_second_moments(piece / deviation, patch) for piece in pieces) / count
    basis, variance = principal_directions(torch.as_tensor(covariance), min(size, count, patch * feature))
    spread = variance.clamp(min=1e-6 * float(variance[0]) + 1e-12).sqrt()
    # A common factor gives the latents a mean square of 1, which noise levels and heads assume.
    return Latents(mean, deviation, basis, spread.pow(whitening) * spread.pow(2 - 2 * whitening).mean().sqrt())


def _second_moments(frames: Tensor, patch: int) -> Tensor:
    """Sum of the outer products of the patches of ``[time, feature]`` at all offsets."""
    size = patch * frames.shape[1]
    moments = torch.zeros(size, size)
    if len(frames) >= patch:
        for windows in frames.unfold(0, patch, 1).split(PATCHES_AT_ONCE):
            patches = windows.transpose(1, 2).flatten(1)
            moments += patches.T @ patches
    return moments


def principal_directions(covariance: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """The ``size`` leading eigenvectors ``[feature, size]`` of a covariance, and their eigenvalues."""
    variance, vectors = torch.linalg.eigh(covariance)
    variance, vectors = variance.flip(0)[:size], vectors.flip(1)[:, :size]
    # The sign of an eigenvector is arbitrary; it is fixed for reproducibility.
    largest = vectors.gather(0, vectors.abs().argmax(0, keepdim=True))
    # Contiguous like a tensor loaded from disk: another memory layout would round differently.
    return (vectors * torch.where(largest < 0, -1.0, 1.0)).contiguous(), variance
