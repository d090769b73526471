"""Edges of a recording: a fade-in or fade-out, silence and clicks of an edit, which are not part of the sound itself.

What lies between them (`without_edges`) is the material of tails, and all that is learned of a recording.

An edge is what the rest of the recording does not do: at its end the level falls, by a margin, below all levels of the
middle half. A swell that recedes as others did, or thunder that decays into its rain, does not. Where the level leaves
the usual one, and along which curve, is found by fitting the fades that editors offer (`fade_fit`). A fade is equally
fast in all bands; the decay of a single sound is not, and is no edge.

The start is treated as the end of the reversed recording.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from audiogen.audio import Recording
from audiogen.sound.fade_fit import BLOCK_SECONDS, Fade, Profile, band_slopes, fit_fade

MIN_BODY_SECONDS, MIN_BODY_FRACTION = 1.0, 0.2  # of what is left between the edges
MAX_RANGE_DB = 16.0  # between the quartiles of the level; a recording that varies more, such as birdsong, has no fades
DEEPER_DB = 6.0  # below the lowest levels of such a recording, there may be a pause at its end nevertheless
MIN_PAUSES = 3  # half as long as the one at the end: they are how the recording sounds
STEADY_DB, STEADY_FRACTION, SHORT_SECONDS = 8.0, 0.6, 6.0  # range, length and fade: no decay of a single sound
MIN_BANDS_SECONDS = 0.3  # shorter fades have too few blocks to compare bands
SLOPES = (0.6, 1.5)  # of the median band, dB per dB of the whole: fades 0.86 to 1.26
MAX_TREND = 0.75  # of the slopes, from the lowest band to the highest: fades up to 0.67, decaying waves from 0.80
FLAT_DB = 3.0  # silence is as flat
MIN_FLAT_SECONDS = 0.2
CHANNEL_FRACTION = 0.1  # of the strongest channel's power: weaker ones are not looked at alone
DIGITAL_DB = -100.0  # dBFS: silence of any length is an edge
MOSTLY_SILENT = 0.4  # of what is looked at: more silence at an end would pass for its usual level
CLICK_SECONDS = 0.05  # from either end, in which a click is one of an edit
CLICK_RATIO = 2.0  # of the largest curvature of the waveform elsewhere
GUARD_SECONDS = 0.005  # kept off a click
CONTEXT_SECONDS = 60.0  # of the recording, next to the edge, that it is compared with


@dataclass(frozen=True)
class Edge:
    """What lies at one end of a recording.

    Args:
        seconds: length of the edge; 0 if there is none.
        fade: length of the fade in it, seconds.
        silence: length of the silence beyond the fade, seconds.
        click: whether there is a click of an edit.
        channel: the only one with the fade (with the silence, if there is none), the first is 1; None if all have it.
    """

    seconds: float = 0.0
    fade: float = 0.0
    silence: float = 0.0
    click: bool = False
    channel: int | None = None

    def describe(self, end: bool) -> str:
        """In words, with the recording as the subject; empty if there is no edge."""
        parts, where = [], "" if self.channel is None else f" in channel {self.channel}"
        if self.fade:
            parts.append(f"fades {'out' if end else 'in'} over {self.fade:.2g} s")
        if self.silence:
            parts.append(f"{'ends' if end else 'starts'} with {self.silence:.2g} s of silence")
        if parts:
            parts[0] += where
        if self.click:
            parts.append(f"has a click at its {'end' if end else 'start'}")
        return " and ".join(parts)


NONE = Edge()


def find_edges(recording: Recording) -> tuple[Edge, Edge]:
    """The edges at the start and at the end of a recording.

    What is left between them is at least `MIN_BODY_SECONDS` long, and `MIN_BODY_FRACTION` of what lies between digital
    silence at the ends; otherwise no edges are found.
    """
    rate, length = recording.sample_rate, recording.length
    context = round(CONTEXT_SECONDS * rate)
    silences = _long_silence(recording, context, end=False), _long_silence(recording, context, end=True)
    if any(silences):
        if length - sum(silences) < MIN_BODY_SECONDS * rate:
            return NONE, NONE
        inner = recording.cut(silences[0], length - silences[1])
        first, last = (
            replace(
                edge,
                seconds=edge.seconds + silent / rate,
                silence=edge.silence + silent / rate,
                channel=edge.channel if edge.fade or not silent else None,  # all of them are silent
            )
            for edge, silent in zip(find_edges(inner), silences, strict=True)
        )
        return first, last
    end = _find_end(recording.cut(max(length - context, 0), length).samples, rate)
    rest = recording.cut(0, min(context, length - round(end.seconds * rate)))
    start = _find_end(rest.samples[:, ::-1], rate)
    if start.seconds > 0:  # what is usual is clearer without it
        end = _find_end(recording.cut(max(length - context, round(start.seconds * rate)), length).samples, rate)
    least = max(MIN_BODY_SECONDS, MIN_BODY_FRACTION * recording.seconds)
    if recording.seconds - start.seconds - end.seconds < least:
        return NONE, NONE
    return start, end


def _long_silence(recording: Recording, context: int, end: bool) -> int:
    """Samples of digital silence at the start or the end, where it is most of what lies there; otherwise 0."""
    length, silent = recording.length, 0
    while silent < length:
        size = min(context, length - silent)
        start = length - silent - size if end else silent
        samples = recording.cut(start, start + size).samples
        sounding = np.flatnonzero(np.abs(samples).max(axis=0) > 10 ** (DIGITAL_DB / 20))
        if len(sounding):
            silent += size - 1 - int(sounding[-1]) if end else int(sounding[0])
            break
        silent += size
    return silent if silent > MOSTLY_SILENT * min(context, length) else 0


def between(recording: Recording, edges: tuple[Edge, Edge]) -> tuple[int, int]:
    """First sample after the edge at the start, and first sample of the one at the end."""
    first, last = (round(edge.seconds * recording.sample_rate) for edge in edges)
    return first, recording.length - last


def without_edges(recording: Recording) -> Recording:
    """What lies between the edges of a recording: its material, which tails are made of and Models are trained on."""
    edges = find_edges(recording)
    return recording if edges == (NONE, NONE) else recording.cut(*between(recording, edges))


def _find_end(samples: np.ndarray, rate: int) -> Edge:
    """The edge at the end of ``[channels, time]`` samples."""
    edge = _level_edge(samples, rate)
    kept = samples.shape[1] - round(edge.seconds * rate)
    click = _click(samples[:, :kept], rate)
    if click == kept:
        return edge
    seconds = (samples.shape[1] - click) / rate
    before = _level_edge(samples[:, :click], rate)  # a click may hide silence before it
    return replace(before, seconds=seconds + before.seconds, silence=before.silence or edge.silence, click=True)


def _level_edge(samples: np.ndarray, rate: int) -> Edge:
    """The fade and the silence at the end of ``[channels, time]`` samples: in all channels, or the first with one."""
    edge = _common_edge(samples, rate)
    if edge != NONE or len(samples) == 1:
        return edge
    powers = np.square(samples, dtype=np.float64).mean(axis=1)
    strong = np.flatnonzero(powers > CHANNEL_FRACTION * powers.max())
    edges = ((channel, _common_edge(samples[channel : channel + 1], rate)) for channel in strong.tolist())
    return next((replace(edge, channel=channel + 1) for channel, edge in edges if edge != NONE), NONE)


def _common_edge(samples: np.ndarray, rate: int) -> Edge:
    """The fade and the silence at the end of all of ``[channels, time]`` samples."""
    profile = Profile.of(samples, rate)
    if profile is None or (profile.run and profile.similar_pauses >= MIN_PAUSES and profile.floor > DIGITAL_DB):
        return NONE
    count = len(profile.levels)
    fade = fit_fade(profile)
    if fade is not None and _is_fade(fade, profile, samples, rate):
        seconds, length = (count - fade.start) * BLOCK_SECONDS, (fade.stop - fade.start) * BLOCK_SECONDS
        if length == 0:
            return Edge(seconds, silence=seconds)
        seconds = min(seconds + BLOCK_SECONDS, (count - 1) * BLOCK_SECONDS)
        return Edge(seconds, fade=length, silence=(count - fade.stop) * BLOCK_SECONDS)
    if profile.run == 0:
        return NONE
    varies = profile.range_db(count // 4, 3 * count // 4) > MAX_RANGE_DB
    if varies and profile.floor > profile.deepest - DEEPER_DB:
        return NONE
    silence = _flat(profile) * BLOCK_SECONDS
    return Edge(silence, silence=silence)


def _is_fade(fade: Fade, profile: Profile, samples: np.ndarray, rate: int) -> bool:
    """Whether a fitted fade leaves enough before it that is steady, and is no natural decay."""
    seconds, body = len(profile.levels) * BLOCK_SECONDS, fade.start * BLOCK_SECONDS
    if body < max(MIN_BODY_SECONDS, MIN_BODY_FRACTION * seconds):
        return False
    range_db, length = profile.range_db(fade.start // 4, fade.start), (fade.stop - fade.start) * BLOCK_SECONDS
    if range_db > MAX_RANGE_DB:
        return False
    steady = range_db < STEADY_DB and body > STEADY_FRACTION * seconds and length < SHORT_SECONDS
    if steady or length < MIN_BANDS_SECONDS:
        return True
    slopes = band_slopes(fade, profile, samples, rate)
    if len(slopes) < 2:
        return True
    return bool(SLOPES[0] <= np.median(slopes) <= SLOPES[1] and abs(_trend(slopes)) <= MAX_TREND)


def _trend(values: np.ndarray) -> float:
    """Change from the first to the last of ``[values]`` by their median slope (Theil 1950, Sen 1968)."""
    first, second = np.triu_indices(len(values), 1)
    return float(np.median((values[second] - values[first]) / (second - first))) * (len(values) - 1)


def _flat(profile: Profile) -> int:
    """Number of blocks at the end that are silence: as flat as noise, or digital."""
    end = float(np.median(profile.levels[-min(profile.run, 10) :]))
    loud = np.flatnonzero(profile.levels[-profile.run :] > max(end + FLAT_DB, DIGITAL_DB))
    silent = profile.run - (int(loud[-1]) + 1 if len(loud) else 0)
    return silent if end <= DIGITAL_DB or silent * BLOCK_SECONDS >= MIN_FLAT_SECONDS else 0


def _click(samples: np.ndarray, rate: int) -> int:
    """Number of samples before a click at the end; all of them if there is none."""
    length, near = samples.shape[1], round(CLICK_SECONDS * rate)
    if length < 8 * near:
        return length
    curvature = np.abs(np.diff(samples, 2, axis=1)).max(axis=0)
    usual = float(curvature[near:-near].max())
    clicks = np.flatnonzero(curvature[-near:] > CLICK_RATIO * usual)
    if len(clicks) == 0 or usual == 0:
        return length
    return length - near + int(clicks[0]) - round(GUARD_SECONDS * rate)
