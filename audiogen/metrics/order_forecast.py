"""What follows what: how well the places of a recording that resemble now foretell what comes next.

Forecast by analogues (Lorenz 1969, "Atmospheric predictability as revealed by naturally occurring analogues", J. Atmos.
Sci. 26:636): from the last half second of a segment, the six most similar half seconds of the recording are looked up,
and the mean of what followed them, 0.1 to 3 s on, is the forecast. It is compared with forecasts from six random
places: the loss is the fraction of these that come nearer to what really followed. 0.5 means no order (or none that the
recording knows), 0 that the forecast is always nearer. Being a rank, it does not depend on levels or spectra.

**Swells** are forecast in the same way from slower courses: from a second of means over 0.4 s, what follows 0.5 to 4 s
on. (How *much* a sound swells is no measure of order: random patches do it as much as real audio, the more so since
texture matching imposes it; they differ in when.)

**Copies are left out.** A tail that reads a place verbatim is forecast perfectly by that place, which shows nothing
about its order. For each target, the places are therefore left out whose own moment is nearer to it than nearly all
(95 %) moments of the recording are to any other.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from audiogen.metrics.order_features import OrderFeatures

HOP = 4  # frames that are averaged: 46 ms
DIMENSIONS = 16  # principal components of the averaged frames
CONTEXT_SECONDS = 0.5
LAGS = (0.1, 0.2, 0.4, 0.8, 1.5, 3.0)  # seconds
NEIGHBOURS = 6
SEPARATION_SECONDS = 0.25  # of two neighbours: overlapping ones would be one place
RANDOM_FORECASTS = 40
SWELL_SECONDS, SWELL_CONTEXT_SECONDS = 0.4, 1.0
SWELL_LAGS = (0.5, 1.0, 2.0, 4.0)  # seconds
WINDOW = 2  # averaged frames that are compared: 93 ms
COPY_QUANTILE = 0.05  # of the distances between nearest moments of the recording, below which a moment is a copy
COPY_SEPARATION_SECONDS = 1.0  # of the moments of a recording that are compared for that
COPY_SAMPLE = 400  # moments that are compared, at most


class Forecast:
    """Forecasts by analogues in real audio.

    Args:
        parts: the real audio; no forecast crosses from one part to another.
        seed: of the random forecasts.
        context: seconds by which places are compared.
        lags: seconds to what is forecast.
        smoothing: seconds over which the courses are averaged; 0 for moments of 93 ms.
    """

    def __init__(
        self,
        parts: Sequence[OrderFeatures],
        seed: int = 0,
        context: float = CONTEXT_SECONDS,
        lags: Sequence[float] = LAGS,
        smoothing: float = 0.0,
    ) -> None:
        rate = parts[0].rate / HOP
        frames = [part.resampled(HOP) for part in parts]
        self.mean, self.basis = principal_components(np.concatenate(frames), DIMENSIONS)
        self.context, self.seed, self.lags = round(context * rate), seed, tuple(lags)
        self.smoothing = max(round(smoothing * rate), 1)
        self.window = max(self.smoothing, WINDOW)
        self.steps = [round(lag * rate) for lag in lags]
        self.separation = round(SEPARATION_SECONDS * rate)
        projected = [self._project(part) for part in frames]
        self.parts = [part for part in projected if len(part) >= self.context + self.steps[0] + self.window]
        self.copy_distance = self._copy_distance(round(COPY_SEPARATION_SECONDS * rate))

    def _project(self, frames: np.ndarray) -> np.ndarray:
        return (frames - self.mean) @ self.basis

    def _copy_distance(self, separation: int) -> float:
        moments = [windows(part, WINDOW) for part in self.parts]
        if not moments:
            return 0.0
        every = np.concatenate(moments)
        chosen = np.linspace(0, len(every) - 1, min(COPY_SAMPLE, len(every))).astype(int)
        distance = squared_distances(every[chosen], every)
        distance[np.abs(chosen[:, None] - np.arange(len(every))) < separation] = np.inf
        nearest = distance.min(axis=1)
        nearest = nearest[np.isfinite(nearest)]
        return float(np.quantile(nearest, COPY_QUANTILE)) if len(nearest) else 0.0

    def losses(self, segment: OrderFeatures) -> dict[float, float]:
        """Lag in seconds -> fraction of random forecasts that are nearer; lags that are too long for it are missing."""
        frames = self._project(segment.resampled(HOP))
        found: dict[float, float] = {}
        if len(frames) < self.context + self.window or not self.parts:
            return found
        contexts = self._contexts(frames)
        distances = [squared_distances(contexts, self._contexts(part)) for part in self.parts]
        copies = [self._copied(frames, part) for part in self.parts]
        random = np.random.default_rng(self.seed)
        for lag, step in zip(self.lags, self.steps, strict=True):
            targets = self._targets(frames, step)
            if len(targets) < 2:
                continue
            candidates, known = [], []
            for part, distance, copied in zip(self.parts, distances, copies, strict=True):
                follows = self._targets(part, step)
                allowed = distance[: len(targets), : len(follows)].copy()
                first = self.context - 1 + step + (self.window - WINDOW) // 2  # moment amid the first target
                allowed[copied[first : first + len(targets), first : first + len(follows)]] = np.inf
                candidates.append(allowed)
                known.append(follows)
            every = np.concatenate(known)
            places = self._nearest(np.concatenate(candidates, axis=1))
            usable = (places >= 0).all(axis=1)
            if usable.sum() < 2:
                continue
            target = targets[usable]
            error = np.square(every[places[usable]].mean(axis=1) - target).sum(axis=1)
            chosen = random.integers(0, len(every), (RANDOM_FORECASTS, len(target), NEIGHBOURS))
            errors = np.square(every[chosen].mean(axis=2) - target).sum(axis=2)
            found[lag] = float((errors < error).mean() + 0.5 * (errors == error).mean())
        return found

    def _contexts(self, frames: np.ndarray) -> np.ndarray:
        """What places are compared by: ``[contexts, values]``."""
        return windows(_averaged(frames, self.smoothing), self.context)

    def _targets(self, frames: np.ndarray, step: int) -> np.ndarray:
        """What follows each context at a lag: ``[contexts, dimensions]``, the mean of a window of frames."""
        return _averaged(frames, self.window)[self.context - 1 + step :]

    def _copied(self, frames: np.ndarray, part: np.ndarray) -> np.ndarray:
        """Whether a moment, or the one before or after it, is a copy: ``[moments, moments of the part]``."""
        copied = squared_distances(windows(frames, WINDOW), windows(part, WINDOW)) < self.copy_distance
        near = copied.copy()
        near[1:, 1:] |= copied[:-1, :-1]
        near[:-1, :-1] |= copied[1:, 1:]
        return near

    def _nearest(self, distance: np.ndarray) -> np.ndarray:
        """``[contexts, NEIGHBOURS]`` places by distance, separated from each other; -1 where there are too few."""
        rows, columns = np.arange(len(distance)), np.arange(distance.shape[1])
        places = np.full((len(distance), NEIGHBOURS), -1)
        for rank in range(NEIGHBOURS):
            best = distance.argmin(axis=1)
            found = np.isfinite(distance[rows, best])
            places[found, rank] = best[found]
            distance[np.abs(columns - best[:, None]) < self.separation] = np.inf
        return places


def _averaged(frames: np.ndarray, length: int) -> np.ndarray:
    """Means of all ``length`` consecutive frames: ``[time - length + 1, features]``."""
    return windows(frames, length).reshape(-1, length, frames.shape[1]).mean(axis=1)


def principal_components(frames: np.ndarray, dimensions: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean ``[features]`` and directions ``[features, dimensions]`` of greatest variance of ``[time, features]``."""
    mean = frames.mean(axis=0)
    _, vectors = np.linalg.eigh(np.cov((frames - mean).T))
    return mean, vectors[:, : -dimensions - 1 : -1]


def windows(frames: np.ndarray, length: int) -> np.ndarray:
    """All windows of consecutive frames, flattened: ``[time - length + 1, length * features]``."""
    if len(frames) < length:
        return np.zeros((0, length * frames.shape[1]), frames.dtype)
    return (
        np.lib.stride_tricks.sliding_window_view(frames, length, axis=0)
        .swapaxes(1, 2)
        .reshape(len(frames) - length + 1, -1)
    )


def squared_distances(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Squared distances ``[n, m]`` between the rows of two tables."""
    sums = np.square(one).sum(axis=1)[:, None] + np.square(other).sum(axis=1) - 2 * one @ other.T
    return np.maximum(sums, 0.0)
