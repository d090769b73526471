"""Random processes in time: modulation of levels, cutoffs and pitches, and event times."""

from __future__ import annotations

import numpy as np

from tools.synthetic.stage import RenderContext


def coloured(
    draw: np.random.Generator, rows: int, count: int, rate: float, slope: float, low: float, high: float
) -> np.ndarray:
    """Gaussian processes of unit variance whose power falls as 1 / f^slope between two edges.

    Loudness and pitch of natural sounds and of music fluctuate as 1/f (Voss & Clarke 1975, Nature 258:317).

    Args:
        rows: number of independent processes.
        count: values of each, at ``rate`` per second.
        slope: 0 white, 1 pink, 2 brown.
        low: Hz; power is flat to zero below.
        high: Hz; power falls by 24 dB per octave above.

    Returns:
        ``[rows, count]`` float32.
    """
    size = max(16, 1 << int(np.ceil(np.log2(1.25 * count + 1))))  # longer: the ends must not meet
    hertz = np.maximum(np.fft.rfftfreq(size, 1 / rate), rate / size / 2)
    with np.errstate(over="ignore"):
        weight = hertz ** (-slope / 2) / ((1 + (hertz / high) ** 4) * (1 + (low / hertz) ** 2))
    weight[0] = 0
    weight *= size / np.sqrt(4 * np.sum(weight**2))  # real and imaginary parts, positive and negative frequencies
    spectrum = draw.standard_normal((rows, len(hertz), 2), np.float32) @ np.array([1, 1j], np.complex64)
    return np.fft.irfft(spectrum * weight, size)[:, :count].astype(np.float32)


def slow(stage: RenderContext, count: int, high: float = 0.5) -> np.ndarray:
    """``[count]`` values over the layer's length of one drift of unit variance up to ``high`` Hz."""
    rate = count / stage.seconds
    return coloured(stage.draw, 1, count, rate, stage.uniform(0.8, 2.2), 0.5 / stage.seconds, high)[0]


def stretched(values: np.ndarray, length: int) -> np.ndarray:
    """``[count]`` values interpolated linearly to ``length`` samples."""
    return np.interp(np.linspace(0, len(values) - 1, length), np.arange(len(values)), values).astype(np.float32)


def drift(stage: RenderContext, high: float = 0.5) -> np.ndarray:
    """``[time]`` samples of a drift of unit variance up to ``high`` Hz."""
    return stretched(slow(stage, max(16, int(8 * high * stage.seconds)), high), stage.length)


def waves(stage: RenderContext, times: np.ndarray) -> np.ndarray:
    """Swells from 0 to about 1 at ``times`` in seconds: breakers, gusts, passing cars.

    Each rises as a power and falls exponentially, with a random height and at irregular intervals.
    """
    period = stage.log_uniform(1.5, 15.0)
    rise, fall = period * stage.log_uniform(0.05, 0.6), period * stage.log_uniform(0.1, 0.8)
    count = int(stage.seconds / period) + 4
    starts = np.cumsum(period * stage.draw.gamma(stage.log_uniform(1.0, 12.0), size=count))
    starts = (starts - starts[0]) * (count * period / max(starts[-1] - starts[0], period)) - 1.5 * period
    heights = np.zeros_like(times)
    for start in starts:
        since = np.maximum(times - start, 0.0)
        decayed = np.exp(-np.maximum(since - rise, 0.0) / fall) * np.minimum(since / rise, 1.0) ** 2
        heights = np.maximum(heights, decayed * stage.uniform(0.4, 1.0))
    return heights.astype(np.float32)


def poisson(stage: RenderContext, rate: float) -> np.ndarray:
    """Times in seconds of independent events."""
    return stage.draw.uniform(0, stage.seconds, max(1, stage.draw.poisson(rate * stage.seconds)))


def modulated(stage: RenderContext, rate: float) -> np.ndarray:
    """Times of events whose rate itself drifts (a log-Gaussian Cox process)."""
    count = 1 + int(4 * stage.seconds)
    level = np.exp(stage.uniform(0.5, 1.8) * slow(stage, count, stage.log_uniform(0.1, 2.0)))
    chance = np.cumsum(level) / level.sum()
    uniform = stage.draw.random(max(1, stage.draw.poisson(rate * stage.seconds)))
    return np.interp(uniform, chance, np.linspace(0, stage.seconds, count))


def clustered(stage: RenderContext, rate: float) -> np.ndarray:
    """Times of events in clusters (a Neyman-Scott process)."""
    size = stage.log_uniform(2, 40)
    parents = poisson(stage, max(rate / size, 0.1))
    spread = stage.log_uniform(0.02, 0.6)
    sizes = 1 + stage.draw.poisson(size, len(parents))
    children = [
        parent + np.cumsum(stage.draw.exponential(spread / 3, count))
        for parent, count in zip(parents, sizes, strict=True)
    ]
    return np.concatenate(children)


def regular(stage: RenderContext, rate: float) -> np.ndarray:
    """Times of events on a beat with jitter; some are left out."""
    beats = np.arange(stage.uniform(0, 1), rate * stage.seconds + 1)
    beats = beats + stage.log_uniform(0.003, 0.2) * stage.draw.standard_normal(len(beats))
    kept = stage.draw.random(len(beats)) < stage.uniform(0.6, 1.1)
    return beats[kept] / rate


RHYTHMS = {"poisson": poisson, "modulated": modulated, "clustered": clustered, "regular": regular}
"""Ways in which events follow each other; each gives times in seconds, in no order, some outside the stage."""


def event_times(stage: RenderContext, rate: float) -> np.ndarray:
    """Sorted times in seconds of events at ``rate`` per second with one of the `RHYTHMS`; at least one."""
    rhythm = RHYTHMS[stage.draw.choice(list(RHYTHMS))]
    times = np.mod(rhythm(stage, rate), stage.seconds)
    return np.sort(times) if len(times) else np.array([stage.uniform(0, stage.seconds)])
