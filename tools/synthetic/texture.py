"""Synthetic textures: layers at random levels in a random room, one per seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from audiogen.audio import Recording, write
from audiogen.progress import progress
from tools.synthetic.calls import calls
from tools.synthetic.impacts import impacts
from tools.synthetic.noises import modulated_noise, swells
from tools.synthetic.processes import drift, stretched, waves
from tools.synthetic.rooms import recorded
from tools.synthetic.stage import RenderContext, decibels, unit
from tools.synthetic.tones import engines, hums, notes

LAYERS: dict[str, Callable[[RenderContext], np.ndarray]] = {
    "noise": modulated_noise,
    "swells": swells,
    "impacts": impacts,
    "calls": calls,
    "hums": hums,
    "engines": engines,
    "notes": notes,
}
"""Name -> what makes a layer, ``[channels, time]``."""

SHARES = {"noise": 6, "swells": 3, "impacts": 5, "calls": 3, "hums": 4, "engines": 2, "notes": 4}
"""How often each is drawn."""

MAX_PEAK = 0.95  # of full scale


def synthetic_texture(seed: int, seconds: float = 20.0, sample_rate: int = 44100) -> Recording:
    """A texture, unique to its seed: one to four of `LAYERS`, mixed, in a room, with a noise floor.

    For training where recordings are few. Natural textures are distinguished by the marginals, correlations
    and modulation spectra of their bands' envelopes (McDermott & Simoncelli 2011, Neuron 71:926); all of these
    are sampled from ranges wider than natural ones.

    Args:
        seed: 0 or more; the same seed, length and rate give the same samples.
        seconds: duration, 0.1 or more.
        sample_rate: Hz, 8000 or more.

    Returns:
        One or two channels, rms -45 to -12 dB, no sample above 0.95.

    Raises:
        ValueError: arguments out of range.
    """
    if seed < 0 or not 0.1 <= seconds < 1e5 or sample_rate < 8000:
        raise ValueError("seed >= 0, 0.1 <= seconds < 1e5 and sample_rate >= 8000 must hold")
    draw = np.random.default_rng(seed)
    stage = RenderContext(draw, sample_rate, round(seconds * sample_rate), 1 if draw.random() < 0.4 else 2)
    count = stage.draw.choice(4, p=[0.4, 0.3, 0.2, 0.1]) + 1
    chances = np.array(list(SHARES.values()), float)
    mixed = stage.silence()
    for name in draw.choice(list(SHARES), size=count, p=chances / chances.sum()):
        mixed += decibels(-stage.uniform(0, 25)) * _swayed(stage, unit(LAYERS[name](stage)))
    samples = unit(_faded(stage, recorded(stage, _widened(stage, mixed)))) * decibels(stage.uniform(-45, -12))
    peak = float(np.abs(samples).max())
    samples *= min(1.0, MAX_PEAK / max(peak, 1e-9))
    return Recording(np.ascontiguousarray(samples, np.float32), sample_rate)


def _widened(stage: RenderContext, mixed: np.ndarray) -> np.ndarray:
    """The stereo image narrowed, widened or unchanged."""
    if stage.channels == 1 or stage.chance(0.4):
        return mixed
    side = stage.log_uniform(0.003, 12.0)
    return np.array([[1 + side, 1 - side], [1 - side, 1 + side]], np.float32) @ mixed / 2


def _faded(stage: RenderContext, samples: np.ndarray) -> np.ndarray:
    """Repeated decays every few seconds, as of thunder, gongs and passing vehicles."""
    if stage.chance(0.8):
        return samples
    times = np.arange(0, stage.seconds + 0.02, 0.02)
    depth = stage.uniform(20, 90)
    return samples * decibels(stretched(depth * (np.maximum(waves(stage, times), 0.0) - 1), stage.length))


def _swayed(stage: RenderContext, layer: np.ndarray) -> np.ndarray:
    """A layer with slow level changes, gated, or unchanged."""
    kind = stage.integer(0, 5)
    if kind > 2:
        return layer
    level = drift(stage, stage.log_uniform(0.05, 0.5))
    if kind > 0:
        return layer * decibels(np.clip(stage.log_uniform(0.5, 10) * level, -50, 12))
    slope = stage.log_uniform(20, 400)  # dB per standard deviation of the drift: a soft or hard gate
    return layer * decibels(np.clip(slope * (level + stage.uniform(-0.3, 1.5)), -90, 0))


def synthetic_textures(
    first: int = 0, count: int | None = None, seconds: float = 20.0, sample_rate: int = 44100
) -> Iterator[Recording]:
    """The textures of the seeds from ``first``: ``count`` of them, or endless."""
    seed = first
    while count is None or seed < first + count:
        yield synthetic_texture(seed, seconds, sample_rate)
        seed += 1


def write_textures(
    folder: Path, count: int, first: int = 0, seconds: float = 20.0, sample_rate: int = 44100
) -> list[Path]:
    """Write textures as 24-bit WAV files named after their seeds; existing files are kept.

    Returns:
        The ``count`` files; each is written atomically.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"synthetic-{seed:06d}.wav" for seed in range(first, first + count)]
    with progress(count, "textures") as bar:
        for seed, path in enumerate(paths, first):
            if not path.exists():
                write(path, synthetic_texture(seed, seconds, sample_rate))
            bar.update()
    return paths
