"""The texture chart of an evaluation: a bar per class of statistics, with a dot for each baseline.

Registered metrics follow, each on a scale of its own; `audiogen.metrics.registry` is where one is added.
"""

from __future__ import annotations

from math import log2
from typing import Any

from audiogen.metrics.candidate import Candidate
from audiogen.metrics.evaluation import Evaluation

OVERALL = ("overall", "scattering", "tonality")  # distances that are no class of statistics
MIN_RANGE = 0.5, 4.0  # texture distances that the axis always includes
TICKS = (0.25, 0.5, 1, 2, 4, 8, 16, 32)


def metric_names(evaluation: Evaluation) -> list[str]:
    """The metrics of the chart, from top to bottom: the overall distances and the classes of texture statistics."""
    return [*OVERALL, *evaluation.output.classes]


def metric_value(candidate: Candidate, name: str) -> float | None:
    """Value of one of `metric_names`; None if it could not be measured."""
    return getattr(candidate, name) if name in OVERALL else candidate.classes.get(name)


def texture_chart(evaluation: Evaluation) -> dict[str, Any]:
    """Geometry of the chart for the template, in percent of its width on a logarithmic scale.

    Returns:
        ``lines``: name, value, bar (left, width) from 1.0 to the output's distance, dots (baseline, position, value);
        ``ticks``: (position, label); ``real``: position of 1.0; ``others``: a line for each registered metric, with
        ``real`` of its own.
    """
    names = metric_names(evaluation)
    values = [value for each in evaluation.candidates for name in names if (value := metric_value(each, name))]
    low, high = log2(min([MIN_RANGE[0], *values])), log2(max([MIN_RANGE[1], *values]))

    def position(value: float) -> float:
        return 100 * (log2(value) - low) / (high - low)

    lines = []
    for name in names:
        own = metric_value(evaluation.output, name)
        if own is None:
            continue
        left, right = sorted((position(1.0), position(own)))
        dots = [
            (baseline.name, position(value), value)
            for baseline in evaluation.baselines
            if (value := metric_value(baseline, name))
        ]
        lines.append({"name": name, "value": own, "left": left, "width": right - left, "dots": dots})
    ticks = [(position(value), f"{value:g}") for value in TICKS if low <= log2(value) <= high]
    return {"lines": lines, "ticks": ticks, "real": position(1.0), "others": _other_lines(evaluation)}


def _other_lines(evaluation: Evaluation) -> list[dict[str, Any]]:
    """A line for each registered metric, on a linear scale from the lowest value of all candidates to the highest."""
    lines = []
    for name, own in evaluation.output.others.items():
        values = {each.name: each.others[name] for each in evaluation.candidates if name in each.others}
        low, high = min(values.values()), max(values.values())
        positions = {each: 100 * (value - low) / ((high - low) or 1.0) for each, value in values.items()}
        start = positions.get("real", positions["output"])
        left, right = sorted((start, positions["output"]))
        dots = [
            (each.name, positions[each.name], values[each.name]) for each in evaluation.baselines if each.name in values
        ]
        lines.append({"name": name, "value": own, "left": left, "width": right - left, "dots": dots, "real": start})
    return lines
