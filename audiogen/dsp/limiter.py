"""Look-ahead peak limiter."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

HOLD_SECONDS = 0.005  # before and after a peak, at reduced gain: more would be audible as pumping
UNITY = 1 << 30  # fixed-point gain of 1: integer running sums are exact, wherever blocks begin


class LookaheadLimiter:
    """Keeps a stream of samples within a ceiling, with one gain for all channels.

    The gain is the minimum of the gains needed within `HOLD_SECONDS` either side, then averaged over as long: it is
    continuous, and fully reduced at the peak. Farther than twice `HOLD_SECONDS` from any peak above the
    ceiling it is exactly 1. The output lags by that long; block sizes change no sample of it.

    Args:
        ceiling: largest magnitude of the output, at least 0.
        sample_rate: Hz.
    """

    def __init__(self, ceiling: float, sample_rate: int) -> None:
        self.ceiling = ceiling
        self.reach = max(round(HOLD_SECONDS * sample_rate), 1)
        self._pending: np.ndarray | None = None  # [channels, time] that lack look-ahead
        self._needed = np.full(2 * self.reach, UNITY)  # gains from twice the reach before the pending samples on

    def __call__(self, blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Limit ``[channels, time]`` blocks; yields blocks that are not empty, of the same total length."""
        for block in blocks:
            if (ready := self.push(block)).shape[1]:
                yield ready
        if (rest := self.flush()).shape[1]:
            yield rest

    def push(self, block: np.ndarray) -> np.ndarray:
        """Take ``[channels, time]`` samples; return those that have their look-ahead by now, maybe none."""
        magnitude = np.abs(block).max(axis=0, initial=0.0).astype(np.float64)
        self._append(block, np.floor(UNITY * self.ceiling / np.maximum(magnitude, max(self.ceiling, 1e-30))))
        return self._ready()

    def flush(self) -> np.ndarray:
        """The remaining samples ``[channels, time]``, with silence as their look-ahead."""
        if self._pending is None:
            return np.zeros((1, 0), np.float32)
        self._append(self._pending[:, :0], np.full(2 * self.reach, UNITY))
        return self._ready()

    def _append(self, block: np.ndarray, needed: np.ndarray) -> None:
        self._pending = block if self._pending is None else np.concatenate([self._pending, block], axis=1)
        self._needed = np.concatenate([self._needed, needed.astype(np.int64)])

    def _ready(self) -> np.ndarray:
        assert self._pending is not None
        count = max(len(self._needed) - 4 * self.reach, 0)
        ready, self._pending = self._pending[:, :count], self._pending[:, count:]
        needed, self._needed = self._needed[: count + 4 * self.reach], self._needed[count:]
        if not count or needed.min() == UNITY:
            return ready
        width = 2 * self.reach + 1
        smallest = _moving_minimum(needed, width)
        total = np.cumsum(np.concatenate([[0], smallest]))
        gain = (total[width:] - total[:-width]) / (width * UNITY)
        return (ready * gain).clip(-self.ceiling, self.ceiling).astype(ready.dtype)


def _moving_minimum(values: np.ndarray, width: int) -> np.ndarray:
    """The least of each ``width`` consecutive values of ``[time]``: ``[time - width + 1]``, by doubling the width."""
    done = 1
    while done < width:
        step = min(done, width - done)
        values = np.minimum(values[:-step], values[step:])
        done += step
    return values


def limit_peaks(samples: np.ndarray, ceiling: float, sample_rate: int) -> np.ndarray:
    """Apply a `LookaheadLimiter` to a whole signal ``[channels, time]``."""
    limiter = LookaheadLimiter(ceiling, sample_rate)
    return np.concatenate([limiter.push(samples), limiter.flush()], axis=1)


def peak_of(*signals: np.ndarray) -> float:
    """Largest magnitude in any of the signals; 0 if all are empty."""
    return max((max(float(signal.max()), -float(signal.min())) for signal in signals if signal.size), default=0.0)
