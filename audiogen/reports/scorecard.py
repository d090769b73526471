"""The measures of a continuation in words: what each says, and what is good."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Measure:
    """One line of the scorecard.

    Args:
        path: where it is in the nest of measures.
        label: its name to a reader.
        form: how its number is written.
        low, high: what is good, ends included.
        sentence: what it says and what is good.
        scale: of the number before it is written; 100 makes a share a percentage.
    """

    path: str
    label: str
    form: str
    low: float
    high: float
    sentence: str
    scale: float = 1.0


_ANY = float("inf")

MEASURES = (
    Measure(
        "join.flux_percentile", "Spectral change at the join", "{:.0f} of 100", 0, 99,
        "Of 100 places of the prompt, how many change less than the join; up to 99 it does not stand out.",
    ),
    Measure(
        "join.click_percentile", "Click at the join", "{:.0f} of 100", 0, 99,
        "Of 100 places of the prompt, how many are smoother than the join; up to 99 there is no click.",
    ),
    Measure(
        "join.level_step_db", "Level step at the join", "{:+.1f} dB", -3, 3,
        "The quarter second after the join over the one before; within 3 dB is good.",
    ),
    Measure(
        "loop_seam.flux_percentile", "Spectral change at the loop's seam", "{:.0f} of 100", 0, 99,
        "The same where the end meets the beginning; up to 99 the repeat does not stand out.",
    ),
    Measure(
        "loop_seam.click_percentile", "Click at the loop's seam", "{:.0f} of 100", 0, 99,
        "The same where the end meets the beginning; up to 99 there is no click.",
    ),
    Measure(
        "level.difference_db", "Level", "{:+.1f} dB", -2, 2,
        "The tail's level over that of the prompt's last seconds; within 2 dB is good.",
    ),
    Measure(
        "texture.overall", "Texture distance", "{:.2f}", 0, 1.5,
        "1.0 is as close as two real stretches of the recording are to each other; below 1.5 is good.",
    ),
    Measure(
        "copying.share", "Copied from the prompt", "{:.0f} %", 0, 0.1,
        "Half seconds of the tail that repeat the prompt closer than it repeats itself; near 0 is good.",
        100,
    ),
    Measure(
        "looping.share", "Repeats itself", "{:.0f} %", 0, 0.1,
        "Half seconds of the tail that come back within the tail; near 0 is good.",
        100,
    ),
    Measure(
        "drift.level_change_db", "Level drift", "{:+.1f} dB", -1.5, 1.5,
        "The tail's last minute (or half) over its first; within 1.5 dB is good.",
    ),
    Measure(
        "drift.centroid_change_percent", "Brightness drift", "{:+.1f} %", -10, 10,
        "Change of the mean frequency from the tail's first minute (or half) to its last; near 0 is good.",
    ),
    Measure(
        "drift.variance_ratio", "Liveliness", "{:.2f}", 0.5, _ANY,
        "How much the sound varies, over the prompt; about 1 is good, near 0 is a frozen sound.",
    ),
    Measure(
        "stereo.correlation_difference", "Stereo image", "{:.2f}", 0, 0.15,
        "How far the correlation of the channels is from the prompt's; within 0.15 is good.",
    ),
    Measure(
        "clipping.share", "Clipping", "{:.2f} %", 0, 1e-4,
        "Samples of the tail at full scale; 0 is good.",
        100,
    ),
    Measure(
        "silence.share", "Silence", "{:.0f} %", 0, 0.5,
        "Share of the tail below -80 dBFS; good is what the prompt has.",
        100,
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Line:
    """A measure as it is shown; ``good`` says whether it lies where it should."""

    label: str
    value: str
    good: bool
    sentence: str


def scorecard(measures: Mapping[str, Any]) -> list[Line]:
    """The lines of those `MEASURES` that could be taken."""
    flat, lines = flatten(measures), []
    for measure in MEASURES:
        value = flat.get(measure.path)
        if isinstance(value, int | float):
            shown = measure.form.format(value * measure.scale)
            lines.append(Line(measure.label, shown, measure.low <= value <= measure.high, measure.sentence))
    return lines


def flatten(nest: Any, prefix: str = "") -> dict[str, Any]:
    """``{"a": {"b": 1}}`` -> ``{"a.b": 1}``; what is None is left out."""
    if not isinstance(nest, Mapping):
        return {} if nest is None else {prefix: nest}
    flat: dict[str, Any] = {}
    for key, value in nest.items():
        flat |= flatten(value, f"{prefix}.{key}" if prefix else str(key))
    return flat
