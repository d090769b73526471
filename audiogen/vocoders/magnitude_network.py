"""The network of the ``neural`` vocoder: magnitudes, their certainty, and the schedule of their refinement."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from audiogen.config.option_types import Layers, Width
from audiogen.config.schema import build
from audiogen.errors import InputError
from audiogen.representation.mel import MelSpec
from audiogen.vocoders.convnext import ConvNeXt, ConvNeXtSize
from audiogen.vocoders.phase_reconstruction.magnitude_estimate import MagnitudeEstimate
from audiogen.vocoders.phase_reconstruction.mel_band_projection import invert
from audiogen.vocoders.weight_files import fill, read_metadata, read_weights, require_weights

INVERSION_ITERATIONS = 4  # of mel inversion, before the network's corrections and again after them
INIT_WEIGHT, INIT_MOMENTUM = 0.9, 0.99  # of each Griffin-Lim iteration, untrained
INIT_LOG_ODDS = math.log(0.09 / 0.91)  # of certainty, untrained: a weight of 0.3 on amplitudes, as in `griffin_lim`
SCHEDULE_RATE = 20.0  # learning rate of weights and momenta, relative to the network's
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
        self.backbone = ConvNeXt(spec.n_mels, ConvNeXtSize(size.channels, size.hidden, size.blocks))
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


def inverted(frames: Tensor, spec: MelSpec, shape: Tensor | None) -> Tensor:
    """Magnitudes ``[batch, time, bins]`` with the mel bands of frames and, within each band, a known spectrum."""
    return invert(frames, spec, INVERSION_ITERATIONS, None if shape is None else shape.expand(-1, frames.shape[1], -1))


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


def read_network(path: Path) -> MagnitudeNetwork:
    """Load the network of a weights file.

    Raises:
        InputError: the file is damaged, or does not describe such a network.
    """
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
