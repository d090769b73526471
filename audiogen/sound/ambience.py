"""The ambience of a recording: the bed of room tone under what is spoken or dropped in it.

What an editor does by hand: collect the moments in which only the room sounds, and join them. A moment (100 ms of band
levels) belongs to the bed if it deviates from the bed's median spectrum by no more than the bed itself does. The bed is
found by growing it from the quietest moments (the forward search of Atkinson, Riani & Cerioli 2004, "Exploring
Multivariate Data with the Forward Search"): a loud event can't shift the estimate that it is judged by. Then it is
followed in time, since the beds of traffic and wind swell.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from audiogen.audio import AudioWarning, Recording
from audiogen.dsp.fades import correlated_cross_fade
from audiogen.dsp.mask_spans import mask_spans
from audiogen.errors import InputError

HOP_SECONDS = 0.02
WINDOW_HOPS = 3
SMOOTHED_HOPS = 5  # powers are averaged over 100 ms: the levels of noise then scatter by 1 to 2 dB
BANDS, LOWEST_HZ, HIGHEST_HZ = 24, 60.0, 16000.0
DIGITAL_DB = -100.0  # no band above: digital silence, or the end of a fade
CORE_FRACTION = 0.15  # quietest moments that the search begins with
QUIETEST_FRACTION = 0.02  # of all moments, left out of those: fades
ITERATIONS = 20
MIN_DEVIATION_DB = 0.8  # of a band: a hum would count any change as an event
MAX_MEAN, MAX_TOP, TOP = 1.2, 3.5, 3  # standard deviations: of all bands' mean, and of the mean of the three highest
STEADY_SECONDS, STEADY_DB = 0.5, 3.0  # in which the bed's bands deviate by less, and syllables by more
MAX_SWELL_DB = 20.0  # from the bed's median, for what is steady
LOCAL_SECONDS, MIN_LOCAL = 1.0, 0.2  # around a moment, and fraction of it that is bed: what it may be judged by
BEFORE_SECONDS, AFTER_SECONDS = 0.08, 0.25  # around an event: its onset, and its reverberation
MIN_SEGMENT_SECONDS = 0.3
FADE_SECONDS, SEARCH_SECONDS = 0.04, 0.01  # of the joins, and of the search for an offset at which the waveforms agree
MIN_BED_SECONDS = 0.5
LITTLE_SECONDS = 3.0  # less bed repeats itself
UNEVEN_DB = 3.0  # standard deviation of the level over segments
LEFT_OUT_DB = 3.0  # that the tail will be below what is left out: said
RARELY = 0.97  # a larger fraction: nothing stands out


@dataclass(frozen=True)
class Bed:
    """The bed of a recording.

    Args:
        segments: first sample and length in samples of each part of the recording that is bed.
        seconds: of bed, in all.
        fraction: of the recording that it is.
        uneven_db: standard deviation of the level over segments of a second, dB.
        below_db: level of what is left out over that of the bed, dB; None if nothing is.
    """

    segments: tuple[tuple[int, int], ...]
    seconds: float
    fraction: float
    uneven_db: float
    below_db: float | None


def extract_ambience(recording: Recording) -> tuple[Recording, Bed]:
    """The bed of a recording, its parts joined, and where it was found.

    Warns:
        AudioWarning: there is little of it, its level varies, or nothing but bed was found.

    Raises:
        InputError: there is less than `MIN_BED_SECONDS`.
    """
    rate, name = recording.sample_rate, recording.path or "the prompt"
    levels, hop = band_levels(recording)
    segments = tuple((first * hop, (last - first) * hop) for first, last in _segments(bed_mask(levels)))
    length = sum(size for _, size in segments)
    if length < MIN_BED_SECONDS * rate:
        silent = int((levels.max(axis=1) <= DIGITAL_DB).sum()) * hop
        if silent >= MIN_BED_SECONDS * rate:
            cause = (
                f"{silent / rate:.1f} s of it is digital silence, and the rest is events: there is no ambience in it"
            )
            raise InputError(name, cause, "give a recording with its room tone, or leave out --ambience")
        cause = f"{length / rate:.2f} s of it is free of events: no ambience can be learned from that"
        raise InputError(name, cause, "give a recording with longer pauses, or leave out --ambience")
    samples = _joined(recording.samples, segments, rate)
    below = _level_of_rest(recording.samples, segments)
    bed = Bed(segments, length / rate, length / recording.length, _unevenness(samples, rate), below)
    for text in _remarks(bed):
        warnings.warn(f"{name}: {text}", AudioWarning, stacklevel=2)
    return Recording(samples, rate, recording.subtype, recording.path, recording.layout), bed


def _remarks(bed: Bed) -> list[str]:
    """What a user should know about a bed, in lines."""
    found = f"{bed.seconds:.1f} s of it ({bed.fraction:.0%}) is ambience without events"
    if bed.below_db is not None and bed.below_db > LEFT_OUT_DB:
        found += f", {bed.below_db:.0f} dB below the rest (calls and swells count as events)"
    if bed.seconds < LITTLE_SECONDS:
        return [f"only {found}: the tail may repeat itself, and lack swells; give a recording with longer pauses"]
    if bed.fraction > RARELY:
        return ["nothing stands out from its ambience: all of it is learned"]
    if bed.uneven_db > UNEVEN_DB:
        return [f"{found}, but its level varies by {bed.uneven_db:.1f} dB: quiet events may be in it; listen to it"]
    return [f"{found}: the tail is made of that alone"]


def band_levels(recording: Recording) -> tuple[np.ndarray, int]:
    """Levels ``[frames, bands]`` in dB of 100 ms each, centred on frames, and the hop in samples between them."""
    rate = recording.sample_rate
    hop = max(round(HOP_SECONDS * rate), 1)
    window = np.hanning(WINDOW_HOPS * hop)
    count = recording.length // hop
    half = len(window) // 2
    frequencies = np.fft.rfftfreq(len(window), 1 / rate)
    edges = np.geomspace(LOWEST_HZ, min(HIGHEST_HZ, rate / 2), BANDS + 1)
    bins = np.searchsorted(frequencies, edges)
    bands = [slice(low, high) for low, high in pairwise(bins) if high > low]
    powers = np.zeros((count, len(bands)))
    for channel in recording.samples:
        padded = np.pad(channel, half)
        for frame in range(count):
            start = frame * hop + hop // 2
            spectrum = np.square(np.abs(np.fft.rfft(padded[start : start + len(window)] * window)))
            powers[frame] += [spectrum[band].mean() for band in bands]
    kernel = np.ones(SMOOTHED_HOPS) / SMOOTHED_HOPS
    edge = SMOOTHED_HOPS // 2
    powers = np.stack([np.convolve(np.pad(p, edge, mode="edge"), kernel, "valid") for p in powers.T], axis=1)
    return 10 * np.log10(powers / (len(window) * recording.channels) + 1e-20), hop


def bed_mask(levels: np.ndarray) -> np.ndarray:
    """Which frames ``[frames]`` of ``levels`` ``[frames, bands]`` in dB are bed."""
    sounding = levels.max(axis=1) > DIGITAL_DB
    if sounding.sum() < 2:
        return np.zeros(len(levels), bool)
    used = levels[sounding]
    # By rank within each band, so that a loud rumble does not hide a quiet voice.
    ranks = used.argsort(axis=0).argsort(axis=0).mean(axis=1)
    order = np.argsort(ranks)[round(QUIETEST_FRACTION * len(ranks)) :]
    core = np.zeros(len(used), bool)
    core[order[: max(round(CORE_FRACTION * len(used)), 2)]] = True
    for _ in range(ITERATIONS):
        middle = np.median(used[core], axis=0)
        deviation = 1.4826 * np.median(np.abs(used[core] - middle), axis=0)
        scores = (used - middle) / np.maximum(deviation, MIN_DEVIATION_DB)
        highest = np.sort(scores, axis=1)[:, -TOP:].mean(axis=1)
        grown = (np.abs(scores.clip(-8, 8).mean(axis=1)) < MAX_MEAN) & (highest < MAX_TOP)
        if grown.sum() < 2 or (grown == core).all():
            break
        core = grown
    mask = np.zeros(len(levels), bool)
    mask[sounding] = core
    return _with_swells(levels, mask) if mask.sum() >= 2 else mask


def _with_swells(levels: np.ndarray, bed: np.ndarray) -> np.ndarray:
    """The bed ``[frames]``, followed as it swells.

    Traffic and wind leave the levels of their quietest moments, but slowly: what is steady over half a second is bed,
    which speech never is, and so is what resembles the bed around it.
    """
    middle = np.median(levels[bed], axis=0)
    deviation = np.maximum(1.4826 * np.median(np.abs(levels[bed] - middle), axis=0), MIN_DEVIATION_DB)
    window = np.ones(round(STEADY_SECONDS / HOP_SECONDS))
    mean = _averaged(levels, window)
    spread = np.sqrt(np.maximum(_averaged(np.square(levels - middle), window) - np.square(mean - middle), 0))
    steady = np.sort(spread, axis=1)[:, -TOP:].mean(axis=1) < STEADY_DB
    bed = bed | steady & (np.abs((levels - middle).mean(axis=1)) < MAX_SWELL_DB)
    window = np.hanning(round(LOCAL_SECONDS / HOP_SECONDS) + 1)
    for _ in range(ITERATIONS):
        fraction = _averaged(bed[:, None].astype(float), window)
        local = _averaged(levels * bed[:, None], window) / np.maximum(fraction, 1e-9)
        scores = (levels - local) / deviation
        highest = np.sort(scores, axis=1)[:, -TOP:].mean(axis=1)
        alike = (np.abs(scores.clip(-8, 8).mean(axis=1)) < MAX_MEAN) & (highest < MAX_TOP)
        grown = bed | alike & (fraction[:, 0] > MIN_LOCAL)
        if (grown == bed).all():
            break
        bed = grown
    return bed


def _averaged(values: np.ndarray, window: np.ndarray) -> np.ndarray:
    """Weighted means ``[frames, bands]`` over a window, shorter at the ends."""
    weight = np.convolve(np.ones(len(values)), window, "same")[: len(values)]
    return np.stack([np.convolve(each, window, "same")[: len(values)] / weight for each in values.T], axis=1)


def _segments(mask: np.ndarray) -> list[tuple[int, int]]:
    """First and past-the-last frame of each part of the bed, away from events."""
    before, after = round(BEFORE_SECONDS / HOP_SECONDS), round(AFTER_SECONDS / HOP_SECONDS)
    near = np.convolve(np.pad(~_opened(mask), (after, before)), np.ones(before + after + 1), "valid") > 0
    parts = mask_spans(~near).tolist()
    return [(first, last) for first, last in parts if (last - first) * HOP_SECONDS >= MIN_SEGMENT_SECONDS]


def _opened(mask: np.ndarray) -> np.ndarray:
    """The mask, in which single frames off the bed, as noise has them, count as bed."""
    alone = ~mask[1:-1] & mask[:-2] & mask[2:]
    result = mask.copy()
    result[1:-1] |= alone
    return result


def _joined(samples: np.ndarray, segments: tuple[tuple[int, int], ...], rate: int) -> np.ndarray:
    """The segments, one cross-faded into the next where their waveforms agree best."""
    fade, search = round(FADE_SECONDS * rate), round(SEARCH_SECONDS * rate)
    parts: list[np.ndarray] = []
    for start, length in segments:
        part = samples[:, start : start + length]
        if parts:
            end = parts[-1][:, -fade:]
            agreement = sum(
                np.correlate(a, b, "valid") for a, b in zip(part[:, : fade + search], end, strict=True)
            ) / np.sqrt(np.convolve(np.square(part[:, : fade + search]).sum(0), np.ones(fade), "valid") + 1e-20)
            offset = int(np.argmax(agreement))
            part = part[:, offset:]
            parts[-1] = parts[-1][:, :-fade]
            parts.append(correlated_cross_fade(end, part[:, :fade]).astype(np.float32))
            part = part[:, fade:]
        parts.append(part)
    return np.ascontiguousarray(np.concatenate(parts, axis=1), np.float32)


def _level_of_rest(samples: np.ndarray, segments: tuple[tuple[int, int], ...]) -> float | None:
    """Level of what lies outside the segments over that inside, dB; None if nothing does."""
    inside = np.zeros(samples.shape[1], bool)
    for start, length in segments:
        inside[start : start + length] = True
    if inside.all():
        return None
    power = np.square(samples, dtype=np.float64).mean(axis=0)
    return float(10 * np.log10((power[~inside].mean() + 1e-20) / (power[inside].mean() + 1e-20)))


def _unevenness(samples: np.ndarray, rate: int) -> float:
    count = samples.shape[1] // rate
    if count < 2:
        return 0.0
    seconds = samples[:, : count * rate].reshape(len(samples), count, rate)
    return float(np.std(10 * np.log10(np.square(seconds).mean(axis=(0, 2)) + 1e-20)))
