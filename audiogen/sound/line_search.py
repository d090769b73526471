"""Search for the lines of a recording: sustained tones, separated from noise.

Peaks are tracked at several resolutions: a window must separate the harmonics of a hum and still follow an engine.
Each track is then followed more exactly by demodulating the recording along it, and kept only if it is a line: coherent
over several windows, well above what surrounds it, audible beside that, and present for much of the time.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import product
from typing import NamedTuple

import numpy as np

from audiogen.audio import Recording
from audiogen.dsp.peak_tracking import Track, track_peaks
from audiogen.dsp.sinusoids import Bands, Partial, integral, synthesise

WINDOW_SECONDS = (0.186, 0.372, 0.743)  # for a wandering engine, the harmonics of a hum, a pad
MAX_HERTZ = 11000.0  # above, lines are artefacts of codecs
MIN_PRESENCE = 0.4  # of the recording's length
JOINED = 0.02  # relative distance of two tracks that continue each other after a gap
MIN_KERNEL = 0.12  # seconds, of the low-pass that a demodulated partial goes through
KERNEL_PER_GAP = 2.5  # cycles of the distance to the next partial in a kernel: its first zero lies closer
FOLLOW_SECONDS = 0.25  # over which a partial's frequency is averaged
SAME_HERTZ = 6.0  # tracks nearer than that are one partial, which may beat
STEADY = 0.98  # of a partial's energy within a constant frequency's kernel: it does not wander
REFINEMENTS = 2  # of all partials against each other
END_SECONDS, END_RIDGE = (0.2, 0.1, 0.05), 0.01  # of either end, where all partials are fitted at once; penalty
EDGE_POINTS = 3  # 7 ms: envelopes of a signal that ends abruptly are blurred there


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


class Line(NamedTuple):
    """A candidate: its partial, its quality, its power, and the kernel that demodulates it, seconds."""

    partial: Partial
    quality: Quality
    power: float
    kernel: float


class LineSearch:
    """Search for lines in a recording."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.bands = Bands(recording.length, recording.sample_rate)
        self.spectrum = self.bands.spectrum(recording.samples)
        inside = self.bands.inside
        self.inside = slice(inside.start + EDGE_POINTS, inside.stop - EDGE_POINTS)
        self.weight = np.zeros(self.bands.points)
        self.weight[self.inside] = 1
        self._windows: dict[int, tuple[np.ndarray, np.ndarray]] = {}  # response and sum of the weights by half width

    @cached_property
    def lines(self) -> list[Line]:
        """The lines, the strongest first; empty if none of them is beyond doubt."""
        samples, rate = self._decimated
        seconds = self.recording.seconds
        candidates: list[Line] = []
        for window in WINDOW_SECONDS:
            size = 2 ** round(np.log2(window * rate))
            if size * 4 > samples.shape[1]:
                continue
            clear = [line for line in candidates if line.quality.reaches(CLEAR)]
            for track in join_tracks(track_peaks(samples, rate, size), MIN_PRESENCE * seconds):
                if np.median(track.hertz) < MAX_HERTZ and not any(self._lies_on(track, line) for line in clear):
                    candidates.append(self._follow(track, max(0.5 * size / rate, MIN_KERNEL)))
        candidates = [line for line in candidates if line.quality.reaches(COMPANION)]
        if not any(line.quality.reaches(ANCHOR) for line in candidates):
            return []
        return self._distinct(candidates)

    @property
    def _decimated(self) -> tuple[np.ndarray, int]:
        """The recording up to about 12 kHz, at a fraction of its rate."""
        from scipy.fft import irfft

        bands, rate = self.bands, self.recording.sample_rate
        factor = max(k for k in range(1, max(int(rate // (2 * MAX_HERTZ)), 1) + 1) if bands.step % k == 0)
        if factor == 1:
            return self.recording.samples, rate
        size = bands.size // factor
        samples = irfft(self.spectrum[:, : size // 2 + 1], size, axis=-1) / factor
        start = bands.lead * bands.step // factor
        return samples[:, start : start + bands.length // factor].astype(np.float32), rate // factor

    def _follow(self, track: Track, kernel: float) -> Line:
        """Demodulate along a track, whose frequency is corrected by what is found there."""
        points, rate = np.arange(self.bands.points) - self.bands.lead, self.bands.rate
        hertz = np.interp(points / rate, track.seconds, track.hertz)
        carrier = self.bands.carrier(float(np.median(track.hertz)))
        band = self.bands.envelope(self.spectrum, carrier)
        for follow in (FOLLOW_SECONDS, FOLLOW_SECONDS):
            envelope = self._demodulated(band, hertz - carrier, kernel)
            turn = np.append((envelope[:, 1:] * envelope[:, :-1].conj()).sum(0), 0)
            hertz = hertz + np.angle(self._smooth(turn, follow)) * rate / (2 * np.pi)
        hertz = self._held(hertz)
        envelope = self._demodulated(band, hertz - carrier, kernel)
        power = np.square(np.abs(envelope)).sum(0) * self.weight
        steady = np.full_like(hertz, power @ hertz / max(power.sum(), 1e-30))
        alternative = self._demodulated(band, steady - carrier, kernel)
        if self._power(alternative) >= STEADY * self._power(envelope):
            hertz, envelope = steady, alternative
        envelope = self._held(envelope)
        phase = integral(hertz, rate)
        # Relative to its own phase instead of the carrier's.
        quality = self._quality(band * np.exp(-1j * integral(hertz - carrier, rate)), envelope, hertz, kernel)
        return Line(Partial(hertz, phase, envelope), quality, self._power(envelope), kernel)

    def _demodulated(self, band: np.ndarray, deviation: np.ndarray, kernel: float) -> np.ndarray:
        return self._smooth(band * np.exp(-1j * integral(deviation, self.bands.rate)), kernel)

    def _smooth(self, values: np.ndarray, seconds: float) -> np.ndarray:
        """Weighted moving average ``[..., points]`` over a Hann window, one-sided at the recording's ends."""
        from scipy.fft import fft, ifft

        half = max(round(seconds * self.bands.rate / 2), 1)
        if half not in self._windows:  # a circular convolution: the padding is longer than half of any window
            window = np.roll(np.pad(np.hanning(2 * half + 1), (0, self.bands.points - 2 * half - 1)), -half)
            response = fft(window)
            self._windows[half] = response, np.maximum(ifft(fft(self.weight) * response).real, 1e-9)
        response, total = self._windows[half]
        return np.asarray(ifft(fft(values * self.weight, axis=-1) * response, axis=-1) / total)

    def _held(self, values: np.ndarray) -> np.ndarray:
        """``[..., points]`` that keep their first and last value outside the recording."""
        index = np.clip(np.arange(self.bands.points), self.inside.start, self.inside.stop - 1)
        return values[..., index]

    def _power(self, envelope: np.ndarray) -> float:
        """Mean square of a partial's samples, summed over channels."""
        return float(np.square(np.abs(envelope[:, self.inside])).sum(0).mean() / 2)

    def _quality(self, band: np.ndarray, envelope: np.ndarray, hertz: np.ndarray, kernel: float) -> Quality:
        """Quality of a partial from the demodulated band around it."""
        from scipy.fft import fft

        power = self._power(envelope)
        coherence = self._power(self._smooth(band, 4 * kernel)) / max(power, 1e-30)
        window = np.hanning(self.inside.stop - self.inside.start)
        density = np.square(np.abs(fft(band[:, self.inside] * window, self.bands.points))).sum(0)
        density /= 2 * np.square(window).sum() * self.bands.rate
        offset = np.fft.fftfreq(self.bands.points, 1 / self.bands.rate)
        near, far = 3 / kernel, 3 / kernel + max(30.0, 10 / kernel)
        sides = [density[(sign * offset > near) & (sign * offset < far)] for sign in (-1, 1)]
        noise = max(float(np.median(side)) for side in sides if len(side)) / np.log(2) + 1e-30
        auditory = 24.7 * (4.37e-3 * float(np.median(hertz)) + 1)
        return Quality(
            coherence, 10 * np.log10(power / (noise * 1.5 / kernel)), 10 * np.log10(power / (noise * auditory))
        )

    def _distinct(self, candidates: Sequence[Line]) -> list[Line]:
        """One line of those that several resolutions found, with a kernel that keeps its neighbours out."""
        groups: list[list[Line]] = []
        for line in sorted(candidates, key=lambda each: -each.power):
            same = (group for group in groups if self._distance(group[0], line) < SAME_HERTZ)
            if (group := next(same, None)) is not None:
                group.append(line)
            else:
                groups.append([line])
        # The longest kernel that loses nothing takes the least noise along.
        whole = [[line for line in group if line.power >= STEADY * group[0].power] for group in groups]
        best = [max(group, key=lambda line: line.kernel) for group in whole]
        lines = []
        for line in best:
            gap = min((self._distance(line, other) for other in best if other is not line), default=np.inf)
            if (kernel := KERNEL_PER_GAP / gap) > line.kernel:
                inside = self.inside
                seconds = (np.arange(self.bands.points) - self.bands.lead)[inside] / self.bands.rate
                line = self._follow(Track(seconds, line.partial.hertz[inside], 0.0), kernel)
            lines.append(line)
        return lines

    def _lies_on(self, track: Track, line: Line) -> bool:
        """Whether a track is that of a line found before."""
        index = np.clip(self.bands.lead + np.rint(track.seconds * self.bands.rate), 0, self.bands.points - 1)
        return float(np.median(np.abs(line.partial.hertz[index.astype(int)] - track.hertz))) < SAME_HERTZ

    def _distance(self, first: Line, second: Line) -> float:
        """Median distance of two lines in Hz."""
        return float(np.median(np.abs(first.partial.hertz - second.partial.hertz)[self.inside]))

    def refined(self) -> list[Partial]:
        """The lines' partials, the strongest first, each without what leaked into it from the others (backfitting)."""
        partials, kernels = [line.partial for line in self.lines], [line.kernel for line in self.lines]
        for _ in range(REFINEMENTS):
            rest = self.recording.samples - synthesise(partials, self.bands, self.recording.channels)
            spectrum = self.bands.spectrum(rest)
            partials = [self._corrected(*each, spectrum) for each in zip(partials, kernels, strict=True)]
        for end, seconds in product((False, True), END_SECONDS):
            rest = self.recording.samples - synthesise(partials, self.bands, self.recording.channels)
            partials = self._corrected_at(end, seconds, partials, rest)
        return partials

    def _corrected_at(self, end: bool, seconds: float, partials: list[Partial], rest: np.ndarray) -> list[Partial]:
        """Partials whose envelopes fit the rest ``[channels, time]`` at one end of the recording, all at once.

        There half of each window is missing, and what is left does not resolve the harmonics of a hum. What is added
        rises towards the end.
        """
        step, count = self.bands.step, round(seconds * self.recording.sample_rate)
        first = rest.shape[1] - count if end else 0
        position = np.arange(first, first + count)
        rise = (position - first + 1) / count if end else 1 - (position - first) / count
        rise = np.sin(0.5 * np.pi * rise) ** 2
        points = self.bands.lead + position / step
        phases = [np.interp(points, np.arange(self.bands.points), partial.phase) for partial in partials]
        waves = np.stack([wave for phase in phases for wave in (np.cos(phase), -np.sin(phase))]) * rise
        gram = waves @ waves.T
        gram += END_RIDGE * np.trace(gram) / len(gram) * np.eye(len(gram))
        added = np.linalg.solve(gram, waves @ rest[:, first : first + count].T).T  # [channels, 2 partials]
        ramp = np.interp(np.arange(self.bands.points), points, rise, left=rise[0], right=rise[-1])
        return [
            Partial(each.hertz, each.phase, each.envelope + ramp * (added[:, [2 * k]] + 1j * added[:, [2 * k + 1]]))
            for k, each in enumerate(partials)
        ]

    def _corrected(self, partial: Partial, kernel: float, spectrum: np.ndarray) -> Partial:
        """A partial and what the residual's spectrum still has of it."""
        carrier = self.bands.carrier(float(np.median(partial.hertz)))
        band = self.bands.envelope(spectrum, carrier)
        missing = self._demodulated(band, partial.hertz - carrier, kernel)
        return Partial(partial.hertz, partial.phase, self._held(partial.envelope + missing))


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
