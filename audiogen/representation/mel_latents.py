"""The ``mel`` Representation: latents of patches of the log-mel frames of the principal channels.

A patch is several consecutive frames side by side: a model over patches has that many times the context at the same
cost. Principal component analysis of the training patches keeps their directions of greatest variance. Each component
is divided by its standard deviation to a power between 0 (plain PCA) and 1 (whitened). Fully whitened, a model spends
its capacity on noise; unwhitened, it does not learn the fine structure.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

import torch
from torch import Tensor

from audiogen.config.option_types import Fraction, Layers, NonNegativeInt, Width
from audiogen.representation.base import Representation
from audiogen.representation.mel import MelSpec
from audiogen.tensors import Layout, require_layout

PATCHES_AT_ONCE = 4096  # while fitting: bounds memory, since overlapping patches hold each frame ``patch`` times
MAX_PATCH_VALUES = 1 << 15  # their covariance takes 4 GiB
LATENT_TENSORS = ("mean", "deviation", "basis", "scale")


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


@dataclass(frozen=True)
class MelOptions:
    """Options of the mel representation.

    Args:
        spec: definition of a mel frame.
        channels: number of principal channels that are modelled; further ones are taken from the source. None for the
            channels of a single training recording, at most 2, and for 1 with a folder of recordings.
        patch: consecutive mel frames in one of the Model's frames.
        latents: principal components kept of a patch; 0 keeps every value.
        whitening: exponent, 0..1, of the standard deviation that each latent is divided by.
        centred: whether to subtract each recording's own mean frame, so that a Model transfers between recordings of
            different levels and spectra.
    """

    spec: MelSpec = field(default_factory=MelSpec)
    channels: Layers | None = None
    patch: Width = 8
    latents: NonNegativeInt = 32
    whitening: Fraction = 0.5
    centred: bool = True

    def __post_init__(self) -> None:
        values = self.patch * self.spec.n_mels * (self.channels or 1)
        if values > MAX_PATCH_VALUES:
            raise ValueError(f"a patch of {values:,} values is too large: lower patch or n_mels")


class MelLatents(Representation):
    """Maps log-mel frames ``[time, channels * n_mels]`` to latents ``[time / patch, latent]`` and back.

    Args:
        options: with ``channels`` set.
        latents: fitted on frames of that many channels.
    """

    Options = MelOptions

    def __init__(self, options: MelOptions, latents: Latents) -> None:
        self.options, self.latents = options, latents

    @classmethod
    def fit(cls, options: MelOptions, recordings: list[Tensor], centres: list[Tensor] | None = None) -> Self:
        """Fit on the training split.

        Args:
            options: with ``channels`` set.
            recordings: ``[time, channels * n_mels]`` frames of each recording.
            centres: ``[channels * n_mels]`` frame that each recording is centred by, if `MelOptions.centred`; None for
                its mean.
        """
        return cls(
            options,
            fit_latents(recordings, options.patch, options.latents, options.whitening, options.centred, centres),
        )

    @property
    def channels(self) -> int:
        """Principal channels side by side in a mel frame."""
        return self.latents.mean.shape[0] // self.options.spec.n_mels

    @property
    def features(self) -> int:
        return self.latents.size

    @property
    def patch(self) -> int:
        """Mel frames in one of the Model's frames."""
        return self.options.patch

    @property
    def step_seconds(self) -> float:
        """Seconds of sound in one of the Model's frames."""
        return self.options.patch / self.options.spec.frame_rate

    def centre(self, frames: Tensor) -> Tensor:
        """Frame ``[feature]`` to subtract from a recording's frames ``[time, feature]``."""
        return frames.mean(0) if self.options.centred else self.latents.mean

    def encode(self, frames: Tensor, centre: Tensor | None = None) -> Tensor:
        """Latents ``[..., time / patch, latent]`` of frames ``[..., time, feature]``, time a multiple of the patch."""
        return self.latents.encode(frames, centre)

    def decode(self, latents: Tensor, centre: Tensor | None = None) -> Tensor:
        """Frames ``[..., time * patch, feature]`` of latents ``[..., time, latent]``."""
        return self.latents.decode(latents, centre)

    def tensors(self) -> dict[str, Tensor]:
        return self.latents.tensors()

    @classmethod
    def require_layout(cls, options: MelOptions, layout: Layout) -> None:
        for name in LATENT_TENSORS:
            if name not in layout:
                raise ValueError(f"{name} is missing")
        shapes = {name: layout[name][1] for name in LATENT_TENSORS}
        bands = shapes["mean"][0] if shapes["mean"] else 0
        size = shapes["scale"][0] if shapes["scale"] else 0
        values = options.patch * bands
        fitting = bands == options.spec.n_mels * (options.channels or max(bands // options.spec.n_mels, 1))
        if not fitting or not 1 <= size <= min(options.latents or values, values):
            raise ValueError(f"{bands} bands and {size} latents are not those of the representation")
        wanted = {"mean": (bands,), "deviation": (bands,), "basis": (values, size), "scale": (size,)}
        require_layout(
            {name: layout[name] for name in wanted}, {name: ("F32", shape) for name, shape in wanted.items()}
        )

    @classmethod
    def from_tensors(cls, options: MelOptions, tensors: dict[str, Tensor]) -> Self:
        if not (bool((tensors["deviation"] > 0).all()) and bool((tensors["scale"] > 0).all())):
            raise ValueError("a deviation or scale is not above 0")
        # Copied: tensors mapped from a file may be aligned differently, and then round differently.
        return cls(options, Latents(**{name: torch.as_tensor(tensors[name]).clone() for name in LATENT_TENSORS}))
