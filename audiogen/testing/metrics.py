"""The contract of metrics: named numbers, the same for the same tail."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from audiogen.audio import Recording
from audiogen.errors import InputError
from audiogen.metrics.registry import Metric
from audiogen.testing.contract import ContractError, require

RATE = 44100


def check_metric(variant: type[Metric], *, seconds: float = 4.0) -> None:
    """Check a metric on synthetic noise, mono and stereo.

    - It is built from a reference with or without a prompt, and measures tails of any length.
    - Values are real numbers by name, the same names for all tails; some value is finite.
    - The same tail has the same values, whatever was measured in between, and no recording is changed.
    - What it cannot measure (a tail of one sample, silence) is missing, NaN or an `InputError`, no other error.

    Args:
        variant: the class.
        seconds: length of the reference and of the tail.

    Raises:
        ContractError: names what is wrong.
    """
    for channels in (1, 2):
        reference, prompt, tail, other = (_noise(seconds, channels, seed) for seed in range(4))
        originals = [recording.samples.copy() for recording in (reference, prompt, tail)]
        for given in (None, prompt):
            metric = variant(reference, given)
            first = _values(metric(tail))
            require(any(math.isfinite(value) for value in first.values()), "it gives no finite value for a tail")
            second = _values(metric(other))
            require(first.keys() == second.keys(), "two tails have values of other names")
            require(_same(first, _values(metric(tail))), "the same tail has other values the second time")
            require(
                _same(first, _values(variant(reference, given)(tail))),
                "another instance gives other values",
            )
            for hard in (tail.cut(0, 1), Recording(np.zeros_like(tail.samples), RATE)):
                _measure_hard(metric, hard)
        for recording, samples in zip((reference, prompt, tail), originals, strict=True):
            require(np.array_equal(recording.samples, samples), "it changes the samples of a recording")


def _noise(seconds: float, channels: int, seed: int) -> Recording:
    random = np.random.default_rng(seed)
    samples = 0.1 * random.standard_normal((channels, round(seconds * RATE)))
    return Recording(samples * (1 + 0.5 * np.sin(np.arange(samples.shape[1]) / 5000)), RATE)


def _values(result: Mapping[str, float]) -> dict[str, float]:
    require(isinstance(result, Mapping), f"it returns a {type(result).__name__}: a mapping is expected")
    for name, value in result.items():
        require(isinstance(name, str) and name, f"{name!r} is no name of a value")
        number = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
        require(number, f"{name} is {value!r}: a real number is expected")
    return {name: float(value) for name, value in result.items()}


def _same(one: dict[str, float], other: dict[str, float]) -> bool:
    return one.keys() == other.keys() and all(
        value == other[name] or (math.isnan(value) and math.isnan(other[name])) for name, value in one.items()
    )


def _measure_hard(metric: Metric, tail: Recording) -> None:
    name = f"a tail of {tail.length} samples" if tail.samples.any() else "silence"
    try:
        _values(metric(tail))
    except ContractError:
        raise
    except InputError:
        return
    except Exception as error:
        raise ContractError(f"{name}: {type(error).__name__} ({error}); raise an InputError") from error
