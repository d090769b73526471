"""Order of a continuation: what follows what, in units of what real segments of the recording do.

`texture` asks whether a tail has the right sounds, in any order; the measures here ask whether they come in the
recording's order. Each is fitted on real audio and gives the loss of a segment (0 or above, lower is better):

================  ==================================================================  ======================
measure           asks                                                                module
================  ==================================================================  ======================
forecast          do the recording's own places foretell what follows?                order_forecast
states            are the transitions between half-second states its own?             order_states
memory            does it forget as fast as the recording?                            order_memory
events            durations, intervals, attacks and decays, likeness of events        order_events
swells            the same of slower courses, 0.5 to 4 s on                           order_forecast
pulse             are onsets at the recording's period?                               order_pulse
metre             the accents of a bar                                                order_pulse
chroma order      which chroma follows which, on a grid of beats?                     order_harmony
================  ==================================================================  ======================

**Floor.** The prompt is cut into segments of the tail's length, at most a third of it. Each is measured by what is
fitted on the rest; the mean of these losses (and of the real continuation's, if it is known) is the floor, and a ratio
of 1.0 is the order of another real segment. Tails are measured by the same fits, on the same amount of audio, so that
nothing has to be extrapolated.

**What a recording has.** A measure applies to a recording if its own segments, with their patches of 93 ms in random
order, lose `MIN_CONTRAST` times as much: rain has no order to lose, speech has no metre. A recording is *structured* if
`forecast`, `states` or `pulse` applies to it, and it has a pulse if `pulse` does. The overall ratio is the geometric
mean over the measures that apply.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from audiogen.audio import Recording
from audiogen.errors import InputError
from audiogen.metrics.order_events import fit_events
from audiogen.metrics.order_features import OrderFeatures, audible_power, order_features
from audiogen.metrics.order_forecast import SWELL_CONTEXT_SECONDS, SWELL_LAGS, SWELL_SECONDS, Forecast
from audiogen.metrics.order_harmony import fit_chroma_transitions
from audiogen.metrics.order_memory import fit_memory
from audiogen.metrics.order_pulse import fit_metre, fit_pulse
from audiogen.metrics.order_states import fit_states

Loss = Callable[[OrderFeatures], float]
Fit = Callable[[Sequence[OrderFeatures]], Loss]


def fit_forecast(parts: Sequence[OrderFeatures]) -> Loss:
    """The mean of `Forecast.losses` over the lags."""
    return _mean_loss(Forecast(parts))


def fit_swells(parts: Sequence[OrderFeatures]) -> Loss:
    """The same of slower courses."""
    return _mean_loss(Forecast(parts, 0, SWELL_CONTEXT_SECONDS, SWELL_LAGS, SWELL_SECONDS))


def _mean_loss(forecast: Forecast) -> Loss:
    def loss(segment: OrderFeatures) -> float:
        found = list(forecast.losses(segment).values())
        return float(np.mean(found)) if found else float("nan")

    return loss


MEASURES: Mapping[str, Fit] = {
    "forecast": fit_forecast,
    "swells": fit_swells,
    "states": fit_states,
    "memory": fit_memory,
    "events": fit_events,
    "pulse": fit_pulse,
    "metre": fit_metre,
    "chroma order": fit_chroma_transitions,
}
NEEDS = {"metre": "pulse"}  # measures that apply only where another one does
STRUCTURE = ("forecast", "states", "pulse")  # of which one has to apply to a structured recording
MIN_CONTRAST = 1.25  # of shuffled segments, from which on a measure applies
MIN_PULSE_CONTRAST = 1.5  # the same for the pulse: music reads 2 to 3, the engines of distant traffic 1.4
PATCH_SECONDS = 0.093  # that are shuffled
SHUFFLES = 1  # of each segment: there are three segments or more
MAX_SEGMENTS, MIN_SEGMENTS = 5, 3  # of the prompt
MIN_SEGMENT_SECONDS = 1.5
MAX_SEGMENT_SECONDS = 15.0  # a longer tail is measured in several segments
MAX_PROMPT_SECONDS = 120.0  # end of the prompt that is analysed
SMALLEST_LOSS = 0.02  # below which losses do not differ


@dataclass(frozen=True)
class OrderDistance:
    """Order of a tail relative to real segments.

    Args:
        ratios: measure -> loss over floor; 1.0 is the order of another real segment.
        overall: geometric mean over the measures that apply to the recording; None if none does.
        losses: measure -> loss.
    """

    ratios: dict[str, float]
    overall: float | None
    losses: dict[str, float]


class OrderReference:
    """Order of one recording, by which any number of its continuations are measured.

    Args:
        prompt: the recording.
        real: its real continuation, if known: its losses count towards the floor.
        seconds: length of the tails, or of the segments in which longer ones are measured.
        measures: names of `MEASURES`.

    Raises:
        InputError: prompt or tails are shorter than three, or one, times `MIN_SEGMENT_SECONDS`.
    """

    def __init__(
        self,
        prompt: Recording,
        real: Recording | None = None,
        seconds: float = MAX_SEGMENT_SECONDS,
        measures: Sequence[str] = tuple(MEASURES),
    ) -> None:
        rate = prompt.sample_rate
        prompt = prompt.cut(max(prompt.length - round(MAX_PROMPT_SECONDS * rate), 0), prompt.length)
        self.floor_power = audible_power(prompt)
        self.prompt, self.measures = order_features(prompt, self.floor_power), measures
        total = len(self.prompt.mel)
        self.length = min(round(min(seconds, MAX_SEGMENT_SECONDS) * self.prompt.rate), total // MIN_SEGMENTS)
        if self.length < MIN_SEGMENT_SECONDS * self.prompt.rate:
            raise InputError(
                "order",
                f"segments of {self.length / self.prompt.rate:.1f} s are too short",
                f"give a prompt of {MIN_SEGMENTS * MIN_SEGMENT_SECONDS:g} s and a tail of {MIN_SEGMENT_SECONDS:g} s",
            )
        count = int(np.clip(total // self.length, MIN_SEGMENTS, MAX_SEGMENTS))
        self.starts = np.linspace(0, total - self.length, count).astype(int)
        self.real = None if real is None else self.features(real)

    def features(self, recording: Recording) -> OrderFeatures:
        """Features of a tail, with the prompt's floor."""
        return order_features(recording, self.floor_power)

    @cached_property
    def fits(self) -> list[dict[str, Loss]]:
        """For each segment that is left out: measure -> loss fitted on the rest."""
        fits = []
        for start in self.starts:
            rest = [self.prompt.cut(0, start), self.prompt.cut(start + self.length, len(self.prompt.mel))]
            # A rest that is shorter than a segment's half has no second of context to offer.
            parts = [part for part in rest if len(part.mel) > self.length // 2] or [max(rest, key=lambda p: len(p.mel))]
            fits.append({name: MEASURES[name](parts) for name in self.measures})
        return fits

    @cached_property
    def own_losses(self) -> dict[str, np.ndarray]:
        """Measure -> loss of each segment of the prompt by the fit on the rest."""
        segments = [self.prompt.cut(int(start), int(start) + self.length) for start in self.starts]
        return {
            name: np.array([fit[name](segment) for fit, segment in zip(self.fits, segments, strict=True)])
            for name in self.measures
        }

    @cached_property
    def floor(self) -> dict[str, float]:
        """Measure -> loss of real audio."""
        floor = {name: _mean(values) for name, values in self.own_losses.items()}
        if self.real is not None and len(self.real.mel) >= self.length:
            real = self.losses(self.real)
            floor = {name: _mean(np.array([value, real[name]])) for name, value in floor.items()}
        return floor

    @cached_property
    def contrast(self) -> dict[str, float]:
        """Measure -> loss of the prompt's segments with their patches in random order, over the prompt's own loss."""
        random = np.random.default_rng(0)
        lost: dict[str, list[float]] = {name: [] for name in self.measures}
        for fit, start in zip(self.fits, self.starts, strict=True):
            segment = self.prompt.cut(int(start), int(start) + self.length)
            for _ in range(SHUFFLES):
                mixed = shuffled(segment, random)
                for name in self.measures:
                    lost[name].append(fit[name](mixed))
        own = {name: _mean(values) for name, values in self.own_losses.items()}
        return {name: ratio(_mean(np.array(values)), own[name]) for name, values in lost.items()}

    def applies(self, measure: str) -> bool:
        """Whether the recording has the order that a measure is about."""
        needed = NEEDS.get(measure)
        if needed is not None and needed in self.measures and not self.applies(needed):
            return False
        return self.contrast[measure] >= (MIN_PULSE_CONTRAST if measure == "pulse" else MIN_CONTRAST)

    @property
    def structured(self) -> bool:
        """Whether what comes next depends on what came before."""
        return any(self.applies(name) for name in STRUCTURE if name in self.measures)

    @property
    def has_pulse(self) -> bool:
        """Whether onsets come at equal intervals."""
        return self.applies("pulse")

    def losses(self, tail: OrderFeatures) -> dict[str, float]:
        """Measure -> loss of a tail: the mean over its segments, each by one fit or, of few segments, by several."""
        count = max(len(tail.mel) // self.length, 1)
        starts = np.linspace(0, max(len(tail.mel) - self.length, 0), count).astype(int)
        segments = [tail.cut(int(start), int(start) + self.length) for start in starts]
        pairs = [(self.fits[k % len(self.fits)], segments[k % count]) for k in range(max(count, len(self.fits)))]
        return {name: _mean(np.array([fit[name](segment) for fit, segment in pairs])) for name in self.measures}

    def distance(self, tail: Recording | OrderFeatures) -> OrderDistance:
        """Order of one tail.

        Raises:
            InputError: the tail is shorter than the segments.
        """
        features = self.features(tail) if isinstance(tail, Recording) else tail
        if len(features.mel) < 0.8 * self.length:
            raise InputError(
                "order", f"the tail is shorter than {self.length / features.rate:.1f} s", "give a longer one"
            )
        losses = self.losses(features)
        ratios = {name: ratio(losses[name], self.floor[name]) for name in self.measures}
        ratios = {name: value for name, value in ratios.items() if np.isfinite(value)}
        logs = [np.log(value) for name, value in ratios.items() if self.applies(name)]
        return OrderDistance(ratios, float(np.exp(np.mean(logs))) if logs else None, losses)


def shuffled(segment: OrderFeatures, random: np.random.Generator) -> OrderFeatures:
    """A segment with its patches of 93 ms in random order."""
    patch = max(round(PATCH_SECONDS * segment.rate), 1)
    count = len(segment.mel) // patch
    index = (random.permutation(count)[:, None] * patch + np.arange(patch)).ravel()
    return OrderFeatures(segment.mel[index], segment.chroma[index], segment.rate)


def ratio(loss: float, floor: float) -> float:
    """Loss over floor, both at least `SMALLEST_LOSS`; NaN if one is."""
    if not (np.isfinite(loss) and np.isfinite(floor)):
        return float("nan")
    return max(loss, SMALLEST_LOSS) / max(floor, SMALLEST_LOSS)


def _mean(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else float("nan")
