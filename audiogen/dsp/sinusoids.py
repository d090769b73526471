"""Sinusoids in a signal: narrow bands at a low rate around carriers, taken from one transform of the whole, and back.

A partial is a complex envelope on a carrier. The bins around the carrier are the envelope's own spectrum: as exact as a
heterodyne and a filter for each partial, at the price of one transform for all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from audiogen.dsp.fourier import fast_length, fft, ifft, irfft, rfft
from audiogen.dsp.frequency_course import FrequencyCourse

ENVELOPE_RATE = 250.0  # Hz, about: a partial may move 100 Hz either side of its carrier
PAD_SECONDS = 0.5  # either side of a signal, over which envelopes fade, so that the transform's circle closes
EDGE = 0.1  # of a band's width, over which it ends


class Bands:
    """Narrow bands of signals of one length.

    Args:
        length: samples.
        sample_rate: Hz.
        step: samples between two points of an envelope; 0 for about `ENVELOPE_RATE`.

    Attributes:
        lead: points before the first sample.
        points: of an envelope, from half a second before the signal to at least as long after it.
        rate: points per second.
    """

    def __init__(self, length: int, sample_rate: float, step: int = 0) -> None:
        self.length, self.sample_rate = length, sample_rate
        self.step = step or max(round(sample_rate / ENVELOPE_RATE), 1)
        self.lead = round(PAD_SECONDS * sample_rate / self.step)
        self.points = fast_length(-(-length // self.step) + 2 * self.lead)
        self.rate = sample_rate / self.step

    def decimated(self, highest: float) -> Bands:
        """The same points at the lowest rate, a divisor of this one, that represents bands up to ``highest`` Hz."""
        least = 2 * (highest + self.rate / 2)
        factor = max(
            k for k in range(1, self.step + 1) if self.step % k == 0 and (k == 1 or self.sample_rate >= k * least)
        )
        return Bands(-(-self.length // factor), self.sample_rate / factor, self.step // factor)

    @property
    def size(self) -> int:
        """Samples of the transform."""
        return self.points * self.step

    @property
    def inside(self) -> slice:
        """The points within the signal."""
        return slice(self.lead, self.lead + (self.length - 1) // self.step + 1)

    def carrier(self, hertz: float) -> float:
        """The frequency of the bin nearest to ``hertz``."""
        return round(hertz * self.size / self.sample_rate) * self.sample_rate / self.size

    def spectrum(self, samples: np.ndarray) -> np.ndarray:
        """Spectrum ``[channels, bins]`` of ``[channels, length]`` samples, for `envelopes`."""
        before = self.lead * self.step
        padded = np.zeros((len(samples), self.size), np.float32)  # exact to -130 dB
        padded[:, before : before + self.length] = samples
        return rfft(padded)

    def below(self, spectrum: np.ndarray, whole: Bands) -> np.ndarray:
        """The `spectrum` that is left of that of ``whole``, which these bands are `decimated` from."""
        return np.asarray(spectrum[:, : self.size // 2 + 1] * np.float32(self.step / whole.step))

    def samples(self, spectrum: np.ndarray) -> np.ndarray:
        """Samples ``[channels, length]`` of a `spectrum`."""
        before = self.lead * self.step
        return irfft(spectrum, self.size)[:, before : before + self.length]

    def envelopes(self, spectrum: np.ndarray, carriers: Sequence[float] | np.ndarray) -> np.ndarray:
        """The complex envelopes ``[carriers, channels, points]`` of the bands around each `carrier`.

        A band is the real part of the envelope times ``exp(2 pi i carrier t)``, t from the first point on.
        """
        bands = np.zeros((len(carriers), len(spectrum), self.points), np.complex64)
        for band, carrier in zip(bands, carriers, strict=True):
            of_spectrum, of_band = self._bins(carrier)
            band[:, of_band] = spectrum[:, of_spectrum] * self._band[of_band]
        return ifft(np.fft.ifftshift(bands, axes=-1))

    def signal(self, envelopes: np.ndarray, carriers: Sequence[float] | np.ndarray) -> np.ndarray:
        """The sum ``[channels, length]`` of partials: envelopes ``[partials, channels, points]`` and their carriers."""
        spectrum = np.zeros((envelopes.shape[1], self.size // 2 + 1), np.complex64)
        bands = np.fft.fftshift(fft(envelopes * self._fade), axes=-1)
        for band, carrier in zip(bands, carriers, strict=True):
            of_spectrum, of_band = self._bins(carrier)
            spectrum[:, of_spectrum] += band[:, of_band]
        return self.samples(spectrum) * np.float32(self.step / 2)

    def _bins(self, carrier: float) -> tuple[slice, slice]:
        """Bins of the spectrum around a carrier, and where they lie in its band."""
        low = round(carrier * self.size / self.sample_rate) - self.points // 2
        first, last = max(low, 1), min(low + self.points, self.size // 2)
        return slice(first, last), slice(first - low, last - low)

    @cached_property
    def _band(self) -> np.ndarray:
        edge = 0.5 - 0.5 * np.cos(np.pi * np.linspace(0, 1, max(round(EDGE * self.points), 1)))
        band = np.concatenate([edge, np.ones(self.points - 2 * len(edge)), edge[::-1]])
        return (2 / self.step * band).astype(np.float32)

    @cached_property
    def _fade(self) -> np.ndarray:
        position = np.arange(self.points) / self.lead
        after = 2 + (self.length / self.step) / self.lead - position
        return (np.sin(0.5 * np.pi * np.clip(np.minimum(position, after), 0, 1)) ** 2).astype(np.float32)


@dataclass(frozen=True)
class Partial(FrequencyCourse):
    """A line of a signal, on the points of `Bands`.

    Args:
        hertz: ``[points]`` smooth frequency.
        phase: ``[points]`` its integral, from 0 at the first point.
        envelope: ``[channels, points]`` complex amplitude relative to that phase.
    """

    hertz: np.ndarray
    phase: np.ndarray
    envelope: np.ndarray


def synthesise(partials: Sequence[Partial], bands: Bands, channels: int) -> np.ndarray:
    """The sum of partials, ``[channels, time]``."""
    if not partials:
        return np.zeros((channels, bands.length), np.float32)
    carriers = [bands.carrier(partial.median) for partial in partials]
    points, per_point = np.arange(bands.points), 2 * np.pi / bands.rate
    turns = np.stack([each.phase - per_point * hertz * points for each, hertz in zip(partials, carriers, strict=True)])
    envelopes = np.stack([each.envelope for each in partials]).astype(np.complex64, copy=False)
    return bands.signal(envelopes * rotation(turns)[:, None], carriers)


def rotation(phase: np.ndarray) -> np.ndarray:
    """``exp(i phase)`` of phases in radians, of any size: complex64, exact to -130 dB, and several times as fast."""
    turns = phase * (0.5 / np.pi)
    angle = ((turns - np.rint(turns)) * (2 * np.pi)).astype(np.float32)
    result = np.empty(angle.shape, np.complex64)
    result.real, result.imag = np.cos(angle), np.sin(angle)
    return result


def integral(hertz: np.ndarray, rate: float) -> np.ndarray:
    """Phase ``[..., points]`` of a frequency, 0 at the first point, by the trapezoidal rule."""
    phase = np.zeros(hertz.shape)
    np.cumsum((hertz[..., 1:] + hertz[..., :-1]) * (np.pi / rate), axis=-1, out=phase[..., 1:])
    return phase
