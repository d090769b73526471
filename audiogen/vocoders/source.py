"""Source vocoder: renders frames from the recording that they continue, by concatenative synthesis.

Each frame has a position in the recording: the one that it was selected from, or, in blocks with frames whose position
is unknown, the best one found by `unit_selection`. The spectrum there, corrected by the ratio of wanted to present mel
bands, initialises one or a few Griffin-Lim iterations that only ever correct bands. So the fine structure that mel
frames lack - noise, transients, the phases between them - is the recording's own.

Where positions are known, a search would find the same ones for 94 to 99 % of the frames of a tail, and tails that are
no better (texture distances within 0.004 of each other, equal copying).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from audiogen.config.option_types import Iterations, NonNegativeFloat
from audiogen.dsp.decorrelation import decorrelated
from audiogen.representation.mel import MelSpec, hann, log_mel
from audiogen.vocoders.base import Stream, Vocoder
from audiogen.vocoders.block_stream import BlockStream
from audiogen.vocoders.phase_reconstruction.mel_band_projection import MelBandProjection
from audiogen.vocoders.phase_reconstruction.projection import Step, overlap, refine, synthesise
from audiogen.vocoders.unit_selection import UnitIndex, UnitPath, UnitSelectionOptions

BAND_PROJECTION_INTERVAL = 2  # iterations between projections onto mel bands: a tenth faster than 1, and as good
MIN_WINDOWS = 4  # of a source; a shorter one is repeated
UNKNOWN = -1  # position of a frame that was not selected from the source


@dataclass(frozen=True)
class SourceOptions:
    """Options of the source vocoder.

    Args:
        iterations: of Griffin-Lim. Every other one, and the last, projects onto the mel bands.
        momentum: of the fast Griffin-Lim algorithm.
        largest_gain: largest amplification of a band of the source, dB.
        matching: options of the unit selection.
    """

    iterations: Iterations = 4
    momentum: NonNegativeFloat = 0.9
    largest_gain: NonNegativeFloat = 30.0
    matching: UnitSelectionOptions = field(default_factory=UnitSelectionOptions)


class Source(Vocoder):
    """Vocoder that renders frames from the recording that they continue.

    Args:
        spec: of the frames.
        options: see `SourceOptions`.
        source: ``[channels, samples]`` at ``spec.sample_rate``; one shorter than `MIN_WINDOWS` is repeated.
    """

    Options = SourceOptions
    needs_source = True

    def __init__(self, spec: MelSpec, options: SourceOptions, source: Tensor) -> None:
        self.spec, self.options = spec, options
        missing = source.shape[-1] < MIN_WINDOWS * spec.win
        self.source = (
            source.float().repeat(1, -(-MIN_WINDOWS * spec.win // source.shape[-1])) if missing else source.float()
        )

    def with_other_phases(self, number: int) -> Source:
        source = decorrelated(self.source.numpy(), self.spec.sample_rate, number)
        return Source(self.spec, self.options, torch.from_numpy(source))

    @cached_property
    def index(self) -> UnitIndex:
        """Search index of the source's frames; not needed while all positions are known."""
        frames = log_mel(self.source, self.spec, padded=True)
        return UnitIndex(_side_by_side(frames), self.spec.frame_rate, self.options.matching)

    @classmethod
    def build(cls, spec: MelSpec, source: Tensor | None, options: SourceOptions) -> Source:
        if source is None:
            raise ValueError("the source vocoder needs a recording")
        return cls(spec, options, source)

    def open(self, channels: int, past: Tensor | None = None, seed: int = 0) -> Stream:
        if channels != self.source.shape[0]:
            raise ValueError(f"the source has {self.source.shape[0]} channels, the frames {channels}")
        return _SourceStream(self, channels, past)


def _side_by_side(frames: Tensor) -> Tensor:
    """``[channels, time, n_mels]`` -> ``[time, channels * n_mels]``, on the CPU, where units are selected."""
    return frames.transpose(0, 1).flatten(1).cpu()


class _SourceStream(BlockStream):
    """Stream of the source vocoder."""

    def __init__(self, vocoder: Source, channels: int, past: Tensor | None) -> None:
        super().__init__(vocoder.spec, channels, past)
        self.vocoder = vocoder
        self._positions = torch.zeros(0, dtype=torch.long)  # of the pending frames

    @cached_property
    def _path(self) -> UnitPath:
        return UnitPath(self.vocoder.index)

    def push(self, frames: Tensor) -> Tensor:
        return self.push_selected(frames, torch.full((frames.shape[1],), UNKNOWN))

    def push_selected(self, frames: Tensor, positions: Tensor) -> Tensor:
        self._positions = torch.cat([self._positions, positions])
        return super().push(frames)

    @torch.no_grad()
    def render(self, frames: Tensor, past: Tensor, lookahead: Tensor | None, final: int) -> Tensor:
        spec, options = self.spec, self.vocoder.options
        positions = self._positions[: frames.shape[1]]
        self._positions = self._positions[final:]
        if (positions == UNKNOWN).any():
            positions = self._path.extend(_side_by_side(frames), final)
        else:  # the last frame may be repeated as look-ahead
            positions = torch.cat([positions, positions[-1:].expand(frames.shape[1] - len(positions))])
        target = MelBandProjection(frames, spec, options.largest_gain)
        spectrum = self._windows(positions * spec.hop)
        square = spectrum.real.square() + spectrum.imag.square()
        start = synthesise(spectrum * target(square), past, spec)
        projected = [
            (options.iterations - index) % BAND_PROJECTION_INTERVAL == 1 for index in range(options.iterations)
        ]
        steps: list[Step] = [(target if each else target.again, options.momentum) for each in projected]
        signal = refine(start, steps, spec)
        return signal[:, overlap(spec) :]

    def _windows(self, starts: Tensor) -> Tensor:
        """Spectra ``[channels, time, bins]`` of the source's windows at the given samples."""
        source = self.vocoder.source
        windows = source.unfold(-1, self.spec.win, 1)[:, starts.to(source.device)]
        return torch.fft.rfft(windows * hann(self.spec, source.device))
