"""Log-mel spectrograms, exactly as the published 44.1 kHz vocoders expect them.

The default `MelSpec` is that of BigVGAN v2 (Lee et al. 2023, arXiv 2206.04658; `meldataset.mel_spectrogram` at 44.1
kHz, 128 bands, hop 512): its published weights render these frames without adaptation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from audiogen.config.option_types import Bands, NonNegativeFloat, PositiveFloat, SampleRate, Width
from audiogen.representation.filterbank import mel_filterbank

FRAMES_PER_TILE = 128  # the windows of a tile fit into the L2 cache: 2.3 x faster than all at once


@dataclass(frozen=True)
class MelSpec:
    """Definition of a log-mel frame. Frames of specs that differ in any field are not interchangeable.

    Args:
        sample_rate: Hz.
        n_fft: length of the Fourier transform, samples.
        win: length of the periodic Hann window, samples (equal to ``n_fft`` here).
        hop: samples between frames.
        n_mels: number of bands.
        fmin: lower edge of the lowest band, Hz.
        fmax: upper edge of the highest band, Hz.
        scale: mel scale, "slaney" (linear below 1 kHz) or "htk".
        norm: "slaney" (unit area of each triangle) or "none".
        power: exponent of the magnitude spectrum before the filterbank: 1 for magnitude, 2 for power.
        padding: reflection at each end: "same" (``(n_fft - hop) / 2`` samples, giving samples / hop frames) or "center"
            (``n_fft / 2`` samples).
        floor: smallest band value, applied before the natural logarithm.
    """

    sample_rate: SampleRate = 44100
    n_fft: Width = 2048
    win: Width = 2048
    hop: Width = 512
    n_mels: Bands = 128
    fmin: NonNegativeFloat = 0.0
    fmax: PositiveFloat = 22050.0
    scale: Literal["slaney", "htk"] = "slaney"
    norm: Literal["slaney", "none"] = "slaney"
    power: PositiveFloat = 1.0
    padding: Literal["same", "center"] = "same"
    floor: PositiveFloat = 1e-5

    def __post_init__(self) -> None:
        if self.win != self.n_fft:
            raise ValueError(f"win ({self.win}) must equal n_fft ({self.n_fft})")
        if not 0 < self.hop <= self.win:
            raise ValueError(f"hop ({self.hop}) must lie in 1..win ({self.win})")
        if not 0 <= self.fmin < self.fmax <= self.sample_rate / 2:
            raise ValueError(f"0 <= fmin ({self.fmin}) < fmax ({self.fmax}) <= half the sample rate must hold")

    @property
    def bins(self) -> int:
        """Number of Fourier bins of a frame, ``n_fft / 2 + 1``."""
        return self.n_fft // 2 + 1

    @property
    def padding_samples(self) -> int:
        """Samples reflected at each end of a recording."""
        return (self.n_fft - self.hop) // 2 if self.padding == "same" else self.n_fft // 2

    @property
    def frame_rate(self) -> float:
        """Frames per second."""
        return self.sample_rate / self.hop

    @property
    def silence(self) -> float:
        """Log-mel value of digital silence."""
        return float(np.log(np.float32(self.floor)))

    def filterbank(self) -> np.ndarray:
        """The filterbank ``[n_mels, bins]`` float32, equal to `librosa.filters.mel`; read-only."""
        return _filterbank(self)


@lru_cache(maxsize=8)
def _filterbank(spec: MelSpec) -> np.ndarray:
    bank = mel_filterbank(
        spec.sample_rate, spec.n_fft, spec.n_mels, spec.fmin, spec.fmax, spec.scale, equal_area=spec.norm == "slaney"
    )
    bank.setflags(write=False)
    return bank


@lru_cache(maxsize=16)
def hann(spec: MelSpec, device: torch.device) -> Tensor:
    """The periodic Hann window, ``[win]``."""
    return torch.hann_window(spec.win, periodic=True, device=device)


@lru_cache(maxsize=16)
def _bands(spec: MelSpec, device: torch.device, groups: int = 8) -> list[tuple[slice, Tensor]]:
    """The filterbank as (slice of bins, dense block) pairs: 98.5 % of the full matrix is zeros.

    More groups skip more zeros, but a product with a narrow block costs more per weight: 8 take half the time of 16.
    """
    bank = torch.tensor(spec.filterbank())
    blocks = []
    for rows in torch.arange(spec.n_mels).tensor_split(groups):
        used = bank[rows].any(dim=0).nonzero().flatten()
        first, last = (int(used[0]), int(used[-1])) if len(used) else (0, 0)
        bins = slice(first, last + 1)
        blocks.append((bins, bank[rows][:, bins].T.contiguous().to(device)))
    return blocks


def mel_bands(magnitude: Tensor, spec: MelSpec) -> Tensor:
    """Band sums ``[..., n_mels]``, linear, of magnitudes ``[..., bins]`` already raised to ``spec.power``."""
    return torch.cat([magnitude[..., bins] @ block for bins, block in _bands(spec, magnitude.device)], dim=-1)


def pad(samples: Tensor, spec: MelSpec) -> Tensor:
    """Extend ``[..., time]`` samples by reflection at both ends, repeatedly where they are shorter than the padding."""
    time = samples.shape[-1]
    before = spec.padding_samples
    after = max(before, spec.win - before - time)  # samples shorter than a hop still fill one window
    if time > max(before, after):  # no gather: that would cost more than the Fourier transforms
        ends = samples[..., 1 : before + 1].flip(-1), samples[..., time - after - 1 : time - 1].flip(-1)
        return torch.cat([ends[0], samples, ends[1]], dim=-1)
    index = torch.arange(-before, time + after, device=samples.device)
    if time == 1:
        return samples[..., torch.zeros_like(index)]
    period = 2 * (time - 1)
    index = index.remainder(period)
    return samples[..., torch.where(index < time, index, period - index)]


def _segments(samples: Tensor, spec: MelSpec) -> Iterator[Tensor]:
    """The result of `pad` in segments whose whole windows are its windows; that without reflection is not copied."""
    hop, before, time = spec.hop, spec.padding_samples, samples.shape[-1]
    reflected = -(-before // hop)  # windows that start before the samples
    start = reflected * hop - before
    inner = (time - start - spec.win) // hop + 1
    if not reflected or inner < FRAMES_PER_TILE:
        yield pad(samples, spec)
        return
    yield torch.cat([samples[..., 1 : before + 1].flip(-1), samples[..., : start - hop + spec.win]], dim=-1)
    yield samples[..., start : start + (inner - 1) * hop + spec.win]
    yield torch.cat([samples[..., start + inner * hop :], samples[..., time - before - 1 : time - 1].flip(-1)], dim=-1)


def _stft_tiles(samples: Tensor, spec: MelSpec) -> Iterator[Tensor]:
    """Spectra ``[..., frames, bins]`` of the whole windows of ``[..., time]`` samples, some at a time."""
    if samples.shape[-1] < spec.win:
        return
    window = hann(spec, samples.device)
    for tile in samples.unfold(-1, spec.win, spec.hop).split(FRAMES_PER_TILE, dim=-2):
        yield torch.fft.rfft(tile * window)


def _power(spectrum: Tensor) -> Tensor:
    """Squared magnitudes of complex numbers."""
    if spectrum.requires_grad or spectrum.device.type != "cpu":
        return spectrum.real.square().add_(spectrum.imag.square())
    # numpy loads every other number as vectors, torch one by one, which takes more than twice as long
    values = spectrum.numpy()
    power = np.square(values.real)
    power += np.square(values.imag)
    return torch.from_numpy(power)


def log_mel_of_stft(spectrum: Tensor, spec: MelSpec) -> Tensor:
    """Log-mel ``[..., n_mels]`` (natural logarithm, floored) of spectra ``[..., bins]`` complex."""
    magnitude = _power(spectrum).add_(1e-9).sqrt_()  # in place: each temporary would be as large as the spectrum
    if spec.power != 1.0:
        magnitude = magnitude.pow(spec.power)
    return mel_bands(magnitude, spec).clamp(min=spec.floor).log()


def log_mel(samples: Tensor, spec: MelSpec, padded: bool = False) -> Tensor:
    """Log-mel spectrogram of samples.

    Args:
        samples: ``[..., time]`` float32 in -1..1 at ``spec.sample_rate``.
        spec: definition of the frames.
        padded: True for samples to be taken as they are, padded already or not: only whole windows are analysed.

    Returns:
        ``[..., frames, n_mels]``. With padding "same", frames = time / hop where hop divides time; at least 1.
    """
    segments = [samples] if padded else _segments(samples, spec)
    tiles = (tile for segment in segments for tile in _stft_tiles(segment, spec))
    return torch.cat([log_mel_of_stft(tile, spec) for tile in tiles], dim=-2)


def log_mel_stream(blocks: Iterable[Tensor], spec: MelSpec) -> Iterator[Tensor]:
    """`log_mel` of a recording that arrives in blocks ``[channels, time]``, in bounded memory.

    The frames equal those of the whole recording: only its two ends are padded.
    """
    padding = spec.padding_samples
    pending: Tensor | None = None
    started = False
    for block in blocks:
        pending = block if pending is None else torch.cat([pending, block], dim=-1)
        if pending.shape[-1] <= max(2 * padding, spec.win) + spec.hop:
            continue
        if not started:
            pending = torch.cat([pending[..., 1 : padding + 1].flip(-1), pending], dim=-1)
            started = True
        # The last `padding` samples are kept: they are reflected if the recording ends here.
        ready = 1 + (pending.shape[-1] - padding - 1 - spec.win) // spec.hop
        if ready > 0:
            yield log_mel(pending[..., : (ready - 1) * spec.hop + spec.win], spec, padded=True)
            pending = pending[..., ready * spec.hop :]
    if pending is None or pending.shape[-1] == 0:
        return
    if not started:
        yield log_mel(pending, spec)
        return
    tail = torch.cat([pending, pending[..., -padding - 1 : -1].flip(-1)], dim=-1)
    if tail.shape[-1] >= spec.win:
        yield log_mel(tail, spec, padded=True)
