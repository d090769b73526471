"""A small network says what mel frames leave open; signal processing does the rest.

A ConvNeXt over the frames and a Fourier head, as in Vocos (Siuzdak 2023, arXiv 2306.00814), but the head predicts what
a convolution over frames can know: how certain the inverted mel frames are of each bin, and, if asked to, a correction
of its power. It cannot know phases: the frames of a steady tone are all equal, so whatever it said of them would repeat
every hop, and so would the tone. They are accumulated along the gradients of the predicted magnitudes, or are those of
noise (`outline`), and a few Griffin-Lim iterations pull each bin to its magnitude, as far as that is certain, and to
the mel bands. How far and with what momentum is learned for each iteration, as in other unrolled algorithms (Gregor &
LeCun 2010, "Learning fast approximations of sparse coding"). All of it can be differentiated, and is trained whole.
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
INVERSION = 4  # iterations of mel inversion before the network's corrections, and again after them
PULL, MOMENTUM = 0.9, 0.99  # of each step, untrained
ODDS = math.log(0.09 / 0.91)  # log odds of certainty, untrained: amplitudes are pulled by 0.3, as `griffin_lim` does
PACE = 20.0  # times as fast as the network that they learn
BLOCK = 512  # frames rendered at a time: what is paid for each iteration is shared by more of them
MOST_CERTAIN = 7.0  # log odds


@dataclass(frozen=True)
class NetworkSize:
    """Args:
    channels: of the backbone.
    hidden: channels inside each block.
    blocks: each looks three frames further either way.
    iterations: of Griffin-Lim, after it.
    magnitudes: whether it corrects the inverted magnitudes, too. What it learns of them from half an hour of sound does
        harm where the recording's own spectrum is known.
    """

    channels: Width = 64
    hidden: Width = 128
    blocks: Layers = 2
    iterations: Layers = 4
    magnitudes: bool = False


class MagnitudeNetwork(nn.Module):
    """Log-mel frames -> outline, and the steps that lead to it.

    Magnitudes are taken for Rice distributed: a part of the power that is known within Gaussian noise that is not. The
    share of the known part is the certainty. Untrained it keeps the inverted frames and is as certain as `ODDS`.
    """

    def __init__(self, spec: MelSpec, size: NetworkSize) -> None:
        super().__init__()
        self.spec, self.size = spec, size
        self.backbone = Backbone(spec.n_mels, ConvNeXtSize(size.channels, size.hidden, size.blocks))
        self.out = nn.Linear(size.channels, (1 + size.magnitudes) * spec.bins)
        nn.init.normal_(self.out.weight, std=0.1 / size.channels**0.5)
        nn.init.zeros_(self.out.bias)
        nn.init.constant_(self.out.bias[-spec.bins :], ODDS)
        self.schedule = nn.Parameter(torch.zeros(size.iterations, 2))

    @property
    def reach(self) -> int:
        """Frames on either side that a frame's outline depends on."""
        return 3 * (self.size.blocks + 1)

    @property
    def steps(self) -> list[tuple[Tensor, Tensor]]:
        """Of each iteration: the part of its certainty by which a bin is pulled, 0..1, and the momentum."""
        learned = PACE * self.schedule
        pulls = (learned[:, 0] + math.log(PULL / (1.0 - PULL))).sigmoid()
        return list(zip(pulls, learned[:, 1] + MOMENTUM, strict=True))

    def corrections(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """``[batch, time, n_mels]`` -> log gain over the inverted frames, and log odds of certainty."""
        said = self.out(self.backbone((frames - self.spec.silence) / 4.0))
        odds = said[..., -self.spec.bins :].clamp(-MOST_CERTAIN, MOST_CERTAIN)
        return said[..., : self.spec.bins] if self.size.magnitudes else torch.zeros_like(odds), odds

    def forward(self, frames: Tensor, shape: Tensor | None = None) -> MagnitudeEstimate:
        """The outline of ``[batch, time, n_mels]`` log-mel frames.

        Args:
            shape: ``[batch, 1, bins]``, the long-term spectrum of the recordings that they are of, where it is known.
        """
        return self.corrected(frames, shape, *self.corrections(frames))

    def corrected(self, frames: Tensor, shape: Tensor | None, gain: Tensor, odds: Tensor) -> MagnitudeEstimate:
        """The outline that corrections ``[batch, time, bins]`` make of frames, led back to their mel bands."""
        magnitude = inverted(frames, self.spec, shape)
        if self.size.magnitudes:
            magnitude = invert(frames, self.spec, INVERSION, magnitude * gain.exp())
        return MagnitudeEstimate(magnitude, odds.sigmoid().sqrt())  # of a share of the power, that of the amplitude

    def metadata(self) -> dict[str, str]:
        """What a weights file says of itself."""
        return {"spec": json.dumps(asdict(self.spec)), "size": json.dumps(asdict(self.size))}


@dataclass(frozen=True)
class NeuralOptions:
    """Args:
    weights: a .safetensors file, or the Run of a vocoder's training; none for those that ship.
    noise_above: Hz from which on the start is shaped noise; below it, phases follow the magnitudes' gradients.
    coarse: iterations of Griffin-Lim on the lowest quarter of the spectrum alone, before those that are learned, and
        twice as many on the lowest sixteenth before.
    equalise: whether the power of the bands is led to what they had in the recording that is continued.
    size: of a network to be trained; weights bring their own.
    """

    weights: str = ""
    noise_above: NonNegativeFloat = 4000.0
    coarse: Iterations = 12
    equalise: bool = True
    size: NetworkSize = field(default_factory=NetworkSize)


class Neural(Vocoder):
    """Renders frames of the spec that its network was trained on.

    Args:
        network: of the outline.
        source: ``[channels, samples]``, the recording that the frames continue; the long-term spectrum within each mel
            band, and the power that goes with it, are taken from it.
    """

    Options = NeuralOptions

    def __init__(
        self, network: MagnitudeNetwork, options: NeuralOptions | None = None, source: Tensor | None = None
    ) -> None:
        self.network, self.spec, self.options = network.eval(), network.spec, options or NeuralOptions()
        if source is not None and source.shape[-1] < self.spec.win:
            source = None
        self.shape = None if source is None else mean_magnitude(source, self.spec)
        self.fullness = band_power_ratio(source, self.spec) if source is not None and self.options.equalise else None

    @classmethod
    def files_at(cls, path: Path) -> list[Path]:
        return [path / "model.safetensors" if path.is_dir() else path]

    @classmethod
    def own_spec(cls, options: NeuralOptions) -> MelSpec:
        return described(weights_file(options))[0]

    @classmethod
    def build(cls, spec: MelSpec, source: Tensor | None, options: NeuralOptions) -> Self:
        require_spec("neural", cls.own_spec(options), spec)
        return cls(load_network(options), options, source)

    def open(self, channels: int, past: Tensor | None = None, seed: int = 0) -> Stream:
        if self.shape is not None and len(self.shape) != channels:
            raise ValueError(f"the source has {len(self.shape)} channels, the frames {channels}")
        return _NeuralStream(self, channels, past, seed)

    def excerpt(self, frames: Tensor, past: Tensor, shape: Tensor | None = None) -> Tensor:
        """One block, differentiably, as training sees the vocoder.

        Args:
            frames: ``[batch, time, n_mels]`` log-mel.
            past: ``[batch, win]`` samples just before.
            shape: ``[batch, 1, bins]``, the long-term spectrum of the recordings that they are of, where it is known.

        Returns:
            ``[batch, time * hop]`` samples.
        """
        known, noise = analyse(past, self.spec), low_noise(frames.shape, self.spec).to(frames.device)
        return render(self.network(frames, shape), known, frames, past, self.spec, self.how, noise)

    @property
    def how(self) -> Refinement:
        """Blocks are refined."""
        return Refinement(self.network.steps, self.options.noise_above, self.options.coarse)


class _NeuralStream(MagnitudeStream):
    """Each block is heard with the frames before it that the network can see, and with those ahead."""

    @torch.no_grad()
    def __init__(self, vocoder: Neural, channels: int, past: Tensor | None, seed: int) -> None:
        super().__init__(vocoder.spec, channels, past, seed, vocoder.how, BLOCK, vocoder.fullness)
        self.network, self.shape = vocoder.network, vocoder.shape
        self._before = self._context(past)

    def _context(self, past: Tensor | None) -> Tensor:
        """``[channels, reach, n_mels]`` frames that end where the stream begins."""
        spec, length = self.spec, (self.network.reach - 1) * self.spec.hop + self.spec.win
        known = torch.zeros(self.channels, 0) if past is None else past[:, -length:].float()
        silence = known.new_zeros(self.channels, length - known.shape[1])
        return log_mel(torch.cat([silence, known], dim=1), spec, padded=True)

    def outline(self, frames: Tensor, final: int) -> MagnitudeEstimate:
        reach, device = self.network.reach, frames.device
        seen = torch.cat([self._before.to(device), frames], dim=1)
        self._before = seen[:, final : final + reach]
        gain, odds = (half[:, reach:] for half in self.network.to(device).corrections(seen))
        return self.network.corrected(frames, None if self.shape is None else self.shape.to(device), gain, odds)


def inverted(frames: Tensor, spec: MelSpec, shape: Tensor | None) -> Tensor:
    """Magnitudes ``[batch, time, bins]`` with the mel bands of frames; within them, the shape of a known spectrum."""
    return invert(frames, spec, INVERSION, None if shape is None else shape.expand(-1, frames.shape[1], -1))


def weights_file(options: NeuralOptions) -> Path:
    """The file that the options name.

    Raises:
        InputError: it is not there.
    """
    path = Path(options.weights).expanduser() if options.weights else SHIPPED
    path = path / "model.safetensors" if path.is_dir() else path
    if not path.is_file():
        raise InputError(path, "there are no weights of the vocoder neural", "name their file: weights=FILE")
    return path


def described(path: Path) -> tuple[MelSpec, NetworkSize]:
    """What a weights file says of itself.

    Raises:
        InputError: it says nothing, or nothing that makes sense.
    """
    found = read_metadata(path)
    try:
        spec, size = json.loads(found["spec"]), json.loads(found["size"])
        return build(MelSpec, spec, str(path)), build(NetworkSize, size, str(path))
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise InputError(path, f"it does not describe a vocoder ({error!r})", "name weights of neural") from error


def load_network(options: NeuralOptions) -> MagnitudeNetwork:
    """The network of a weights file."""
    path = weights_file(options)
    spec, size = described(path)
    require_weights(path, lambda: MagnitudeNetwork(spec, size))
    network = MagnitudeNetwork(spec, size)
    fill(network, read_weights(path), path)
    return network


def save_network(network: MagnitudeNetwork, path: Path) -> None:
    """Write weights that describe themselves; the file appears whole or not at all."""
    from safetensors.torch import save_file

    part = path.with_name(path.name + ".part")
    save_file(
        {name: value.cpu().contiguous() for name, value in network.state_dict().items()}, part, network.metadata()
    )
    part.replace(path)
