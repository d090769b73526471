"""Partials of a recording: what of it is a tone, taken out so that the rest can be continued as noise.

Sinusoids plus residual (Serra & Smith 1990, Computer Music Journal 14(4):12). The residual is continued as a texture;
`partial_continuation` continues the partials.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from audiogen.audio import Recording
from audiogen.dsp.sinusoids import Bands, Partial, synthesise
from audiogen.sound.line_refinement import backfitted, fitted_at_ends
from audiogen.sound.line_search import LineSearch

MIN_SECONDS = 2.0  # of a recording
GATE_SECONDS, MAX_SECONDS = 60.0, 120.0  # of the end of a recording: searched for a line; analysed if there is one
PASSES = 2  # of all partials against each other
MORE_SEARCHES = 3  # in what is left, at most
DESCRIBED = 8  # partials in the sidecar


@dataclass(frozen=True)
class Partials:
    """Partials and residual of a recording's end.

    Args:
        residual: the end without its partials.
        partials: at least one, the strongest first.
        bands: the points of their envelopes.
        energy: fraction of the end's energy that is partials.
    """

    residual: Recording
    partials: list[Partial]
    bands: Bands
    energy: float

    @property
    def tones(self) -> tuple[tuple[float, float], ...]:
        """Median frequency in Hz and mean square, over time and channels, of each partial."""
        inside = self.bands.inside
        powers = [float(np.square(np.abs(each.envelope[:, inside])).mean() / 2) for each in self.partials]
        return tuple((each.median, power) for each, power in zip(self.partials, powers, strict=True))

    def synthesise(self, gains: np.ndarray | None = None) -> np.ndarray:
        """The sum of the partials ``[channels, time]``, amplified by ``gains`` ``[partials]`` in dB."""
        factors = np.ones(len(self.partials)) if gains is None else 10 ** (gains / 20)
        scaled = [
            Partial(each.hertz, each.phase, each.envelope * factor)
            for each, factor in zip(self.partials, factors, strict=True)
        ]
        return synthesise(scaled, self.bands, self.residual.channels)

    def describe(self) -> dict[str, object]:
        """The sidecar's account: number of partials, their fraction of the energy, and the strongest frequencies."""
        strongest = [round(hertz, 1) for hertz, _ in self.tones[:DESCRIBED]]
        return {"count": len(self.partials), "energy": round(self.energy, 4), "hertz": strongest}


def find_partials(recording: Recording) -> Partials | None:
    """Decompose the end of a recording, at most two minutes, into partials and residual.

    Returns:
        None if nothing in it is a line, as in rain, wind, water, voices and most songs of birds.
    """
    if recording.seconds < MIN_SECONDS or not recording.samples.any():
        return None
    whole = recording.last(GATE_SECONDS)
    found = _decomposed(whole)
    if found and recording.seconds > GATE_SECONDS:
        whole = recording.last(MAX_SECONDS)
        found = _decomposed(whole)
    if not found:
        return None
    bands = Bands(whole.length, whole.sample_rate)
    samples = whole.samples - synthesise(found, bands, whole.channels)
    residual = replace(whole, samples=samples.astype(np.float32), start=None)
    before, after = (float(np.square(each.samples, dtype=np.float64).sum()) for each in (whole, residual))
    return Partials(residual, found, bands, max(1 - after / before, 0.0))


def _decomposed(recording: Recording) -> list[Partial]:
    """The partials of all of a recording, the strongest first; empty if there are none."""
    bands = Bands(recording.length, recording.sample_rate)
    spectrum = bands.spectrum(recording.samples)
    search = LineSearch(spectrum, bands)
    if not (lines := search.lines()):
        return []
    lines = backfitted(lines, spectrum, bands, PASSES)
    for _ in range(MORE_SEARCHES):
        if not (more := search.after(lines).more_lines(lines)):
            break
        lines = backfitted(sorted([*lines, *more], key=lambda line: -line.power), spectrum, bands, PASSES)
    return fitted_at_ends(lines, recording.samples, bands)


def without_partials(recording: Recording) -> Recording:
    """What is continued as a texture: the residual, or the recording itself if it has no partials."""
    partials = find_partials(recording)
    return recording if partials is None else partials.residual
