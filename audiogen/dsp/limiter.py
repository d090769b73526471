"""A look-ahead limiter: samples are kept within a ceiling by a gain that is there before the peak is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

HOLD_SECONDS = 0.005  # before and after a peak over which it is turned down: longer would be heard as pumping
UNITY = 1 << 30  # a gain of 1: gains are integers, whose running sums are exact wherever a block begins


class LookaheadLimiter:
    """Keeps samples that arrive in blocks within a ceiling, all channels by one gain.

    The gain is the least that is needed within `HOLD_SECONDS` either side, averaged over as long either side: it is
    continuous, and full where the peak is. It is 1, to the bit, more than twice `HOLD_SECONDS` from what exceeds the
    ceiling. The output lags as long behind; the sizes of the blocks change no sample of it.

    Args:
        ceiling: largest magnitude that is let through, at least 0.
        sample_rate: Hz.
    """

    def __init__(self, ceiling: float, sample_rate: int) -> None:
        self.ceiling = ceiling
        self.reach = max(round(HOLD_SECONDS * sample_rate), 1)
        self._pending: np.ndarray | None = None  # [channels, time] that lacks its future
        self._needed = np.full(2 * self.reach, UNITY)  # from twice the reach before what is pending to its end

    def __call__(self, blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """``[channels, time]`` blocks -> the same samples within the ceiling, in blocks that are not empty."""
        for block in blocks:
            if (ready := self.push(block)).shape[1]:
                yield ready
        if (rest := self.flush()).shape[1]:
            yield rest

    def push(self, block: np.ndarray) -> np.ndarray:
        """Take ``[channels, time]`` samples; return those whose gain is known by now, which may be none."""
        magnitude = np.abs(block).max(axis=0, initial=0.0).astype(np.float64)
        self._take(block, np.floor(UNITY * self.ceiling / np.maximum(magnitude, max(self.ceiling, 1e-30))))
        return self._ready()

    def flush(self) -> np.ndarray:
        """The samples that are left, ``[channels, time]``, as nothing follows them."""
        if self._pending is None:
            return np.zeros((1, 0), np.float32)
        self._take(self._pending[:, :0], np.full(2 * self.reach, UNITY))
        return self._ready()

    def _take(self, block: np.ndarray, needed: np.ndarray) -> None:
        self._pending = block if self._pending is None else np.concatenate([self._pending, block], axis=1)
        self._needed = np.concatenate([self._needed, needed.astype(np.int64)])

    def _ready(self) -> np.ndarray:
        assert self._pending is not None
        count = max(len(self._needed) - 4 * self.reach, 0)
        ready, self._pending = self._pending[:, :count], self._pending[:, count:]
        needed, self._needed = self._needed[: count + 4 * self.reach], self._needed[count:]
        if not count or needed.min() == UNITY:
            return ready
        from scipy import ndimage

        width = 2 * self.reach + 1
        held = ndimage.minimum_filter1d(needed, width)[self.reach : -self.reach]
        total = np.cumsum(np.concatenate([[0], held]))
        gain = (total[width:] - total[:-width]) / (width * UNITY)
        return (ready * gain).clip(-self.ceiling, self.ceiling).astype(ready.dtype)


def limit_peaks(samples: np.ndarray, ceiling: float, sample_rate: int) -> np.ndarray:
    """``[channels, time]`` with what exceeds the ceiling brought down to it; see `LookaheadLimiter`."""
    limiter = LookaheadLimiter(ceiling, sample_rate)
    return np.concatenate([limiter.push(samples), limiter.flush()], axis=1)


def peak_of(*pieces: np.ndarray) -> float:
    """Largest magnitude of all their samples; 0 without any."""
    return max((max(float(piece.max()), -float(piece.min())) for piece in pieces if piece.size), default=0.0)
