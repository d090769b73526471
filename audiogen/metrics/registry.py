"""Registry of metrics that other packages add to `audiogen evaluate` and `audiogen compare`.

Most metrics that ship with audiogen are fields of `audiogen.metrics.candidate.Candidate`; ``order`` is registered
here, in the way in which a package adds its own by an entry point, or a program by ``@METRICS.register("loudness")``::

    [project.entry-points."audiogen.metrics"]
    loudness = "my_package.loudness:Loudness"

Its values then appear for the output, the real audio and each baseline: as columns of evaluation.csv, keys of
evaluation.json, lines of the printed table, and of the chart and the table of report.html. `audiogen compare` adds them
to its table and to its CSV and JSON files, for each candidate.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping

from audiogen.audio import Recording
from audiogen.config.registry import Registry
from audiogen.errors import InputError


class Metric(ABC):
    """A metric of continuations of one prompt. Real audio is analysed once, in the constructor.

    Args:
        reference: real audio: what followed the prompt, or other audio of the same recording.
        prompt: the continued recording, at the same sample rate; None if it is unknown.

    Raises:
        InputError: the reference is too short or unsuitable; the metric is then left out.
    """

    def __init__(self, reference: Recording, prompt: Recording | None = None) -> None:
        self.reference, self.prompt = reference, prompt

    @abstractmethod
    def __call__(self, tail: Recording) -> Mapping[str, float]:
        """Measure a tail of the reference's sample rate and channels.

        Args:
            tail: the continuation; of one longer than a minute, its first and last 30 s.

        Returns:
            Name -> value. The column is ``"metric.name"``, or ``"metric"`` for a value of the metric's own name.
            Values that are not finite are reported as missing.

        Raises:
            InputError: the tail is too short or unsuitable; the values are then missing.
        """


METRICS: Registry[Metric] = Registry("audiogen.metrics", {"order": "audiogen.metrics.order_metric:Order"})


def open_metrics(reference: Recording, prompt: Recording | None = None) -> dict[str, Metric]:
    """The registered metrics by name, ready to measure tails against ``reference``."""
    metrics: dict[str, Metric] = {}
    for name, kind in METRICS.items():
        try:
            metrics[name] = kind(reference, prompt)
        except InputError:
            continue
    return metrics


def measure(metrics: Mapping[str, Metric], tail: Recording) -> dict[str, float]:
    """The finite values of all ``metrics`` for a tail, by column."""
    columns: dict[str, float] = {}
    for name, metric in metrics.items():
        try:
            values = metric(tail)
        except InputError:
            continue
        columns |= {name if key == name else f"{name}.{key}": float(value) for key, value in values.items()}
    return {column: value for column, value in columns.items() if math.isfinite(value)}
