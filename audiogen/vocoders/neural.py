"""A small network says what mel frames leave open; signal processing does the rest.

A ConvNeXt over the frames and a Fourier head, as in Vocos (Siuzdak 2023, arXiv 2306.00814), but the head predicts what
a convolution over frames can know: the power of each bin, as a correction to the mel bands spread out over their bins,
and how certain that is. It cannot know phases: the frames of a steady tone are all equal, so whatever it said of them
would repeat every hop, and so would the tone. They are accumulated along the gradients of the predicted magnitudes, or
are those of noise (`outline`), and a few Griffin-Lim iterations pull each bin to its magnitude, as far as that is
certain, and to the mel bands. All of it can be differentiated, and can be trained whole.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn

from audiogen.errors import InputError
from audiogen.ranges import Count, NonNegative, Unit, Whole
from audiogen.representation.mel import MelSpec, log_mel, log_mel_of_stft, stft
from audiogen.vocoders.base import Stream, Vocoder
from audiogen.vocoders.equaliser import fullness
from audiogen.vocoders.mel_inversion import invert
from audiogen.vocoders.network import fill, read_metadata, read_weights, require_spec
from audiogen.vocoders.outline import Outline, OutlineStream, Refinement, render, white_noise
from audiogen.vocoders.projection import analyse
from audiogen.vocoders.vocos import Backbone, ConvNeXtSize

SHIPPED = Path(__file__).parent / "weights" / "neural.safetensors"
MOST_FRAMES, EXCERPTS = 1024, 8  # of a recording that its long-term spectrum is taken from, and in how many pieces
BLOCK = 128  # frames rendered at a time: the network hears those around them again
MOST_CERTAIN = 7.0  # log odds


@dataclass(frozen=True)
class NetworkSize:
    """Args:
    channels: of the backbone.
    hidden: channels inside each block.
    blocks: each looks three frames further either way.
    """

    channels: Count = 96
    hidden: Count = 240
    blocks: Count = 3


class OutlineNetwork(nn.Module):
    """Log-mel frames -> outline.

    Magnitudes are taken for Rice distributed: a part of the power that is known within Gaussian noise that is not. The
    share of the known part is the certainty. Untrained it spreads the mel bands over their bins and knows half.
    """

    def __init__(self, spec: MelSpec, size: NetworkSize) -> None:
        super().__init__()
        self.spec, self.size = spec, size
        self.backbone = Backbone(spec.n_mels, ConvNeXtSize(size.channels, size.hidden, size.blocks))
        self.out = nn.Linear(size.channels, 2 * spec.bins)
        nn.init.normal_(self.out.weight, std=0.1 / size.channels**0.5)
        nn.init.zeros_(self.out.bias)

    @property
    def reach(self) -> int:
        """Frames on either side that a frame's outline depends on."""
        return 3 * (self.size.blocks + 1)

    def corrections(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """``[batch, time, n_mels]`` -> log gain over the spread bands, and log odds of certainty."""
        gain, odds = self.out(self.backbone((frames - self.spec.silence) / 4.0)).chunk(2, dim=-1)
        return gain, odds.clamp(-MOST_CERTAIN, MOST_CERTAIN)

    def forward(self, frames: Tensor, trust: float = 1.0) -> Outline:
        """``[batch, time, n_mels]`` log-mel -> the outline of each frame, its certainty times ``trust``."""
        return self.corrected(frames, *self.corrections(frames), trust)

    def corrected(self, frames: Tensor, gain: Tensor, odds: Tensor, trust: float) -> Outline:
        """The outline that corrections ``[batch, time, bins]`` make of frames."""
        certainty = odds.sigmoid().sqrt()  # of a share of the power, that of the amplitude
        return Outline(invert(frames, self.spec, 0) * gain.exp(), trust * certainty)

    def metadata(self) -> dict[str, str]:
        """What a weights file says of itself."""
        return {"spec": json.dumps(asdict(self.spec)), "size": json.dumps(asdict(self.size))}


@dataclass(frozen=True)
class NeuralOptions:
    """Args:
    weights: a .safetensors file, or the Run of a vocoder's training; none for those that ship.
    iterations: of Griffin-Lim, after the network.
    momentum: of the fast Griffin-Lim algorithm.
    noise_above: Hz from which on the start is shaped noise; below it, phases follow the magnitudes' gradients.
    trust: how far an iteration pulls a bin to a magnitude that is certain, 0..1.
    inversion: iterations that lead the network's magnitudes to the mel bands.
    size: of a network to be trained; weights bring their own.
    """

    weights: str = ""
    iterations: Whole = 8
    momentum: NonNegative = 0.9
    noise_above: NonNegative = 4000.0
    trust: Unit = 0.4
    inversion: Count = 3
    size: NetworkSize = field(default_factory=NetworkSize)


class Neural(Vocoder):
    """Renders frames of the spec that its network was trained on.

    Args:
        network: of the outline.
        source: ``[channels, samples]``, the recording that the frames continue; what of its long-term spectrum the
            network misses is measured on it and made up for, and so is the power that goes with its bands.
    """

    Options = NeuralOptions

    def __init__(
        self, network: OutlineNetwork, options: NeuralOptions | None = None, source: Tensor | None = None
    ) -> None:
        self.network, self.spec, self.options = network.eval(), network.spec, options or NeuralOptions()
        if source is not None and source.shape[-1] < self.spec.win:
            source = None
        self.missed = None if source is None else missed(network, source)
        self.fullness = None if source is None else fullness(source, self.spec)

    @classmethod
    def own_spec(cls, options: NeuralOptions) -> MelSpec:
        return described(weights_file(options))[0]

    @classmethod
    def build(cls, spec: MelSpec, source: Tensor | None, options: NeuralOptions) -> Self:
        require_spec("neural", cls.own_spec(options), spec)
        return cls(load_network(options), options, source)

    def open(self, channels: int, past: Tensor | None = None, seed: int = 0) -> Stream:
        if self.missed is not None and len(self.missed) != channels:
            raise ValueError(f"the source has {len(self.missed)} channels, the frames {channels}")
        return _NeuralStream(self, channels, past, seed)

    def excerpt(self, frames: Tensor, past: Tensor) -> Tensor:
        """One block, differentiably, as training sees the vocoder.

        Args:
            frames: ``[batch, time, n_mels]`` log-mel.
            past: ``[batch, win]`` samples just before.

        Returns:
            ``[batch, time * hop]`` samples.
        """
        known, noise = analyse(past, self.spec), white_noise(frames.shape, self.spec).to(frames.device)
        outline = self.led(self.network(frames, self.options.trust), frames)
        return render(outline, known, frames, past, self.spec, self.how, noise)

    def led(self, outline: Outline, frames: Tensor) -> Outline:
        """An outline that has the mel bands asked for."""
        return Outline(invert(frames, self.spec, self.options.inversion, outline.magnitude), outline.certainty)

    @property
    def how(self) -> Refinement:
        """Blocks are refined."""
        options = self.options
        return Refinement(options.iterations, options.momentum, options.noise_above)


class _NeuralStream(OutlineStream):
    """Each block is heard with the frames before it that the network can see, and with those ahead."""

    def __init__(self, vocoder: Neural, channels: int, past: Tensor | None, seed: int) -> None:
        super().__init__(vocoder.spec, channels, past, seed, vocoder.how, BLOCK, vocoder.fullness)
        self.network, self.trust, self.led = vocoder.network, vocoder.options.trust, vocoder.led
        self.missed = None if vocoder.missed is None else vocoder.missed.log()
        self._before = self._context(past)

    def _context(self, past: Tensor | None) -> Tensor:
        """``[channels, reach, n_mels]`` frames that end where the stream begins."""
        spec, length = self.spec, (self.network.reach - 1) * self.spec.hop + self.spec.win
        known = torch.zeros(self.channels, 0) if past is None else past[:, -length:].float()
        silence = known.new_zeros(self.channels, length - known.shape[1])
        return log_mel(torch.cat([silence, known], dim=1), spec, padded=True)

    @torch.no_grad()
    def outline(self, frames: Tensor, final: int) -> Outline:
        reach = self.network.reach
        seen = torch.cat([self._before.to(frames.device), frames], dim=1)
        self._before = seen[:, final : final + reach]
        gain, odds = (half[:, reach:] for half in self.network.to(frames.device).corrections(seen))
        if self.missed is not None:
            gain = gain + self.missed.to(frames.device)
        return self.led(self.network.corrected(frames, gain, odds, self.trust), frames)


@torch.no_grad()
def missed(network: OutlineNetwork, source: Tensor) -> Tensor:
    """Root of true over predicted long-term power, ``[channels, 1, bins]``, over `MOST_FRAMES` at most."""
    spec, excerpt = network.spec, MOST_FRAMES // EXCERPTS
    frames = (source.shape[1] - spec.win) // spec.hop + 1
    starts = torch.linspace(0, max(frames - excerpt, 0), EXCERPTS if frames > excerpt else 1).long() * spec.hop
    true = predicted = torch.full((), 1e-12)
    for start in starts.tolist():
        samples = source[:, start : start + (excerpt - 1) * spec.hop + spec.win]
        spectrum = stft(samples, spec)
        outline = network.to(source.device)(log_mel_of_stft(spectrum, spec))
        true = true + (spectrum.real.square() + spectrum.imag.square()).sum(dim=1, keepdim=True)
        predicted = predicted + outline.magnitude.square().sum(dim=1, keepdim=True)
    return (true / predicted).sqrt()


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
        return MelSpec(**json.loads(found["spec"])), NetworkSize(**json.loads(found["size"]))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(path, f"it does not describe a vocoder ({error!r})", "name weights of neural") from error


def load_network(options: NeuralOptions) -> OutlineNetwork:
    """The network of a weights file."""
    path = weights_file(options)
    network = OutlineNetwork(*described(path))
    fill(network, read_weights(path), path)
    return network


def save_network(network: OutlineNetwork, path: Path) -> None:
    """Write weights that describe themselves; the file appears whole or not at all."""
    from safetensors.torch import save_file

    part = path.with_name(path.name + ".part")
    save_file(
        {name: value.cpu().contiguous() for name, value in network.state_dict().items()}, part, network.metadata()
    )
    part.replace(path)
