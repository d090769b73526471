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

import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn

from audiogen.config.option_types import Iterations, Layers, NonNegativeFloat, Width
from audiogen.config.schema import build
from audiogen.errors import InputError
from audiogen.representation.mel import MelSpec, log_mel
from audiogen.vocoders.base import Stream, Vocoder, require_spec
from audiogen.vocoders.griffin_lim import mean_magnitude
from audiogen.vocoders.network_vocoder import fill, read_metadata, read_weights, require_weights
from audiogen.vocoders.phase_reconstruction.equaliser import band_power_ratio
from audiogen.vocoders.phase_reconstruction.low_noise import low_noise
from audiogen.vocoders.phase_reconstruction.magnitude_estimate import (
    MagnitudeEstimate,
    MagnitudeStream,
    Refinement,
    render,
)
from audiogen.vocoders.phase_reconstruction.mel_inversion import invert
from audiogen.vocoders.phase_reconstruction.projection import analyse
from audiogen.vocoders.published.vocos import Backbone, ConvNeXtSize

SHIPPED = Path(__file__).parent / "weights" / "neural.safetensors"
INVERSION_ITERATIONS = 4  # of mel inversion, before the network's corrections and again after them
INIT_WEIGHT, INIT_MOMENTUM = 0.9, 0.99  # of each Griffin-Lim iteration, untrained
INIT_LOG_ODDS = math.log(0.09 / 0.91)  # of certainty, untrained: a weight of 0.3 on amplitudes, as in `griffin_lim`
SCHEDULE_RATE = 20.0  # learning rate of weights and momenta, relative to the network's
BLOCK = 512  # frames rendered at a time; longer blocks share the overhead of an iteration
MAX_LOG_ODDS = 7.0


@dataclass(frozen=True)
class NetworkSize:
    """Size of the network of the neural vocoder.

    Args:
        channels: channels of the backbone.
        hidden: channels inside each block.
        blocks: number of blocks; each extends the receptive field by three frames on either side.
        iterations: Griffin-Lim iterations after the network.
        magnitudes: whether the network also corrects the inverted magnitudes. Trained on half an hour of sound, such
            corrections do harm where the spectrum of the source recording is known.
    """

    channels: Width = 64
    hidden: Width = 128
    blocks: Layers = 2
    iterations: Layers = 4
    magnitudes: bool = False


