"""The ``neural`` vocoder: a network predicts the certainty of each bin; unrolled Griffin-Lim renders.

A ConvNeXt over the mel frames with a Fourier head, as in Vocos (Siuzdak 2023, arXiv 2306.00814), but the head predicts
only what a convolution over frames can determine: how certain the magnitudes of the mel inversion are and, optionally,
a correction of them. It cannot determine phases: the frames of a steady tone are all equal, so predicted phases would
repeat every hop, and so would the tone. Phases are integrated along the gradients of the magnitudes, or are those of
noise (`magnitude_estimate`). A few Griffin-Lim iterations then move each bin to its magnitude, by its certainty, and to
the mel bands. Weight and momentum of each iteration are learned, as in other unrolled algorithms (Gregor & LeCun 2010,
"Learning fast approximations of sparse coding"). The whole is differentiable and trained end to end.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import torch
from torch import Tensor

from audiogen.config.option_types import Iterations, NonNegativeFloat
from audiogen.errors import InputError
from audiogen.representation.mel import MelSpec
from audiogen.vocoders.base import Stream, Vocoder, past_frames, require_spec
from audiogen.vocoders.magnitude_network import MagnitudeNetwork, NetworkSize, read_description, read_network
from audiogen.vocoders.phase_reconstruction.low_noise import low_noise
from audiogen.vocoders.phase_reconstruction.magnitude_estimate import (
    MagnitudeEstimate,
    MagnitudeStream,
    Refinement,
    render,
)
from audiogen.vocoders.phase_reconstruction.projection import analyse
from audiogen.vocoders.phase_reconstruction.source_spectrum import SourceSpectrum

SHIPPED = Path(__file__).parent / "weights" / "neural.safetensors"
BLOCK = 512  # frames rendered at a time; longer blocks share the overhead of an iteration


@dataclass(frozen=True)
class NeuralOptions:
    """Options of the neural vocoder.

    Args:
        weights: a .safetensors file, or a Run of vocoder training; empty for the shipped weights.
        noise_above: frequency in Hz above which the initial phases are those of noise; below, they follow from the
            gradients of the magnitudes.
        coarse_iterations: Griffin-Lim iterations on the lowest quarter of the spectrum, before the learned ones;
            preceded by twice as many on the lowest sixteenth.
        equalise: whether the power in each mel band is adjusted to that of the source recording.
        size: of a network to be trained; ignored with existing weights, which hold their own.
    """

    weights: str = ""
    noise_above: NonNegativeFloat = 4000.0
    coarse_iterations: Iterations = 12
    equalise: bool = True
    size: NetworkSize = field(default_factory=NetworkSize)


class Neural(Vocoder):
    """Renders frames of the spec that its network was trained on.

    Args:
        network: estimates the magnitudes.
        options: see `NeuralOptions`; None for the defaults.
        source: ``[channels, samples]``, the recording that the frames continue: it supplies the long-term spectrum
            within each mel band and the power in it. None, or shorter than a window, for none.
    """

    Options = NeuralOptions

    def __init__(
        self, network: MagnitudeNetwork, options: NeuralOptions | None = None, source: Tensor | None = None
    ) -> None:
        self.network, self.spec, self.options = network.eval(), network.spec, options or NeuralOptions()
        self.source = SourceSpectrum.of(source, self.spec, self.options.equalise)

    @classmethod
    def weight_files(cls, path: Path) -> list[Path]:
        return [path / "model.safetensors" if path.is_dir() else path]

    @classmethod
    def native_spec(cls, options: NeuralOptions) -> MelSpec:
        return read_description(weights_file(options))[0]

    @classmethod
    def build(cls, spec: MelSpec, source: Tensor | None, options: NeuralOptions) -> Self:
        require_spec("neural", cls.native_spec(options), spec)
        return cls(load_network(options), options, source)

    def open(self, channels: int, past: Tensor | None = None, seed: int = 0) -> Stream:
        self.source.require_channels(channels)
        return _NeuralStream(self, channels, past, seed)

    def excerpt(self, frames: Tensor, past: Tensor, shape: Tensor | None = None) -> Tensor:
        """Render one block, differentiably; the forward pass of training.

        Args:
            frames: ``[batch, time, n_mels]`` log-mel.
            past: ``[batch, win]`` samples just before.
            shape: ``[batch, 1, bins]``, long-term spectra of the recordings (`mean_magnitude`); None where unknown.

        Returns:
            ``[batch, time * hop]`` samples.
        """
        known, noise = analyse(past, self.spec), low_noise(frames.shape, self.spec).to(frames.device)
        return render(self.network(frames, shape), known, frames, past, self.spec, self.refinement, noise)

    @property
    def refinement(self) -> Refinement:
        """How the initial spectrum of a block is refined."""
        return Refinement(self.network.steps, self.options.noise_above, self.options.coarse_iterations)


class _NeuralStream(MagnitudeStream):
    """Estimates each block with its look-ahead and the frames before it within the receptive field."""

    @torch.no_grad()
    def __init__(self, vocoder: Neural, channels: int, past: Tensor | None, seed: int) -> None:
        super().__init__(vocoder.spec, channels, past, seed, vocoder.refinement, BLOCK, vocoder.source.power_ratio)
        self.network, self.shape = vocoder.network, vocoder.source.shape
        self._before = past_frames(past, channels, self.network.reach, self.spec)

    def estimate(self, frames: Tensor, final: int) -> MagnitudeEstimate:
        reach, device = self.network.reach, frames.device
        context = torch.cat([self._before.to(device), frames], dim=1)
        self._before = context[:, final : final + reach]
        gain, odds = (half[:, reach:] for half in self.network.to(device).corrections(context))
        return self.network.corrected(frames, None if self.shape is None else self.shape.to(device), gain, odds)


def weights_file(options: NeuralOptions) -> Path:
    """The weights file of the options.

    Raises:
        InputError: it does not exist.
    """
    path = Path(options.weights).expanduser() if options.weights else SHIPPED
    path = path / "model.safetensors" if path.is_dir() else path
    if not path.is_file():
        raise InputError(path, "there are no weights of the vocoder neural", "give their file: weights=FILE")
    return path


def load_network(options: NeuralOptions) -> MagnitudeNetwork:
    """Load the network from the weights file of the options.

    Raises:
        InputError: the file is missing, damaged, or does not describe such a network.
    """
    return read_network(weights_file(options))
