"""The ``mel`` Representation: latents of patches of the log-mel frames of the principal channels."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

import torch
from torch import Tensor

from audiogen.config.option_types import Fraction, Layers, NonNegativeInt, Width
from audiogen.representation.base import Representation
from audiogen.representation.latents import Latents, fit_latents
from audiogen.representation.mel import MelSpec
from audiogen.tensors import Layout, require_layout

MAX_PATCH_VALUES = 1 << 15  # their covariance takes 4 GiB
LATENT_TENSORS = ("mean", "deviation", "basis", "scale")


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
