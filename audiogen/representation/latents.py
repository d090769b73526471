"""Frames -> patches -> a few partially whitened linear latents, and back.

A patch is several consecutive frames side by side: a model over patches hears that many times further back
for the same cost. Principal component analysis keeps the directions in which patches of the training part
vary. Dividing each by its standard deviation to a power between 0 (plain PCA) and 1 (whitened) weighs them
for the model: whitened, it wastes effort on noise; unwhitened, it never learns the fine structure.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

PATCHES_AT_ONCE = 4096  # while fitting: all at once would hold each frame ``patch`` times


@dataclass(frozen=True)
class Latents:
    """A fitted linear code of patches.

    Args:
        mean: ``[feature]``, mean log-mel frame of the training part.
        deviation: ``[feature]``, standard deviation of each band there, at least a hundredth of their mean.
        basis: ``[patch * feature, latent]``, orthonormal columns over normalised patches.
        scale: ``[latent]``, what each coordinate is divided by.
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
        """Latent coordinates of a patch."""
        return self.basis.shape[1]

    def encode(self, frames: Tensor, centre: Tensor | None = None) -> Tensor:
        """``[..., time, feature]``, time a multiple of the patch -> ``[..., time / patch, latent]``.

        ``centre`` ``[feature]`` replaces the mean where the frames belong to a recording of another level or
        colour.
        """
        normalised = (frames - (self.mean if centre is None else centre)) / self.deviation
        patches = normalised.unflatten(-2, (-1, self.patch)).flatten(-2)
        return patches @ self.basis / self.scale

    def decode(self, latents: Tensor, centre: Tensor | None = None) -> Tensor:
        """``[..., time, latent]`` -> ``[..., time * patch, feature]``; what the code drops is missing."""
        patches = (latents * self.scale) @ self.basis.T
        normalised = patches.unflatten(-1, (self.patch, -1)).flatten(-3, -2)
        return normalised * self.deviation + (self.mean if centre is None else centre)

    def to(self, device: torch.device) -> Latents:
        """The same code on another device."""
        return Latents(**{name: tensor.to(device) for name, tensor in self.tensors().items()})

    def tensors(self) -> dict[str, Tensor]:
        """What is saved with a Run."""
        return {
            "mean": self.mean,
            "deviation": self.deviation,
            "basis": self.basis,
            "scale": self.scale,
        }


def fit_latents(
    recordings: list[Tensor],
    patch: int,
    size: int,
    whitening: float,
    centred: bool = False,
    centres: list[Tensor] | None = None,
) -> Latents:
    """Fit on the training part, patches at all offsets.

    Args:
        recordings: ``[time, feature]`` each.
        patch: frames in a patch.
        size: latents to keep; at most ``patch * feature`` and what the data spans. 0 keeps every frame value
            as it is (no turning, no whitening).
        whitening: exponent in 0..1 of the standard deviation that each latent is divided by.
        centred: subtract each recording's own mean instead of the common one.
        centres: ``[feature]`` each: what to subtract then, where recordings are stretches of longer ones.

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
    # One common factor makes the latents' mean square 1, the size that noise levels and heads assume.
    return Latents(mean, deviation, basis, spread.pow(whitening) * spread.pow(2 - 2 * whitening).mean().sqrt())


def _second_moments(frames: Tensor, patch: int) -> Tensor:
    """Summed second moments of the patches of ``[time, feature]`` at all offsets, some at a time."""
    size = patch * frames.shape[1]
    moments = torch.zeros(size, size)
    if len(frames) >= patch:
        for windows in frames.unfold(0, patch, 1).split(PATCHES_AT_ONCE):
            patches = windows.transpose(1, 2).flatten(1)
            moments += patches.T @ patches
    return moments


def principal_directions(covariance: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """The ``size`` strongest directions ``[feature, size]`` of a covariance, and the variance along each."""
    variance, vectors = torch.linalg.eigh(covariance)
    variance, vectors = variance.flip(0)[:size], vectors.flip(1)[:, :size]
    # An eigenvector's sign is arbitrary: fixed here, so that equal input gives equal output.
    largest = vectors.gather(0, vectors.abs().argmax(0, keepdim=True))
    # Contiguous, as it comes back from disk: another layout would round differently.
    return (vectors * torch.where(largest < 0, -1.0, 1.0)).contiguous(), variance
