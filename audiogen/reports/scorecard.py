"""Scorecard: the measures of a continuation as labelled values, each with its good range and an explanation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Measure:
    """One line of the scorecard.

    Args:
        path: its key in the measures, such as "join.flux_percentile".
        label: its name on pages.
        form: format of the number.
        low, high: the good range, ends included.
        sentence: explanation, with the good range.
        scale: factor applied before formatting; 100 makes a fraction a percentage.
    """

    path: str
    label: str
    form: str
    low: float
    high: float
    sentence: str
    scale: float = 1.0


_NO_LIMIT = float("inf")

# Texture distances up to which a tail is called as close as another take of the same place, nearly so, and a different
# moment of it. Real segments of one recording (docs/evaluation.md, "Real against real"): 24 of 30 pairs lie within 1.1,
# 29 within 1.2 and one, of a changing drone, at 4.1; 1.5 leaves room above them. Stationary noise with a recording's
# spectrum reads 2.1 in the median there: 2.5 is no measured limit, but farther off than such noise.
CLOSE_TEXTURE, GOOD_TEXTURE, OTHER_TEXTURE = 1.1, 1.5, 2.5

MEASURES = (
    Measure(
        "join.flux_percentile", "Spectral change at the join", "{:.0f} of 100", 0, 99,
        "How many of 100 moments of the prompt change less than the join does; up to 99 it does not stand out.",
    ),
    Measure(
        "join.click_percentile", "Click at the join", "{:.0f} of 100", 0, 99,
        "How many of 100 moments of the prompt are smoother than the join; up to 99 there is no click.",
    ),
    Measure(
        "join.level_step_db", "Level step at the join", "{:+.1f} dB", -3, 3,
        "Level of the 0.25 s after the join relative to the 0.25 s before it; within 3 dB is good.",
    ),
    Measure(
        "loop_seam.flux_percentile", "Spectral change at the loop's seam", "{:.0f} of 100", 0, 99,
        "The same at the seam between end and beginning; up to 99 the seam does not stand out.",
    ),
    Measure(
        "loop_seam.click_percentile", "Click at the loop's seam", "{:.0f} of 100", 0, 99,
        "The same at the seam between end and beginning; up to 99 there is no click.",
    ),
    Measure(
        "level.difference_db", "Level", "{:+.1f} dB", -2, 2,
        "Level of the tail relative to the prompt's last 5 s; within 2 dB is good.",
    ),
    Measure(
        "texture.overall", "Texture distance", "{:.2f}", 0, GOOD_TEXTURE,
        f"1.0 is as close as two real segments of the recording are to each other; up to {GOOD_TEXTURE} is good.",
    ),
    Measure(
        "copying.fraction", "Copied from the prompt", "{:.0f} %", 0, 0.1,
        "Percentage of the tail that repeats the prompt more closely than the prompt repeats itself; near 0 is good.",
        100,
    ),
    Measure(
        "looping.fraction", "Repeats itself", "{:.0f} %", 0, 0.1,
        "Percentage of the tail that occurs twice in the tail; near 0 is good.",
        100,
    ),
    Measure(
        "drift.level_change_db", "Level drift", "{:+.1f} dB", -1.5, 1.5,
        "Level of the tail's last minute (or half) relative to its first; within 1.5 dB is good.",
    ),
    Measure(
        "drift.centroid_change_percent", "Brightness drift", "{:+.1f} %", -10, 10,
        "Change of the spectral centroid from the tail's first minute (or half) to its last; within 10 % is good.",
    ),
    Measure(
        "drift.variance_ratio", "Variance over time", "{:.2f}", 0.5, _NO_LIMIT,
        "Variance over time relative to the prompt; about 1 is good, near 0 is a frozen sound.",
    ),
    Measure(
        "stereo.correlation_difference", "Stereo image", "{:.2f}", 0, 0.15,
        "Difference of the channels' correlation from the prompt's; up to 0.15 is good.",
    ),
    Measure(
        "clipping.fraction", "Clipping", "{:.2f} %", 0, 1e-4,
        "Percentage of samples at full scale; 0 is good.",
        100,
    ),
    Measure(
        "silence.fraction", "Silence", "{:.0f} %", 0, 0.5,
        "Percentage of the tail below -80 dBFS; as much as in the prompt is good.",
        100,
    ),
)  # fmt: skip


@dataclass(frozen=True)
class ScorecardLine:
    """One measure of a continuation, formatted; ``good`` if it is within the good range."""

    label: str
    value: str
    good: bool
    sentence: str


def scorecard(measures: Mapping[str, Any]) -> list[ScorecardLine]:
    """Lines of the `MEASURES` that are available."""
    flat, lines = flatten(measures), []
    for measure in MEASURES:
        value = flat.get(measure.path)
        if isinstance(value, int | float):
            shown = measure.form.format(value * measure.scale)
            lines.append(ScorecardLine(measure.label, shown, measure.low <= value <= measure.high, measure.sentence))
    return lines


def flatten(nest: Any, prefix: str = "") -> dict[str, Any]:
    """Nested mapping to dotted keys, without None: ``{"a": {"b": 1}}`` -> ``{"a.b": 1}``."""
    if not isinstance(nest, Mapping):
        return {} if nest is None else {prefix: nest}
    flat: dict[str, Any] = {}
    for key, value in nest.items():
        flat |= flatten(value, f"{prefix}.{key}" if prefix else str(key))
    return flat
