"""Search for the lines of a recording: sustained tones, separated from noise.

Peaks are tracked at several resolutions: a window must separate the harmonics of a hum and still follow an engine.
Each track is then followed more exactly by demodulating the recording along it, and kept only if it is a line: coherent
over several windows, well above what surrounds it, audible beside that, and present for much of the time.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from audiogen.dsp.demodulation import Demodulator
from audiogen.dsp.peak_tracking import Track, track_peaks
from audiogen.dsp.sinusoids import Bands, Partial, integral, synthesise

WINDOW_SECONDS = (0.186, 0.372, 0.743)  # for a wandering engine, the harmonics of a hum, a pad
MAX_HERTZ = 10800.0  # above, lines are artefacts of codecs
MIN_PRESENCE = 0.4  # of the recording's length
JOINED = 0.02  # relative distance of two tracks that continue each other after a gap
MIN_KERNEL = 0.12  # seconds, of the low-pass that a demodulated partial goes through
KERNEL_PER_GAP = 2.5  # cycles of the distance to the next partial in a kernel: its first zero lies closer
CORRECTIONS, FOLLOW_SECONDS = 2, 0.25  # of a partial's frequency, averaged over that time
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
        self._hann = np.hanning(self.inside.stop - self.inside.start)

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
            candidates += self._lines_along(self._tracks(window), candidates)
        return self._distinct(candidates) if any(line.quality.reaches(ANCHOR) for line in candidates) else []

    def more_lines(self, known: Sequence[Line]) -> list[Line]:
        """Lines in what known ones have left: hidden beside stronger ones, or the missing harmonics of an engine."""
        found = self._lines_along(self._tracks(WINDOW_SECONDS[-1]), ())
        return self._distinct(found + self._lines_along(_harmonics(known, self.bands), found))

    def _tracks(self, window: float) -> list[tuple[Track, float]]:
        """Tracks that are present for long enough, and kernels in seconds; windows of ``window`` seconds."""
        samples, rate = self.samples, self.bands.sample_rate
        size = 2 ** round(np.log2(window * rate))
        if size * 4 > samples.shape[1]:
            return []
        tracks = join_tracks(track_peaks(samples, rate, size), MIN_PRESENCE * samples.shape[1] / rate)
        return [(track, max(0.5 * size / rate, MIN_KERNEL)) for track in tracks]

    def _lines_along(self, tracks: Sequence[tuple[Track, float]], known: Sequence[Line]) -> list[Line]:
        """Lines along those tracks, with their kernels, on which no clear line is known."""
        clear = [line for line in known if line.quality.reaches(CLEAR)]
        new = (each for each in tracks if not any(self._lies_on(each[0], line) for line in clear))
        lines = [self._follow(*each) for each in new if np.median(each[0].hertz) < MAX_HERTZ]
        return [line for line in lines if line is not None and line.quality.reaches(COMPANION)]

    def _follow(self, track: Track, kernel: float) -> Line | None:
        """Demodulate along a track, whose frequency is corrected by what is found there; None if it is no line."""
        own = self.demodulator
        points, rate = np.arange(self.bands.points) - self.bands.lead, self.bands.rate
        hertz = np.interp(points / rate, track.seconds, track.hertz)
        carrier = self.bands.carrier(float(np.median(track.hertz)))
        band = self.bands.envelope(self.spectrum, carrier)
        turned = band * np.exp(-1j * integral(hertz - carrier, rate))
        envelope = own.smooth(turned, kernel)
        if own.power(envelope) < self.least_power:
            return None
        if not self._quality(turned, envelope, hertz, kernel)[0].reaches(HOPEFUL):
            return None
        for _ in range(CORRECTIONS):
            turn = np.append((envelope[:, 1:] * envelope[:, :-1].conj()).sum(0), 0)
            hertz = hertz + np.angle(own.smooth(turn, FOLLOW_SECONDS)) * rate / (2 * np.pi)
            # Relative to its own phase instead of the carrier's.
            turned = band * np.exp(-1j * integral(hertz - carrier, rate))
            envelope = own.smooth(turned, kernel)
        hertz, envelope = own.held(hertz), own.held(envelope)
        coherence = own.power(own.smooth(turned, 4 * kernel)) / max(own.power(envelope), 1e-30)
        quality, noise = self._quality(turned, envelope, hertz, kernel, coherence)
        partial = Partial(hertz, integral(hertz, rate), envelope)
        return Line(partial, quality, own.power(envelope), noise, kernel)

    def _quality(
        self, band: np.ndarray, envelope: np.ndarray, hertz: np.ndarray, kernel: float, coherence: float = 1.0
    ) -> tuple[Quality, float]:
        """Quality of a partial from the demodulated band around it, and the power of the noise in its kernel's band."""
        from scipy.fft import fft

        power = self.demodulator.power(envelope)
        density = np.square(np.abs(fft(band[:, self.inside] * self._hann, self.bands.points))).sum(0)
        density /= 2 * np.square(self._hann).sum() * self.bands.rate
        near, far = (round(edge * self.bands.points / self.bands.rate) for edge in _sides(kernel))
        far = min(far, self.bands.points // 2)
        sides = density[near + 1 : far], density[len(density) - far + 1 : len(density) - near]
        noise = max(float(np.median(side)) for side in sides) / np.log(2) + 1e-30
        auditory = 24.7 * (4.37e-3 * float(np.median(hertz)) + 1)
        own = noise * NOISE_WIDTH / kernel
        return Quality(coherence, 10 * np.log10(power / own), 10 * np.log10(power / (noise * auditory))), own

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
        carrier = self.bands.carrier(float(np.median(hertz)))
        band = self.bands.envelope(self.spectrum, carrier)
        power = np.square(np.abs(line.partial.envelope)).sum(0) * own.weight
        steady = np.full_like(hertz, power @ hertz / max(power.sum(), 1e-30))
        fits = []
        for kernel in (max(each, least) for each in KERNELS):
            noise = line.noise * line.kernel / kernel
            for each in (hertz, steady):
                envelope = own.demodulated(band, each - carrier, kernel)
                partial = Partial(each, integral(each, self.bands.rate), own.held(envelope))
                fits.append(Line(partial, line.quality, own.power(envelope), noise, kernel))
        most = max(fit.gain for fit in fits)
        # The longest kernel and the simplest frequency of those that lose next to nothing.
        kept = [
            most - fit.gain <= loss * max(most, fit.noise) for fit, loss in zip(fits, len(KERNELS) * LOSS, strict=True)
        ]
        return [fit for fit, keep in zip(fits, kept, strict=True) if keep][-1]

    def _lies_on(self, track: Track, line: Line) -> bool:
        """Whether a track is that of a line found before."""
        index = np.clip(self.bands.lead + np.rint(track.seconds * self.bands.rate), 0, self.bands.points - 1)
        return float(np.median(np.abs(line.partial.hertz[index.astype(int)] - track.hertz))) < SAME_HERTZ

    def _distance(self, first: Line, second: Line) -> float:
        """Median distance of two lines in Hz."""
        return float(np.median(np.abs(first.partial.hertz - second.partial.hertz)[self.inside]))


def _harmonics(lines: Sequence[Line], bands: Bands) -> list[tuple[Track, float]]:
    """Tracks of the harmonics of a common fundamental that are not among lines, and their kernels; none without one."""
    hertz = np.array([float(np.median(line.partial.hertz)) for line in lines])
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
    return [(Track(seconds, order * pitch, 0.0), MIN_KERNEL) for order in missing]


def _sides(kernel: float) -> tuple[float, float]:
    """Offsets in Hz from a partial, between which its surroundings lie."""
    return 3 / kernel, 3 / kernel + max(30.0, 10 / kernel)


def join_tracks(tracks: Sequence[Track], seconds: float) -> list[Track]:
    """Tracks of one resolution that continue each other, joined; those that are present for ``seconds`` in total."""
    chains: list[list[Track]] = []
    middles: list[float] = []
    for track in sorted(tracks, key=lambda each: each.seconds[0]):
        middle = float(np.median(track.hertz))
        possible = [
            (abs(chain[-1].hertz[-1] - track.hertz[0]), index)
            for index, chain in enumerate(chains)
            if abs(middles[index] - middle) < JOINED * middle and chain[-1].seconds[-1] < track.seconds[0]
        ]
        if possible:
            index = min(possible)[1]
            chains[index].append(track)
            middles[index] = middle
        else:
            chains.append([track])
            middles.append(middle)
    joined = []
    for chain in chains:
        if sum(each.seconds[-1] - each.seconds[0] for each in chain) >= seconds:
            parts = [np.concatenate([getattr(each, name) for each in chain]) for name in ("seconds", "hertz")]
            joined.append(Track(parts[0], parts[1], float(np.mean([each.excess for each in chain]))))
    return joined
