"""Layers of noise: band-modulated noise, wind and waves."""

from __future__ import annotations

import numpy as np

from tools.synthetic.fields import noise, random_spectrum
from tools.synthetic.processes import coloured, waves
from tools.synthetic.stage import RenderContext


def modulated_noise(stage: RenderContext) -> np.ndarray:
    """Noise in bands whose levels are random processes, ``[channels, time]``.

    Textures are distinguished by the marginals of band envelopes, their correlations and their modulation spectra
    (McDermott & Simoncelli 2011, Neuron 71:926): each of the three is random here.
    """
    bands = stage.integer(2, 24)
    centres = np.sort(stage.log_uniforms(60, min(16000, stage.highest), bands))
    spectrum, parts = random_spectrum(stage), int(stage.draw.choice(4, p=[0.25, 0.3, 0.25, 0.2]))

    def field(times: np.ndarray, hertz: np.ndarray) -> np.ndarray:
        levels = np.zeros((bands, len(times)), np.float32)
        rate = (len(times) - 1) / (times[-1] - times[0])
        for _ in range(parts):
            levels += _fluctuation(stage, bands, len(times), rate)
        return levels.T @ _interpolation(centres, hertz) + np.float32(spectrum(hertz))

    return noise(stage, field, int(2 ** stage.integer(8, 11)))


def _interpolation(centres: np.ndarray, hertz: np.ndarray) -> np.ndarray:
    """``[bands, bins]`` weights that interpolate linearly over the logarithm of frequency."""
    position = np.interp(np.log(np.maximum(hertz, 1.0)), np.log(centres), np.arange(len(centres)))
    return np.maximum(0, 1 - np.abs(position - np.arange(len(centres))[:, None])).astype(np.float32)


def _fluctuation(stage: RenderContext, bands: int, count: int, rate: float) -> np.ndarray:
    """``[bands, count]`` dB: one kind of modulation, from slow to flutter, partly shared by the bands."""
    if stage.chance(0.35):  # around one rate
        low = stage.log_uniform(0.2, 60)
        high, slope = low * stage.uniform(1.0, 2.0), 0.0
    else:
        low, high, slope = 0.02, stage.log_uniform(0.3, 90), stage.uniform(0.3, 2.0)
    own = coloured(stage.draw, bands, count, rate, slope, low, min(high, 0.4 * rate))
    shared = coloured(stage.draw, 1, count, rate, slope, low, min(high, 0.4 * rate))
    if stage.chance(0.5):  # correlated neighbours
        reach = stage.log_uniform(0.5, 6.0)
        near = np.exp(-0.5 * ((np.arange(bands)[:, None] - np.arange(bands)) / reach) ** 2)
        own = (near / np.sqrt(np.sum(near**2, axis=1, keepdims=True))).astype(np.float32) @ own
    common = stage.draw.beta(0.6, 0.6)  # often near 0 or 1
    mixed = np.sqrt(common) * shared + np.sqrt(1 - common) * own
    mixed += stage.uniform(-0.4, 0.6) * (mixed**2 - 1) / 2  # swells sharper than lulls, or the reverse
    depth = stage.log_uniform(0.5, 14.0) * stage.draw.uniform(0.3, 1.3, (bands, 1))
    return np.clip(depth * mixed, -40.0, 25.0).astype(np.float32)


def swells(stage: RenderContext) -> np.ndarray:
    """Waves and gusts: level, cutoff and whistle follow one slow process, ``[channels, time]``."""
    spectrum, breaking = random_spectrum(stage), stage.chance(0.5)
    depth, octaves = stage.uniform(5, 30), stage.uniform(0.3, 3.5)
    corner, steep = stage.log_uniform(150, 4000), stage.uniform(6, 24)
    whistle, reach = stage.log_uniform(200, 2500), stage.uniform(0.0, 1.2)
    loud, sharp = stage.uniform(-5, 22) * stage.integer(0, 1), stage.log_uniform(0.03, 0.4)
    flutter = stage.log_uniform(0.3, 3.0)

    def field(times: np.ndarray, hertz: np.ndarray) -> np.ndarray:
        rate = (len(times) - 1) / (times[-1] - times[0])
        if breaking:
            level = 2 * waves(stage, times) - 1
        else:
            level = coloured(stage.draw, 1, len(times), rate, 1.7, 0.03, stage.log_uniform(0.2, 2.0))[0] * 0.6
        level = level[:, None]
        pitch = np.log2(np.maximum(hertz, 10.0))[None].astype(np.float32)
        above = np.maximum(0, pitch - np.float32(np.log2(corner)) - octaves * level)
        ring = loud * (1 + level) / (1 + ((pitch - np.float32(np.log2(whistle)) - reach * level) / sharp) ** 2)
        gusts = flutter * coloured(stage.draw, 1, len(times), rate, 1.0, 0.5, 30.0)[0][:, None]
        return (depth / 2 * level + gusts - steep * above + ring + spectrum(hertz)).astype(np.float32)

    return noise(stage, field)
