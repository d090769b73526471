"""What `tools/check_files.py` measures: seams, levels, textures, loop points and layouts of written files.

Files are read by libsndfile and wavinfo, and seams are measured here, independently of the package: where a figure of
the package's own is shown as well, it is `metrics`', which nothing that makes a tail optimises, unless stated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import wavinfo

from audiogen.audio import Recording, read
from audiogen.jobs.backward import continue_backward
from audiogen.jobs.continue_sound import continue_variations
from audiogen.jobs.fill_gap import fill_gap, gap_in
from audiogen.jobs.request import Request
from audiogen.metrics.stereo import pair_differences
from audiogen.metrics.tail_evaluator import TailEvaluator
from audiogen.output_names import lengths_of, numbered
from audiogen.sound.seamless_loop import FADE_SECONDS, OVERLAP_SECONDS

Row = dict[str, Any]

GAP_SECONDS, SHORT_GAP_SECONDS, SHORT_SECONDS = 4.0, 2.0, 12.0  # gaps; of recordings shorter than the last
EARLIER_SECONDS = 8.0
LOOP_SECONDS = (3.0, 10.0, 30.0)
SCENE_SECONDS = 15.0
SIDE_SECONDS = 5.0  # on either side of a gap, whose level is that of the surroundings
SEAM_SECONDS = 0.05  # on either side of a seam, given to the analysis of its flux
CUTS = 10  # at random, that a recording's loops are compared with
BEND_SAMPLES = 4  # around a seam, whose second differences count
FRAME_SECONDS, HOPS = 0.046, 4  # of the analysis, and hops per frame
FRAMES_AT_SEAM = 5  # changes between frames that a seam can contribute to
OCTAVES = [125 * 2.0**k for k in range(7)]  # edges of bands, Hz


def written(recording: Recording, path: Path) -> Recording:
    """A recording as a 16-bit WAV, which it then is read from."""
    soundfile.write(path, np.clip(recording.samples.T, -1, 1), recording.sample_rate, "PCM_16")
    return read(path)


# --- seams


class Seams:
    """Spectral flux and second difference at seams, as percentiles of a recording's own.

    Flux: the mean change of root magnitudes from one frame to the next, the largest of the five changes that the seam
    is part of. Second difference: the largest of those that cross the seam. Both are compared with the largest of as
    many neighbours everywhere in the recording; of several channels the highest counts.

    Args:
        own: the recording.
    """

    def __init__(self, own: Recording) -> None:
        self._size = 1 << round(np.log2(FRAME_SECONDS * own.sample_rate))
        self._own = self._changes(own.samples)
        self._flux = _highest(self._own, FRAMES_AT_SEAM)
        self._bend = _highest(np.abs(np.diff(own.samples.astype(np.float64), 2)).max(0), BEND_SAMPLES)

    def at(self, before: np.ndarray, after: np.ndarray) -> tuple[float, float]:
        """Percentiles, 0 to 100, of flux and second difference between two sounds ``[channels, time]``."""
        hop, half = self._size // HOPS, BEND_SAMPLES // 2 + 1
        reach = self._size - hop // 2  # frames that hold samples of both sides
        joined = np.concatenate([before[:, -reach:], after[:, :reach]], axis=1)
        flux = float(self._changes(joined).max())
        joined = np.concatenate([before[:, -half:], after[:, :half]], axis=1).astype(np.float64)
        bend = float(np.abs(np.diff(joined, 2)).max())
        return percentile(flux, self._flux), percentile(bend, self._bend)

    def within(self, samples: np.ndarray) -> float:
        """Percentile of the largest flux anywhere in a sound, among those of segments as long as it."""
        changes = self._changes(samples)
        return percentile(float(changes.max()), _highest(self._own, len(changes)))

    def _changes(self, samples: np.ndarray) -> np.ndarray:
        frames = np.lib.stride_tricks.sliding_window_view(samples, self._size, axis=1)[:, :: self._size // HOPS]
        root = np.sqrt(np.abs(np.fft.rfft(frames * np.hanning(self._size), axis=-1)))
        return np.abs(np.diff(root, axis=1)).mean(-1).max(0)


def _highest(values: np.ndarray, count: int) -> np.ndarray:
    return np.lib.stride_tricks.sliding_window_view(values, count).max(-1)


def percentile(value: float, own: np.ndarray) -> float:
    """Percentage of ``own`` below a value."""
    return float(100 * np.mean(own < value))


# --- gaps, and what came before


def filled(name: str, recording: Recording, folder: Path) -> list[Row]:
    """A gap in the middle: seams, level, texture, and whether all else is as it was."""
    clip = written(recording, folder / "clip.wav")
    seconds = GAP_SECONDS if clip.seconds >= SHORT_SECONDS else SHORT_GAP_SECONDS
    start, out, seams = round((clip.seconds - seconds) / 2, 3), folder / "filled.wav", Seams(clip)
    gap = gap_in(clip, start, start + seconds)
    fill_gap(gap, out, Request(), budget=0)
    first, last = gap.before.length, gap.before.length + gap.length
    whole, original = (soundfile.read(path, dtype="int16")[0] for path in (out, clip.path))
    outside = np.r_[0:first, last : len(original)]
    exact = len(whole) == len(original) and np.array_equal(whole[outside], original[outside])
    samples = read(out).samples
    inside, real = (each[:, first:last] for each in (samples, clip.samples))
    joins = seams.at(samples[:, :first], inside), seams.at(samples[:, last:][:, ::-1], inside[:, ::-1])
    cut = seams.at(gap.before.samples, gap.after.samples)
    side = round(SIDE_SECONDS * clip.sample_rate)
    around = (level(gap.before.samples[:, -side:]) + level(gap.after.samples[:, :side])) / 2
    (tail,) = _tails(gap.before, folder / "tail.wav", Request(seconds=seconds, tail_only=True))
    rest = Recording(np.concatenate([gap.before.samples, gap.after.samples], axis=1), clip.sample_rate)
    levels = {"level": level(inside) - around, "real level": level(real) - around}
    row = {"name": name, "gap": seconds, "exact": exact, **_joins("start", joins[0]), **_joins("end", joins[1])}
    return [row | _joins("cut", cut) | levels | _textures(rest, {"": inside, "tail ": tail, "real ": real})]


def earlier(name: str, recording: Recording, folder: Path) -> list[Row]:
    """What came before: the join, level and texture, and whether the recording is as it was."""
    clip, out = written(recording, folder / "clip.wav"), folder / "earlier.wav"
    (sidecar,) = continue_backward(clip, [(out, Request(seconds=EARLIER_SECONDS))], budget=0)
    at, (start, stop) = sidecar["prompt_sample"], sidecar["prompt_range"]
    whole, original = (soundfile.read(path, dtype="int16")[0] for path in (out, clip.path))
    samples = read(out).samples
    before, after = samples[:, :at], samples[:, at:]
    kept = clip.cut(start, stop)
    (tail,) = _tails(clip, folder / "tail.wav", Request(seconds=EARLIER_SECONDS, tail_only=True))
    return [
        {"name": name, "exact": np.array_equal(whole[at:], original[start:stop])}
        | _joins("", Seams(kept).at(after[:, ::-1], before[:, ::-1]))
        | {"level": level(before) - level(kept.samples), "tail level": level(tail) - level(kept.samples)}
        | _textures(kept, {"": before, "tail ": tail})
    ]


def _tails(prompt: Recording, out: Path, *requests: Request) -> list[np.ndarray]:
    names = numbered(out, len(requests))
    for _ in continue_variations(prompt, list(zip(names, requests, strict=True)), budget=0):
        pass
    return [read(each).samples for each in names]


def _joins(which: str, percentiles: tuple[float, float]) -> Row:
    prefix = which + " " if which else ""
    return {f"{prefix}flux": percentiles[0], f"{prefix}bend": percentiles[1]}


def _textures(reference: Recording, sounds: dict[str, np.ndarray]) -> Row:
    evaluator, row = TailEvaluator(reference), Row()
    for prefix, samples in sounds.items():
        sound = Recording(np.ascontiguousarray(samples), reference.sample_rate)
        for measure in ("texture", "scattering"):
            distance = getattr(evaluator, measure)(sound)
            row[prefix + measure] = distance and distance.overall
    return row


def level(samples: np.ndarray) -> float:
    """RMS level in dB."""
    return float(10 * np.log10(np.square(samples, dtype=np.float64).mean() + 1e-20))


# --- loops


def looped(name: str, recording: Recording, folder: Path) -> list[Row]:
    """Loops of several lengths, alone and after the recording: where they close, and the points that are written."""
    clip = written(recording, folder / "clip.wav")
    alone = Request(tail_only=True, loop=True)
    names = lengths_of(folder / "loop.wav", LOOP_SECONDS)
    wanted = [(out, replace(alone, seconds=length)) for out, length in zip(names, LOOP_SECONDS, strict=True)]
    whole = folder / "whole.wav"
    wanted.append((whole, Request(seconds=LOOP_SECONDS[1], loop=True)))
    rows, seams = [], Seams(clip)
    for (out, request), sidecar in zip(wanted, continue_variations(clip, wanted, budget=0), strict=True):
        samples, join = soundfile.read(out, dtype="float32", always_2d=True)[0].T, sidecar["join_sample"]
        chunks = wavinfo.WavInfoReader(str(out))
        loops = [(each.start, each.end) for each in chunks.smpl.sample_loops] if chunks.smpl else []
        cues = [each["frame"] for each in chunks.cues.to_dict().values()] if chunks.cues else []
        exact = loops == [(0, samples.shape[1] - 1)] and cues == ([] if request.tail_only else [join])
        kind = f"{request.seconds:g} s" if request.tail_only else "with the recording"
        row = {"name": name, "loop": kind, "points": exact, **_joins("", seams.at(samples, samples))}
        fade = round((OVERLAP_SECONDS if request.tail_only else FADE_SECONDS) * clip.sample_rate)
        rows.append(row | {"fade": seams.within(samples[:, -fade:])})
    return rows


def cuts(name: str, recording: Recording, folder: Path) -> list[Row]:
    """What a loop has to be better than: cuts of the recording at random, and where it rises through 0."""
    clip = written(recording, folder / "clip.wav")
    generator, seams, rows = np.random.default_rng(0), Seams(clip), list[Row]()
    signal = clip.samples.mean(0)
    rising = np.flatnonzero((signal[:-1] < 0) & (signal[1:] >= 0)) + 1
    length = min(round(LOOP_SECONDS[0] * clip.sample_rate), clip.length // 2)
    for _ in range(CUTS):
        first = int(generator.integers(0, clip.length - length + 1))
        nearest = [int(rising[np.abs(rising - at).argmin()]) for at in (first, first + length)]
        for kind, (start, stop) in {"cut": (first, first + length), "zero": tuple(nearest)}.items():
            loop = clip.samples[:, start:stop]
            rows.append({"name": name, "kind": kind, **_joins("", seams.at(loop, loop))})
    return rows


# --- channels


def ambisonics(order: int) -> Callable[[float, float], np.ndarray]:
    """Gains of AmbiX (ACN, SN3D) for a plane wave from an azimuth and an elevation in radians."""
    from scipy.special import sph_harm_y

    def gains(azimuth: float, elevation: float) -> np.ndarray:
        values = []
        for n in range(order + 1):
            for m in range(-n, n + 1):
                wave = sph_harm_y(n, abs(m), np.pi / 2 - elevation, azimuth) * np.sqrt(4 * np.pi / (2 * n + 1))
                part = wave.imag if m < 0 else wave.real
                values.append((-1) ** m * part * (np.sqrt(2) if m else 1))
        return np.array(values)

    return gains


def loudspeakers(*azimuths: float | None) -> Callable[[float, float], np.ndarray]:
    """Gains of loudspeakers at azimuths in degrees, by their angle to the source; None is silent."""

    def gains(azimuth: float, elevation: float) -> np.ndarray:
        angles = [None if each is None else np.radians(each) for each in azimuths]
        near = np.array([0.0 if each is None else max(0.0, np.cos((azimuth - each) / 2)) ** 4 for each in angles])
        return near / np.linalg.norm(near)

    return gains


LAYOUTS = {
    "AmbiX, order 1": ambisonics(1),
    "AmbiX, order 3": ambisonics(3),
    "quad": loudspeakers(45, -45, 135, -135),
    "5.1, silent LFE": loudspeakers(30, -30, 0, None, 110, -110),
}
DIRECTIONS = ((0.5, 0.1), (2.2, -0.2), (-1.7, 0.6))  # azimuth and elevation of the sources, radians


def scene(recording: Recording, other: Recording, gains: Callable[[float, float], np.ndarray]) -> Recording:
    """A recording and its own past from two directions, another from a third, equally loud."""
    length = min(recording.length, other.length, round(SCENE_SECONDS * recording.sample_rate))
    first, second = (each.samples.mean(0)[-length:] for each in (recording, other))
    sources = [first, np.roll(first, length // 2), second]
    sources = [0.05 * source / np.sqrt(np.square(source).mean()) for source in sources]
    samples = sum(np.outer(gains(*place), source) for place, source in zip(DIRECTIONS, sources, strict=True))
    return Recording(samples.astype(np.float32), recording.sample_rate)


def spatial(name: str, prompt: Recording, folder: Path) -> list[Row]:
    """The tail's spatial covariance against the prompt's, and of two halves of the prompt; silent channels."""
    (tail,) = _tails(prompt, folder / "tail.wav", Request(seconds=10.0, tail_only=True, subtype="FLOAT"))
    silent = [not channel.any() for channel in prompt.samples]
    half = prompt.length // 2
    halves = (
        covariances(prompt.samples[:, :half], prompt.sample_rate),
        covariances(prompt.samples[:, half:], prompt.sample_rate),
    )
    own, made = (covariances(each, prompt.sample_rate) for each in (prompt.samples, tail))
    return [
        {"name": name, "channels": prompt.channels, "difference": differences(made, own)[0]}
        | {"octaves": float(np.median(differences(made, own)[1:]))}
        | {"real": differences(*halves)[0], "real octaves": float(np.median(differences(*halves)[1:]))}
        | {"silence": [not channel.any() for channel in tail] == silent, "silent": sum(silent)}
    ]


def covariances(samples: np.ndarray, rate: int) -> list[np.ndarray]:
    """Covariance of the channels, of all frequencies and of each octave."""
    spectrum = np.fft.rfft(samples.astype(np.float64))
    hertz = np.fft.rfftfreq(samples.shape[1], 1 / rate)
    bands = [hertz >= 0, *((hertz >= low) & (hertz < 2 * low) for low in OCTAVES)]
    return [(spectrum[:, band] @ spectrum[:, band].conj().T).real / samples.shape[1] ** 2 for band in bands]


def differences(made: list[np.ndarray], own: list[np.ndarray]) -> list[float]:
    """The largest difference by pair of channels in dB, of each covariance."""
    return [float(np.abs(pair_differences(*pair)).max(initial=0.0)) for pair in zip(made, own, strict=True)]
