"""Analysis of a recording's rhythm: pulse, grid of beats, bars, and how alike its beats are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from audiogen.audio import Recording
from audiogen.rhythm.beat_units import beats_per_bar, clarity, distances, identical_beats, unit_features
from audiogen.rhythm.beats import extend_beats, smooth_beats, track_beats
from audiogen.rhythm.chroma import chroma
from audiogen.rhythm.onsets import track_onsets
from audiogen.rhythm.pulse import Pulse, find_pulse, tempo_curve

MAX_SECONDS = 300.0  # of the end of a recording, that is analysed
MIN_UNITS = 8  # whole beats, below which there is nothing to recombine


@dataclass(frozen=True)
class Rhythm:
    """The beats of a recording that has a pulse. Times are in seconds from the recording's start.

    Args:
        recording: what was analysed.
        pulse: tempo and strength.
        beats: ``[beats]`` times up to the end of the recording. Unit ``k`` lies between the beats ``k`` and ``k + 1``.
        period: of the beats at the end of the recording, seconds.
        bar: number of beats in a bar; None without an accent pattern, as in machines.
        unlike: ``[units, units]`` distance of any two whole beats, about 1 for two taken at random.
        unlike_end: ``[units]`` distance of what precedes the end of the recording, one beat long, from what precedes
            the same phase of each unit; row ``k`` of the next array is the beat before that, and so on.
        clarity: ``[units]`` in 0..1, how far each takes part in the pulse.
        identical: ``[units, units]`` bool: the same samples.
    """

    recording: Recording
    pulse: Pulse
    beats: np.ndarray
    period: float
    bar: int | None
    unlike: np.ndarray
    unlike_end: np.ndarray
    clarity: np.ndarray
    identical: np.ndarray

    @property
    def units(self) -> int:
        """Number of whole beats."""
        return len(self.beats) - 1

    @property
    def phase(self) -> float:
        """Fraction of a beat that has passed at the end of the recording, 0..1."""
        return float(self.recording.seconds - self.beats[-1]) / self.period


def analyse_rhythm(recording: Recording) -> Rhythm | None:
    """Find the rhythm of a recording; None if it has no pulse (see `pulse.find_pulse`)."""
    skipped = max(0, recording.length - round(MAX_SECONDS * recording.sample_rate))
    samples, rate = recording.samples[:, skipped:], recording.sample_rate
    track = track_onsets(samples, rate)
    pulse = find_pulse(track.strength, track.rate)
    if pulse is None:
        return None
    tracked = track_beats(track.strength, track.rate, tempo_curve(track.strength, track.rate, pulse.period))
    if len(tracked) <= MIN_UNITS:
        return None
    seconds = samples.shape[1] / rate
    grid = smooth_beats(tracked, pulse.period)
    grid = extend_beats(grid[grid >= 0], seconds)
    if len(grid) <= MIN_UNITS:
        return None
    period = float(np.mean(np.diff(grid[-5:])))
    pitch = chroma(samples, rate)
    unlike = distances(unit_features(track, pitch, grid))
    # The same with a grid that ends with the recording: what precedes its end, and this phase elsewhere.
    phase = (seconds - grid[-1]) / period
    shifted = grid + phase * np.diff(grid, append=grid[-1] + period)
    unlike_end = distances(unit_features(track, pitch, shifted))
    bar = beats_per_bar(unlike)
    return Rhythm(
        recording,
        pulse._replace(period=float(np.median(np.diff(grid)))),
        grid + skipped / rate,
        period,
        bar,
        unlike,
        unlike_end,
        clarity(track, grid, bar or 1),
        identical_beats(samples, rate, grid, unlike),
    )