class MagnitudeNetwork(nn.Module):
    """Estimates magnitudes and their certainty from log-mel frames, and holds the refinement schedule.

    Magnitudes are modelled as Rice distributed: a known part of the power in Gaussian noise of unknown phase. The
    fraction of the known part is the certainty. Untrained, the network keeps the inverted magnitudes with the certainty
    `INIT_LOG_ODDS`.

    Args:
        spec: spec of the frames.
        size: see `NetworkSize`.
    """

    def __init__(self, spec: MelSpec, size: NetworkSize) -> None:
        super().__init__()
        self.spec, self.size = spec, size
        self.backbone = Backbone(spec.n_mels, ConvNeXtSize(size.channels, size.hidden, size.blocks))
        self.out = nn.Linear(size.channels, (1 + size.magnitudes) * spec.bins)
        nn.init.normal_(self.out.weight, std=0.1 / size.channels**0.5)
        nn.init.zeros_(self.out.bias)
        nn.init.constant_(self.out.bias[-spec.bins :], INIT_LOG_ODDS)
        self.schedule = nn.Parameter(torch.zeros(size.iterations, 2))

    @property
    def reach(self) -> int:
        """Frames on either side that the estimate of a frame depends on."""
        return 3 * (self.size.blocks + 1)

    @property
    def steps(self) -> list[tuple[Tensor, Tensor]]:
        """Factor on the certainty, 0..1, and momentum of each iteration."""
        learned = SCHEDULE_RATE * self.schedule
        weights = (learned[:, 0] + math.log(INIT_WEIGHT / (1.0 - INIT_WEIGHT))).sigmoid()
        return list(zip(weights, learned[:, 1] + INIT_MOMENTUM, strict=True))

    def corrections(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Log gains on the inverted magnitudes and log odds of certainty, both ``[batch, time, bins]``.

        Args:
            frames: ``[batch, time, n_mels]`` log-mel.
        """
        output = self.out(self.backbone((frames - self.spec.silence) / 4.0))
        odds = output[..., -self.spec.bins :].clamp(-MAX_LOG_ODDS, MAX_LOG_ODDS)
        return output[..., : self.spec.bins] if self.size.magnitudes else torch.zeros_like(odds), odds

    def forward(self, frames: Tensor, shape: Tensor | None = None) -> MagnitudeEstimate:
        """Estimate magnitudes.

        Args:
            frames: ``[batch, time, n_mels]`` log-mel.
            shape: ``[batch, 1, bins]``, long-term spectrum of the recording (`mean_magnitude`); None where unknown.
        """
        return self.corrected(frames, shape, *self.corrections(frames))

    def corrected(self, frames: Tensor, shape: Tensor | None, gain: Tensor, odds: Tensor) -> MagnitudeEstimate:
        """Apply corrections ``[batch, time, bins]`` to the inverted magnitudes, then restore the mel bands."""
        magnitude = inverted(frames, self.spec, shape)
        if self.size.magnitudes:
            magnitude = invert(frames, self.spec, INVERSION_ITERATIONS, magnitude * gain.exp())
        return MagnitudeEstimate(magnitude, odds.sigmoid().sqrt())  # a fraction of power to one of amplitude

    def metadata(self) -> dict[str, str]:
        """Metadata of a weights file: spec and size as JSON."""
        return {"spec": json.dumps(asdict(self.spec)), "size": json.dumps(asdict(self.size))}


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
        if source is not None and source.shape[-1] < self.spec.win:
            source = None
        self.shape = None if source is None else mean_magnitude(source, self.spec)
        self.power_ratio = band_power_ratio(source, self.spec) if source is not None and self.options.equalise else None

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
        if self.shape is not None and len(self.shape) != channels:
            raise ValueError(f"the source has {len(self.shape)} channels, the frames {channels}")
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
        super().__init__(vocoder.spec, channels, past, seed, vocoder.refinement, BLOCK, vocoder.power_ratio)
        self.network, self.shape = vocoder.network, vocoder.shape
        self._before = self._context(past)

    def _context(self, past: Tensor | None) -> Tensor:
        """Frames ``[channels, reach, n_mels]`` of the past, up to the start of the stream."""
        spec, length = self.spec, (self.network.reach - 1) * self.spec.hop + self.spec.win
        known = torch.zeros(self.channels, 0) if past is None else past[:, -length:].float()
        silence = known.new_zeros(self.channels, length - known.shape[1])
        return log_mel(torch.cat([silence, known], dim=1), spec, padded=True)

    def estimate(self, frames: Tensor, final: int) -> MagnitudeEstimate:
        reach, device = self.network.reach, frames.device
        context = torch.cat([self._before.to(device), frames], dim=1)
        self._before = context[:, final : final + reach]
        gain, odds = (half[:, reach:] for half in self.network.to(device).corrections(context))
        return self.network.corrected(frames, None if self.shape is None else self.shape.to(device), gain, odds)


def inverted(frames: Tensor, spec: MelSpec, shape: Tensor | None) -> Tensor:
    """Magnitudes ``[batch, time, bins]`` with the mel bands of frames and, within each band, a known spectrum."""
    return invert(frames, spec, INVERSION_ITERATIONS, None if shape is None else shape.expand(-1, frames.shape[1], -1))


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


def read_description(path: Path) -> tuple[MelSpec, NetworkSize]:
    """Spec and size of the network in a weights file, from its metadata.

    Raises:
        InputError: the metadata are missing or invalid.
    """
    found = read_metadata(path)
    try:
        spec, size = json.loads(found["spec"]), json.loads(found["size"])
        return build(MelSpec, spec, str(path)), build(NetworkSize, size, str(path))
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise InputError(
            path, f"it does not describe a vocoder ({error!r})", "give weights of the vocoder neural"
        ) from error


def load_network(options: NeuralOptions) -> MagnitudeNetwork:
    """Load the network from the weights file of the options.

    Raises:
        InputError: the file is missing, damaged, or does not describe such a network.
    """
    path = weights_file(options)
    spec, size = read_description(path)
    require_weights(path, lambda: MagnitudeNetwork(spec, size))
    network = MagnitudeNetwork(spec, size)
    fill(network, read_weights(path), path)
    return network


def save_network(network: MagnitudeNetwork, path: Path) -> None:
    """Write weights with their description, atomically."""
    from safetensors.torch import save_file

    part = path.with_name(path.name + ".part")
    save_file(
        {name: value.cpu().contiguous() for name, value in network.state_dict().items()}, part, network.metadata()
    )
    part.replace(path)
