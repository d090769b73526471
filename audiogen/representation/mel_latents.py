"""The ``mel`` Representation: log-mel frames of principal channels -> patches -> latents, and back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

import torch
from torch import Tensor

from audiogen.config.option_types import Layers, NonNegativeInt, Unit, Width
from audiogen.representation.base import Representation
from audiogen.representation.latents import Latents, fit_latents
from audiogen.representation.mel import MelSpec
from audiogen.tensors import Layout, require_layout


@dataclass(frozen=True)
class MelOptions:
    """Args:
    spec: what a mel frame is.
    channels: principal channels that the model hears, further ones follow the source; None for as many as the
        one recording that is trained on has, at most 2, and for 1 of each recording in a folder.
    patch: consecutive frames in one of the Model's frames.
    latents: principal components kept of a patch; 0 keeps every value.
    whitening: exponent (0..1) of the standard deviation that each latent is divided by.
    centred: subtract each recording's own mean frame: levels and colours then transfer between recordings.
    """

    spec: MelSpec = field(default_factory=MelSpec)
    channels: Layers | None = None
    patch: Width = 8
    latents: NonNegativeInt = 32
    whitening: Unit = 0.5
    centred: bool = True

    def __post_init__(self) -> None:
        values = self.patch * self.spec.n_mels * (self.channels or 1)
        if values > MOST_VALUES:
            raise ValueError(f"a patch of {values:,} values is too large: their covariance takes memory; lower patch")


class MelLatents(Representation):
    """Log-mel frames ``[time, channels * n_mels]`` <-> latents ``[time / patch, latent]``.

    Args:
        options: with ``channels`` decided.
        latents: fitted on frames of that many channels.
    """

    Options = MelOptions

    def __init__(self, options: MelOptions, latents: Latents) -> None:
        self.options, self.latents = options, latents

    @classmethod
    def fit(cls, options: MelOptions, recordings: list[Tensor], centres: list[Tensor] | None = None) -> Self:
        """Fit on the frames ``[time, channels * n_mels]`` of the recordings in the training part.

        ``centres``: what each is centred by, where `MelOptions.centred`; None for its own mean.
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
        """``[feature]``: what to subtract from a recording's ``[time, feature]`` frames."""
        return frames.mean(0) if self.options.centred else self.latents.mean

    def encode(self, frames: Tensor, centre: Tensor | None = None) -> Tensor:
        """``[..., time, feature]``, time a multiple of the patch -> ``[..., time / patch, latent]``."""
        return self.latents.encode(frames, centre)

    def decode(self, latents: Tensor, centre: Tensor | None = None) -> Tensor:
        """``[..., time, latent]`` -> ``[..., time * patch, feature]``."""
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
        # Copied, since tensors as they lie in a file may be aligned otherwise, and then round otherwise.
        return cls(options, Latents(**{name: torch.as_tensor(tensors[name]).clone() for name in LATENT_TENSORS}))


MOST_VALUES = 1 << 15  # of a patch: their covariance takes 4 GiB
LATENT_TENSORS = ("mean", "deviation", "basis", "scale")
