"""Figures: mel spectrograms on a common colour scale, waveform envelopes, axis ticks."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from audiogen.audio import Recording
from audiogen.metrics.spectra import frame_size, mel_power
from audiogen.reports.file_parts import FilePart, column_powers

COLOUR_MAP = "magma"
LEVEL_RANGE = 70.0  # dB from the brightest to the darkest colour
MIN_RANGE = 20.0  # dB, however little a texture varies
MAX_BEYOND = 12.0  # dB by which the loudest may lie above the brightest colour
MAX_HERTZ = 20_000.0
MAX_BANDS = 128
MAX_COLUMNS = 1200
TICKS = (50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000)  # Hz
STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600)  # seconds


@dataclass(frozen=True)
class Spectrogram:
    """Mel spectrogram for display.

    Args:
        levels: ``[bands, columns]`` dB; 0 is the 99.9 % quantile of all spectrograms on the same colour scale.
        seconds: duration of all columns.
        top: upper edge of the highest band, Hz.
        span: dB from the brightest to the darkest colour.
    """

    levels: np.ndarray
    seconds: float
    top: float
    span: float = LEVEL_RANGE

    def between(self, start: float, stop: float) -> Spectrogram:
        """The columns from ``start`` to ``stop`` seconds, at least one, on the same colour scale."""
        count = self.levels.shape[1]
        first = min(round(start / self.seconds * count), count - 1)
        last = max(round(stop / self.seconds * count), first + 1)
        return Spectrogram(self.levels[:, first:last], stop - start, self.top, self.span)

    def png(self) -> bytes:
        """PNG without margins: one pixel per band and column, low frequencies at the bottom."""
        return encode_png(self.levels, -self.span, 0, COLOUR_MAP)

    def ticks(self) -> list[tuple[float, str]]:
        """Frequency ticks: position from the bottom, 0 to 1, and label in Hz."""
        import librosa

        highest = librosa.hz_to_mel(self.top)
        positions = {hertz: float(librosa.hz_to_mel(hertz) / highest) for hertz in TICKS if hertz <= self.top}
        labels = {hertz: f"{hertz // 1000}k" if hertz >= 1000 else str(hertz) for hertz in positions}
        return [(position, labels[hertz]) for hertz, position in positions.items() if position > 0.03]


def encode_png(values: np.ndarray, low: float, high: float, colour_map: str) -> bytes:
    """PNG of ``[rows, columns]`` values, one pixel each, the first row at the bottom.

    Args:
        values: what is shown.
        low: value of the first colour.
        high: value of the last colour.
        colour_map: one of matplotlib's.
    """
    from matplotlib.image import imsave

    picture = io.BytesIO()
    imsave(picture, values, vmin=low, vmax=high, cmap=colour_map, origin="lower", format="png")
    return picture.getvalue()


def spectrogram(recording: Recording) -> Spectrogram:
    """Mel spectrogram (Slaney scale) of frames of about 46 ms, powers averaged over channels and within columns."""
    return spectrograms([recording])[0]


def spectrograms(sounds: Sequence[Recording | FilePart], contrast_of: int | None = None) -> list[Spectrogram]:
    """`spectrogram` of each sound on a common colour scale: 0 dB is the 99.9 % quantile of all.

    Args:
        sounds: what is shown.
        contrast_of: the sound from whose own levels the scale is taken, in place of all: 0 dB is its 99.9 % quantile,
            and the darkest colour its quietest twentieth, at most `LEVEL_RANGE` and at least `MIN_RANGE` below. So a
            dense texture shows its differences, and a tail that departs from its prompt looks brighter or darker. If
            others are more than `MAX_BEYOND` dB louder, the scale ends that far below them.
    """
    levels = [_levels(sound) for sound in sounds]
    brightest, span = float(np.quantile(np.concatenate([each.ravel() for each in levels]), 0.999)), LEVEL_RANGE
    if contrast_of is not None:
        own = levels[contrast_of]
        brightest = max(float(np.quantile(own, 0.999)), brightest - MAX_BEYOND)
        span = float(np.clip(brightest - np.quantile(own, 0.05), MIN_RANGE, LEVEL_RANGE))
    return [
        Spectrogram(each - brightest, sound.seconds, min(MAX_HERTZ, sound.sample_rate / 2), span)
        for each, sound in zip(levels, sounds, strict=True)
    ]


def _levels(sound: Recording | FilePart) -> np.ndarray:
    """Mel band levels ``[bands, columns]`` in dB."""
    import librosa

    rate, top = sound.sample_rate, min(MAX_HERTZ, sound.sample_rate / 2)
    size = frame_size(rate)
    # Each mel band must contain a Fourier bin: below 1 kHz a mel is 200 / 3 Hz wide.
    bands = min(MAX_BANDS, max(int(librosa.hz_to_mel(top) * 200 / 3 / (rate / size)), 8))
    if isinstance(sound, FilePart):
        columns = column_powers(sound, size, bands, top, MAX_COLUMNS)
    else:
        power = mel_power(sound, size, bands, top)
        edges = np.linspace(0, len(power), min(len(power), MAX_COLUMNS) + 1).astype(int)
        columns = np.add.reduceat(power, edges[:-1], axis=0) / np.diff(edges)[:, None]
    return 10 * np.log10(np.maximum(columns.T, 1e-12))


def time_ticks(seconds: float, most: int = 10, zero: float = 0.0) -> list[tuple[float, str]]:
    """Time ticks: position, 0 to 1, and label in seconds relative to ``zero`` seconds after the beginning."""
    step = next((step for step in STEPS if seconds / step <= most), 3600)
    counts = range(-int(zero / step), int((seconds - zero) / step) + 1)
    labels = ("0 s" if k == 0 else f"{k * step:g}".replace("-", "−") for k in counts)
    return [((zero + k * step) / seconds, label) for k, label in zip(counts, labels, strict=True)]


def envelope(samples: np.ndarray, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Minimum and maximum sample of ``[time]`` in each of ``columns`` (or fewer) equal parts."""
    edges = np.linspace(0, len(samples), min(columns, len(samples)) + 1).astype(int)[:-1]
    return np.minimum.reduceat(samples, edges), np.maximum.reduceat(samples, edges)


def gradient() -> list[str]:
    """The colour scale from dark to bright as CSS colours."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    return [to_hex(colour) for colour in colormaps[COLOUR_MAP](np.linspace(0, 1, 9))]
