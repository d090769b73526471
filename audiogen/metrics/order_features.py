"""Features of a recording that the measures of order share: log-mel frames, onset strength and chroma."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from audiogen.audio import Recording
from audiogen.metrics.spectra import MAX_MEL_HERTZ, frame_size, mel_power, spectra

MEL_BANDS = 40
FRAME_SECONDS = 0.0464  # of a mel frame; the hop is a quarter
CHROMA_SECONDS = 0.186  # long enough to resolve semitones from 100 Hz on
CHROMA_HERTZ = (100.0, 2500.0)
FLOOR = 1e-6  # of the prompt's mean band power, added to each: differences 60 dB below it do not count


@dataclass(frozen=True)
class OrderFeatures:
    """Features of a recording, or of a segment of it.

    Args:
        mel: ``[time, bands]`` natural logarithms of mel band powers.
        chroma: ``[time, 12]`` powers of pitch classes at the same times, each frame's sum 1; 0 where it is silent.
        rate: frames per second.
    """

    mel: np.ndarray
    chroma: np.ndarray
    rate: float

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return len(self.mel) / self.rate

    def cut(self, start: int, stop: int) -> OrderFeatures:
        """The frames from ``start`` to before ``stop``."""
        return OrderFeatures(self.mel[start:stop], self.chroma[start:stop], self.rate)

    @cached_property
    def onsets(self) -> np.ndarray:
        """``[time]`` onset strength: half-wave rectified spectral flux (Dixon 2006, "Onset detection revisited")."""
        return np.maximum(np.diff(self.mel, axis=0, prepend=self.mel[:1]), 0).mean(axis=1)

    def resampled(self, hop: int) -> np.ndarray:
        """Mel frames averaged in groups of ``hop``: ``[time // hop, bands]``."""
        whole = len(self.mel) // hop * hop
        return self.mel[:whole].reshape(-1, hop, self.mel.shape[1]).mean(axis=1)


def audible_power(recording: Recording) -> float:
    """Band power that is added to every band of a recording and of its continuations, so that both have one floor."""
    return FLOOR * max(float(_mel_power(recording).mean()), 1e-9) if _long_enough(recording) else 1e-12


def order_features(recording: Recording, floor: float) -> OrderFeatures:
    """Features of a recording.

    Args:
        recording: any audio; channels are averaged in power.
        floor: see `audible_power`, of the recording or of the prompt that it continues.
    """
    hop = frame_size(recording.sample_rate, FRAME_SECONDS) // 4
    rate = recording.sample_rate / hop
    if not _long_enough(recording):
        return OrderFeatures(np.zeros((0, MEL_BANDS), np.float32), np.zeros((0, 12), np.float32), rate)
    mel = np.log(_mel_power(recording) + floor).astype(np.float32)
    return OrderFeatures(mel, _chroma(recording, hop, len(mel)), rate)


def _long_enough(recording: Recording) -> bool:
    return recording.length >= frame_size(recording.sample_rate, FRAME_SECONDS)


def _mel_power(recording: Recording) -> np.ndarray:
    rate = recording.sample_rate
    return mel_power(recording, frame_size(rate, FRAME_SECONDS), MEL_BANDS, min(MAX_MEL_HERTZ, rate / 2))


def _chroma(recording: Recording, hop: int, frames: int) -> np.ndarray:
    """``[frames, 12]`` pitch class powers, square roots of bins being summed so that one loud bin does not decide."""
    rate, size = recording.sample_rate, frame_size(recording.sample_rate, CHROMA_SECONDS)
    step = 4 * hop
    padded = np.pad(recording.samples, ((0, 0), (size // 2, size // 2)))
    magnitude = np.abs(spectra(padded, size, step)).mean(axis=0)
    hertz = np.fft.rfftfreq(size, 1 / rate)
    inside = (hertz >= CHROMA_HERTZ[0]) & (hertz <= CHROMA_HERTZ[1])
    classes = np.round(12 * np.log2(hertz[inside] / 440.0)).astype(int) % 12
    chroma = np.zeros((len(magnitude), 12), np.float32)
    np.add.at(chroma.T, classes, magnitude[:, inside].T)
    chroma /= np.maximum(chroma.sum(axis=1, keepdims=True), 1e-9)
    return np.repeat(chroma, step // hop, axis=0)[:frames]
