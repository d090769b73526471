"""Continuation of a recording that has a pulse: its own beats in a new order, on the grid of its beats.

The signal flow beside `continuation.Continuer`, for prompts whose order is in time: the units are beats instead of
93 ms patches, they are played as recorded instead of through a Vocoder, and the grid of the prompt's beats is carried
over the join, wherever in a beat the prompt ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import cycle
from typing import NamedTuple

import numpy as np

from audiogen.audio import Recording
from audiogen.dsp.fades import correlated_cross_fade
from audiogen.dsp.limiter import LookaheadLimiter, peak_of
from audiogen.durations import bars_or_seconds
from audiogen.rhythm.analysis import Rhythm
from audiogen.sound.beat_path import BeatPath
from audiogen.sound.controls import NEUTRAL, TAPS, Controls, Gain, SpectralTilt, tilts_of
from audiogen.sound.event_density import EventDensity
from audiogen.sound.join import join_to_prompt

LEAD_SECONDS = 0.03  # before a beat, at which a cross-fade begins: attacks are left whole
FADE_SECONDS = 0.02
ALIGN_SECONDS = 0.005  # by which a beat is moved so that the waveforms of a cross-fade agree
COMPARED_SECONDS = 0.04  # of waveform that are compared for that
BEATS_PER_BAR = 4  # where there are no bars


class Place(NamedTuple):
    """Where in the recording a tail is, until its next cut.

    Args:
        begins: sample of the tail from which on that is so.
        unit: beat of the recording that is played.
        shift: sample n of the tail is sample n + shift of the recording.
        due: sample of the tail at which the next beat falls.
    """

    begins: int
    unit: int
    shift: int
    due: float


@dataclass
class BeatContinuer:
    """A prompt with a pulse: generates any number of tails.

    Args:
        rhythm: of the prompt.
        longest_copy: longest verbatim run, in bars ("2 bars") or seconds ("3.5").

    Attributes:
        matched: False, since texture statistics are those of the beats as recorded.
        drift_guard: empty, for the same reason.
        partials: None: beats keep their tones.
        densities: empty: events are those of the beats.
    """

    rhythm: Rhythm
    longest_copy: str = "2 bars"
    matched: bool = field(init=False, default=False)
    drift_guard: dict[str, float] = field(init=False, default_factory=dict)
    partials: dict[str, object] | None = field(init=False, default=None)
    densities: dict[str, EventDensity] = field(init=False, default_factory=dict)
    _plays: np.ndarray | None = field(init=False, default=None)  # of each beat, in the tails of a set so far

    def for_one_tail(self, pause: Callable[[], None] | None = None) -> BeatContinuer:
        """Itself: only the plays of a set are kept here, and a tail is made at once; see `Continuer.for_one_tail`."""
        return self

    @property
    def prompt(self) -> Recording:
        return self.rhythm.recording

    @cached_property
    def _tilt(self) -> Callable[[float], SpectralTilt]:
        return tilts_of(self.prompt.samples, self.prompt.sample_rate)

    @property
    def longest(self) -> int:
        """Longest verbatim run, beats."""
        number, in_bars = bars_or_seconds(self.longest_copy)
        seconds = number * (self.rhythm.bar or BEATS_PER_BAR) * self.rhythm.period if in_bars else number
        # One beat less, since the fades at either end, and chance likeness beyond them, add to a run.
        return max(round(seconds / self.rhythm.period) - 1, 1)

    def keep_tails_distinct(self) -> None:
        """From now on, let each tail prefer the beats that those before it have played least."""
        self._plays = np.zeros(self.rhythm.units)

    def tail(
        self, length: int, seed: int = 0, temperature: float = 1.0, controls: Controls = NEUTRAL
    ) -> Iterator[np.ndarray]:
        """Generate the samples that follow the prompt; see `Continuer.tail`.

        Args:
            length: samples per channel.
            seed: of the order of beats.
            temperature: scale of the random part of that order; 0 takes the likeliest throughout.
            controls: level and brightness.

        Yields:
            ``[channels, time]`` float32 at the prompt's rate, joined to its end.
        """
        yield from self.joined(self.residual(seed, temperature, controls), controls, length)

    def residual(
        self,
        seed: int,
        temperature: float,
        controls: Controls,
        played: Sequence[Place] = (),
        position: int = 0,
        held: bool = False,
        past: np.ndarray | None = None,
        note: Callable[[Place], None] | None = None,
    ) -> Iterator[np.ndarray]:
        """Generate the tail before limiter, level and join; see `tail` for the arguments that are not listed here.

        Args:
            controls: of which the brightness is applied here.
            played: beats of the tail so far, for one that is taken up under other settings; the last one sounds at
                ``position``. None for a tail that follows the prompt.
            position: sample of the tail at which that is.
            held: repeat the last bar.
            past: ``[channels, time]`` samples before ``position``.
            note: called with the place in force, whenever it changes.

        Yields:
            ``[channels, time]``, about a beat each; endless.
        """
        samples = self.prompt.samples
        past = samples if past is None else past
        tilt = self._tilt(controls.brightness).after(past[:, -TAPS:], ramped=not played)
        units = tuple(place.unit for place in played)
        if held and units:
            path: Iterator[int] = cycle(units[-(self.rhythm.bar or BEATS_PER_BAR) :])
        else:
            path = self._counted(iter(BeatPath(self.rhythm, self.longest, seed, temperature, units, self._plays)))
        place = played[-1] if played else self._first_place(next(path))
        yield from map(tilt, self._blocks(path, place, position, note or (lambda place: None)))

    def joined(self, residual: Iterable[np.ndarray], controls: Controls, length: int) -> Iterator[np.ndarray]:
        """The first ``length`` samples of a tail, of its residual: limited, at its level, and joined."""
        rate = self.prompt.sample_rate
        limiter = LookaheadLimiter(peak_of(self._tilt(controls.brightness).reference), rate)
        gain = Gain(controls.level, rate)
        yield from join_to_prompt(self.prompt, map(gain, limiter(residual)), length)

    def _counted(self, path: Iterator[int]) -> Iterator[int]:
        """The units of a path, each noted for the further tails of a set."""
        for unit in path:
            if self._plays is not None:
                self._plays[unit] += 1
            yield unit

    def _first_place(self, unit: int) -> Place:
        """The remainder of the beat in which the prompt ends, taken from the same phase of another one."""
        rate, beats = self.prompt.sample_rate, self.rhythm.beats * self.prompt.sample_rate
        compared, end = round(COMPARED_SECONDS * rate), self.prompt.length
        start = round(beats[unit] + self.rhythm.phase * (beats[unit + 1] - beats[unit]))
        shift = start + self._best_lag(end - compared, start - compared, compared)
        return Place(0, unit, shift, (1 - self.rhythm.phase) * self.rhythm.period * rate)

    def _blocks(
        self, path: Iterator[int], place: Place, position: int, note: Callable[[Place], None]
    ) -> Iterator[np.ndarray]:
        """The units one after another, each placed on the grid; blocks ``[channels, time]``, about a beat each."""
        rate, beats = self.prompt.sample_rate, self.rhythm.beats * self.prompt.sample_rate
        lead, fade, compared = (round(seconds * rate) for seconds in (LEAD_SECONDS, FADE_SECONDS, COMPARED_SECONDS))
        _, unit, shift, due = place
        done = position
        if position == 0:
            note(place)
        while True:
            following = next(path)
            cut = max(round(due) - lead, done)
            yield self._read(done + shift, cut - done)
            done = cut
            if following != unit + 1:
                later = round(beats[following]) - round(due)
                later += self._best_lag(cut + shift, cut + later, compared)
                yield correlated_cross_fade(self._read(cut + shift, fade), self._read(cut + later, fade))
                done, shift = cut + fade, later
            unit = following
            due += beats[unit + 1] - beats[unit]
            note(Place(done, unit, shift, due))

    def _read(self, start: int, length: int) -> np.ndarray:
        """Samples ``[channels, length]`` of the prompt, zeros outside it."""
        before = max(min(-start, length), 0)
        cut = self.prompt.samples[:, max(start, 0) : max(start + length, 0)]
        return np.pad(cut, ((0, 0), (before, length - before - cut.shape[1])))

    def _best_lag(self, first: int, second: int, length: int) -> int:
        """Number of samples by which to move the second of two passages so that its waveform fits the first's."""
        reach = round(ALIGN_SECONDS * self.prompt.sample_rate)
        wanted = self._read(first, length).astype(np.float64)
        around = self._read(second - reach, length + 2 * reach).astype(np.float64)
        windows = np.lib.stride_tricks.sliding_window_view(around, length, axis=1)
        products = np.einsum("clt,ct->l", windows, wanted)
        power = np.einsum("clt,clt->l", windows, windows)
        return int((products / np.sqrt(power + 1e-9)).argmax()) - reach
