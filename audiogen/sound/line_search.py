"""Search for the lines of a recording: sustained tones, separated from noise.

Peaks are tracked at several resolutions: a window must separate the harmonics of a hum and still follow an engine.
Each track is then followed more exactly by demodulating the recording along it, and kept only if it is a line: coherent
over several windows, well above what surrounds it, audible beside that, and present for much of the time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from audiogen.dsp.demodulation import Demodulator
from audiogen.dsp.fourier import fft
from audiogen.dsp.peak_tracking import Track, track_peaks
from audiogen.dsp.sinusoids import Bands, Partial, integral, rotation, synthesise

WINDOW_SECONDS = (0.186, 0.372, 0.743)  # for a wandering engine, the harmonics of a hum, a pad
MAX_HERTZ = 10800.0  # above, lines are artefacts of codecs
MIN_PRESENCE = 0.4  # of the recording's length
JOINED = 0.02  # relative distance of two tracks that continue each other after a gap
MIN_KERNEL = 0.12  # seconds, of the low-pass that a demodulated partial goes through
KERNEL_PER_GAP = 2.5  # cycles of the distance to the next partial in a kernel: its first zero lies closer
CORRECTIONS, FOLLOW_SECONDS = 2, 0.25  # of a partial's frequency, averaged over that time
BATCH = 16  # tracks that are followed at once
DISTANCE_STEP = 8  # points, 32 ms, at which two are compared
FAR_HERTZ = 100.0  # between the ranges of lines or tracks that are not compared point by point
SAME_HERTZ = 6.0  # tracks nearer than that are one partial, which may beat
MIN_HARMONICS, OFF_HARMONIC = 4, 0.06  # of a fundamental: least number, and their largest distance relative to it
MIN_FUNDAMENTAL, MAX_DIVISOR, MORE_HARMONICS = 25.0, 6, 8  # Hz; of a line's frequency; above the highest line
KERNELS = (0.12, 0.186, 0.372)  # seconds, that a line's is chosen from
MAX_BELOW_DB = 80.0  # the whole recording: below are the harmonics of quantisation errors, hundreds of them
NOISE_WIDTH = 1.5  # of a Hann window's band, in units of one over its length
LOSS = (0.001, 0.02)  # of its power: the price of a longer kernel, at a moving frequency and at a constant one


class Quality(NamedTuple):
    """How much of a line a partial is.

    Args:
        coherence: energy that a four times narrower band keeps: 1 for a line, 0.5 for noise in that band.
        prominence: power over that of the surrounding noise in the same band, dB.
        audibility: power over that of the surrounding noise in an auditory band, dB (Moore & Glasberg 1983).
    """

    coherence: float
    prominence: float
    audibility: float

    def reaches(self, other: Quality) -> bool:
        return all(own >= least for own, least in zip(self, other, strict=True))


# On 15 textures, noise reaches 10.5 dB of prominence at a coherence of 0.8 (rumble below birds), a fire's hollow sound
# 14 dB at 0.55; the least of the lines that carry a sound had 20 dB at 0.99. A hum under insects, 39 dB below them, has
# 15, 0.86 and 5 dB.
ANCHOR = Quality(coherence=0.75, prominence=14.0, audibility=6.0)
# A clear one is not looked for again in longer windows.
CLEAR = Quality(coherence=0.9, prominence=20.0, audibility=0.0)
# Beside an anchor, weaker lines are lines too: an engine's higher harmonics, notes that change.
COMPANION = Quality(coherence=0.35, prominence=6.0, audibility=-3.0)
# What a track must have before its frequency is corrected.
HOPEFUL = Quality(coherence=0.0, prominence=3.0, audibility=-6.0)


class Line(NamedTuple):
    """A candidate.

    Args:
        partial: its frequency and envelope.
        quality: how much of a line it is.
        power: its mean square, summed over channels.
        noise: that of the surrounding noise in its band.
        kernel: of the window that demodulates it, seconds.
    """

    partial: Partial
    quality: Quality
    power: float
    noise: float
    kernel: float

    @property
    def gain(self) -> float:
        """What taking it out of the recording removes of a tone, less what it removes of the noise."""
        return self.power - 2 * self.noise


class LineSearch:
    """Search for lines in a recording.

    Args:
        spectrum: of the recording, ``[channels, bins]``.
        whole: its bands.
    """

    def __init__(self, spectrum: np.ndarray, whole: Bands) -> None:
        self.bands = whole.decimated(MAX_HERTZ)
        self.spectrum = self.bands.below(spectrum, whole)
        self.demodulator = Demodulator(self.bands)
        self.inside = self.demodulator.inside
        self._sampled = slice(self.inside.start, self.inside.stop, DISTANCE_STEP)
        self._hann = np.hanning(self.inside.stop - self.inside.start).astype(np.float32)

    @cached_property
    def samples(self) -> np.ndarray:
        """The recording up to `MAX_HERTZ` and the lowest rate for that, ``[channels, time]``."""
        return self.bands.samples(self.spectrum)

    @cached_property
    def least_power(self) -> float:
        """Of a line, summed over channels: of what is left of a recording, by the whole of it."""
        return float(np.square(self.samples).mean(1).sum()) * 10 ** (-MAX_BELOW_DB / 10)

    def after(self, lines: Sequence[Line]) -> LineSearch:
        """A search in what lines leave of the recording."""
        rest = self.samples - synthesise([line.partial for line in lines], self.bands, len(self.samples))
        search = LineSearch(self.bands.spectrum(rest), self.bands)
        search.samples, search.least_power = rest, self.least_power
        return search

    def lines(self) -> list[Line]:
        """The lines, the strongest first; empty if none of them is beyond doubt."""
        candidates: list[Line] = []
        for window in WINDOW_SECONDS:
            candidates += self._lines_along(*self._tracks(window), candidates)
        return self._distinct(candidates) if any(line.quality.reaches(ANCHOR) for line in candidates) else []

    def more_lines(self, known: Sequence[Line]) -> list[Line]:
        """Lines in what known ones have left: hidden beside stronger ones, or the missing harmonics of an engine."""
        found = self._lines_along(*self._tracks(WINDOW_SECONDS[-1]), ())
        return self._distinct(found + self._lines_along(_harmonics(known, self.bands), MIN_KERNEL, found))

    def _tracks(self, window: float) -> tuple[list[Track], float]:
        """Tracks that are present for long enough, in windows of ``window`` seconds, and the kernel for them."""
        samples, rate = self.samples, self.bands.sample_rate
        size = 2 ** round(np.log2(window * rate))
        if size * 4 > samples.shape[1]:
            return [], MIN_KERNEL
        tracks = join_tracks(track_peaks(samples, rate, size), MIN_PRESENCE * samples.shape[1] / rate)
        return tracks, max(0.5 * size / rate, MIN_KERNEL)

    def _lines_along(self, tracks: Sequence[Track], kernel: float, known: Sequence[Line]) -> list[Line]:
        """Lines along those tracks on which no clear line is known, demodulated by a window of ``kernel`` seconds."""
        clear = [line for line in known if line.quality.reaches(CLEAR)]
        new = [each for each in tracks if each.median < MAX_HERTZ]
        new = [each for each in new if not any(self._lies_on(each, line) for line in clear)]
        batches = (new[first : first + BATCH] for first in range(0, len(new), BATCH))
        return [line for batch in batches for line in self._follow(batch, kernel) if line.quality.reaches(COMPANION)]

    def _follow(self, tracks: Sequence[Track], kernel: float) -> list[Line]:
        """Demodulate along tracks, whose frequencies are corrected by what is found there; those that may be lines."""
        own, rate = self.demodulator, self.bands.rate
        seconds = (np.arange(self.bands.points) - self.bands.lead) / rate
        hertz = np.stack([np.interp(seconds, track.seconds, track.hertz) for track in tracks])
        carriers = np.array([self.bands.carrier(track.median) for track in tracks])
        band = self.bands.envelopes(self.spectrum, carriers)

        def demodulated() -> tuple[np.ndarray, np.ndarray]:
            turned = band * rotation(-integral(hertz - carriers[:, None], rate))[:, None]
            return turned, own.smooth(turned, kernel)

        turned, envelope = demodulated()
        kept = own.power(envelope) >= self.least_power
        qualities = self._qualities(turned[kept], envelope[kept], hertz[kept], kernel)
        kept[kept] = [quality.reaches(HOPEFUL) for quality, _ in qualities]
        hertz, carriers, band, envelope = (each[kept] for each in (hertz, carriers, band, envelope))
        if not len(hertz):
            return []
        for _ in range(CORRECTIONS):
            turn = np.zeros(hertz.shape, complex)
            turn[:, :-1] = (envelope[..., 1:] * envelope[..., :-1].conj()).sum(1)
            hertz = hertz + np.angle(own.smooth(turn, FOLLOW_SECONDS)) * rate / (2 * np.pi)
            # Relative to its own phase instead of the carrier's.
            turned, envelope = demodulated()
        hertz, envelope = own.held(hertz), own.held(envelope)
        powers = own.power(envelope)
        coherences = own.power(own.smooth(turned, 4 * kernel)) / np.maximum(powers, 1e-30)
        qualities = self._qualities(turned, envelope, hertz, kernel, coherences)
        return [
            Line(Partial(hertz[k], integral(hertz[k], rate), envelope[k]), quality, float(powers[k]), noise, kernel)
            for k, (quality, noise) in enumerate(qualities)
        ]

    def _qualities(
        self,
        band: np.ndarray,
        envelope: np.ndarray,
        hertz: np.ndarray,
        kernel: float,
        coherences: np.ndarray | None = None,
    ) -> Iterator[tuple[Quality, float]]:
        """Quality of the partial of each demodulated band, and the power of the noise in the kernel's band."""
        powers = self.demodulator.power(envelope)
        coherences = np.ones(len(powers)) if coherences is None else coherences
        spectra = fft(band[..., self.inside] * self._hann, self.bands.points)
        densities = (np.square(spectra.real) + np.square(spectra.imag)).sum(1)
        scale = 2 * float(np.square(self._hann, dtype=np.float64).sum()) * self.bands.rate * np.log(2)
        near, far = (round(edge * self.bands.points / self.bands.rate) for edge in _sides(kernel))
        far, end = min(far, self.bands.points // 2), self.bands.points
        sides = densities[:, near + 1 : far], densities[:, end - far + 1 : end - near]
        noises = np.maximum(*(np.median(side, axis=1) for side in sides)) / scale + 1e-30
        for noise, power, middle, coherence in zip(noises, powers, np.median(hertz, axis=1), coherences, strict=True):
            own, auditory = noise * NOISE_WIDTH / kernel, noise * 24.7 * (4.37e-3 * middle + 1)
            prominence, audibility = 10 * np.log10(power / own), 10 * np.log10(power / auditory)
            yield Quality(float(coherence), float(prominence), float(audibility)), float(own)

    def _distinct(self, candidates: Sequence[Line]) -> list[Line]:
        """One line of those that several resolutions found, with a kernel that keeps its neighbours out."""
        groups: list[list[Line]] = []
        for line in sorted(candidates, key=lambda each: -each.power):
            same = (group for group in groups if self._distance(group[0], line) < SAME_HERTZ)
            if (group := next(same, None)) is not None:
                group.append(line)
            else:
                groups.append([line])
        best = [max(group, key=lambda line: line.gain) for group in groups]
        lines = []
        for line in best:
            # The best of two groups may be nearer to each other than their strongest; their kernels stay short.
            gap = min((self._distance(line, other) for other in best if other is not line), default=np.inf)
            lines.append(self._fitted(line, KERNEL_PER_GAP / max(gap, SAME_HERTZ)))
        return lines

    def _fitted(self, line: Line, least: float) -> Line:
        """A line at its own frequency or a constant one, by the kernel of at least ``least`` seconds that suits it."""
        own, hertz = self.demodulator, line.partial.hertz
        carrier = self.bands.carrier(line.partial.median)
        band = self.bands.envelopes(self.spectrum, [carrier])
        power = np.square(np.abs(line.partial.envelope)).sum(0) * own.weight
        steady = np.full_like(hertz, power @ hertz / max(power.sum(), 1e-30))
        courses = np.stack([hertz, steady])
        kernels = np.unique(np.maximum(KERNELS, least))
        turned = band * rotation(-integral(courses - carrier, self.bands.rate))[:, None]
        envelopes = own.smooth(turned, kernels[:, None, None])  # [kernels, courses, channels, points]
        powers, noises = own.power(envelopes), (line.noise * line.kernel / kernels)[:, None]
        gains = powers - 2 * noises
        # The longest kernel and the simplest frequency of those that lose next to nothing.
        loss = np.array(LOSS) * np.maximum(gains.max(), noises)
        k, course = np.argwhere(gains.max() - gains <= loss)[-1]
        partial = Partial(courses[course], integral(courses[course], self.bands.rate), own.held(envelopes[k, course]))
        return Line(partial, line.quality, float(powers[k, course]), float(noises[k, 0]), float(kernels[k]))

    def _lies_on(self, track: Track, line: Line) -> bool:
        """Whether a track is that of a line found before."""
        if _far(track, line.partial):
            return False
        index = np.clip(self.bands.lead + np.rint(track.seconds * self.bands.rate), 0, self.bands.points - 1)
        return float(np.median(np.abs(line.partial.hertz[index.astype(int)] - track.hertz))) < SAME_HERTZ

    def _distance(self, first: Line, second: Line) -> float:
        """Median distance of two lines in Hz; of those that are far from each other, the distance of their medians."""
        if _far(first.partial, second.partial):
            return abs(first.partial.median - second.partial.median)
        return float(np.median(np.abs(first.partial.hertz[self._sampled] - second.partial.hertz[self._sampled])))


def _far(first: Track | Partial, second: Partial) -> bool:
    """Whether all frequencies of one are far from all of the other's, whenever they are reached."""
    (low, high), (other_low, other_high) = first.range, second.range
    return max(low - other_high, other_low - high) > FAR_HERTZ


def _harmonics(lines: Sequence[Line], bands: Bands) -> list[Track]:
    """Tracks of the harmonics of a common fundamental that are not among lines; none without one."""
    hertz = np.array([line.partial.median for line in lines])
    power = np.array([line.power for line in lines])
    best, fundamental = 0.0, 0.0
    for candidate in sorted({each / k for each in hertz for k in range(1, MAX_DIVISOR + 1)}, reverse=True):
        if candidate < MIN_FUNDAMENTAL:
            break
        orders = np.rint(hertz / candidate)
        harmonic = (np.abs(hertz - orders * candidate) < OFF_HARMONIC * candidate) & (orders > 0)
        # A lower fundamental explains more, by chance if it is low enough.
        score = float(harmonic.mean()) - 2 * OFF_HARMONIC
        if len(set(orders[harmonic])) >= MIN_HARMONICS and score > best + 0.1:
            best, fundamental = score, candidate
    if best < 0.5:
        return []
    orders = np.rint(hertz / fundamental)
    harmonic = np.abs(hertz - orders * fundamental) < OFF_HARMONIC * fundamental
    reference = int(np.argmax(power * harmonic))
    pitch = lines[reference].partial.hertz / orders[reference]
    seconds = (np.arange(bands.points) - bands.lead) / bands.rate
    missing = sorted(set(range(1, int(max(orders)) + MORE_HARMONICS + 1)) - set(orders[harmonic].astype(int)))
    return [Track(seconds, order * pitch) for order in missing]


def _sides(kernel: float) -> tuple[float, float]:
    """Offsets in Hz from a partial, between which its surroundings lie."""
    return 3 / kernel, 3 / kernel + max(30.0, 10 / kernel)


def join_tracks(tracks: Sequence[Track], seconds: float) -> list[Track]:
    """Tracks of one resolution that continue each other, joined; those that are present for ``seconds`` in total."""
    chains: list[list[Track]] = []
    middles, ends, until = np.zeros((3, len(tracks)))  # of the last track of each chain
    for track in sorted(tracks, key=lambda each: each.seconds[0]):
        count, middle = len(chains), track.median
        near = np.abs(middles[:count] - middle) < JOINED * middle
        possible = np.flatnonzero(near & (until[:count] < track.seconds[0]))
        if len(possible):
            index = int(possible[np.abs(ends[possible] - track.hertz[0]).argmin()])
            chains[index].append(track)
        else:
            index = count
            chains.append([track])
        middles[index], ends[index], until[index] = middle, track.hertz[-1], track.seconds[-1]
    joined = []
    for chain in chains:
        if sum(each.seconds[-1] - each.seconds[0] for each in chain) >= seconds:
            seconds_of, hertz_of = (np.concatenate([getattr(t, name) for t in chain]) for name in ("seconds", "hertz"))
            joined.append(Track(seconds_of, hertz_of))
    return joined
