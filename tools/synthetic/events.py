"""Layers of discrete events."""

from __future__ import annotations

import numpy as np

from tools.synthetic.stage import RenderContext, decibels

WORK = 12_000_000  # maximum total samples of the events of a layer


def place_events(
    stage: RenderContext, sounds: list[np.ndarray], times: np.ndarray, scatter: float, width: float
) -> np.ndarray:
    """A layer of events, each a random one of ``sounds``.

    Args:
        sounds: ``[time]`` samples each.
        times: seconds, in any order; events beyond `WORK` samples are left out at random.
        scatter: standard deviation of the events' levels in dB.
        width: 0 for one stereo position, 1 for any position.

    Returns:
        ``[channels, time]``.
    """
    found = stage.silence()
    most = int(WORK / max(1.0, float(np.mean([len(sound) for sound in sounds]))))
    if len(times) > most:
        times = stage.draw.choice(times, most, replace=False)
    starts = (times * stage.rate).astype(int)
    which = stage.draw.integers(0, len(sounds), len(times))
    gains = decibels(np.minimum(scatter * stage.draw.standard_normal(len(times)), 2 * scatter))
    places = stage.uniform(0, 1) * (1 - width) + width * stage.draw.random(len(times))
    for start, number, gain, position in zip(starts, which, gains, places, strict=True):
        sound = sounds[number][: stage.length - start]
        stop = start + len(sound)
        for row, share in zip(found, stage.pan(position), strict=True):
            row[start:stop] += sound * (gain * share)
    return found


def fade_ends(sound: np.ndarray, samples: int) -> np.ndarray:
    """``[..., time]`` samples with a raised-cosine start and end of ``samples`` samples each."""
    ramp = min(samples, sound.shape[-1] // 2)
    if ramp:
        rise = (0.5 - 0.5 * np.cos(np.pi * (np.arange(ramp) + 0.5) / ramp)).astype(np.float32)
        sound[..., :ramp] *= rise
        sound[..., -ramp:] *= rise[::-1]
    return sound
