"""Separate events (drips, steps, calls): where a recording is nothing but these and a quiet bed, they are kept whole.

Patches of 93 ms put together by likeness would begin a drip in its middle, and leave another one out. And whatever half
second one loud event lies in is like every other half second that it lies in, so that all would be copies. Here,
events begin at their beginning and are played to their end, and so that none is a copy, the material is the recording
a little higher and faster, and a little lower and slower; of the recording as it is, only what lies between events.
Those are not compared by correlation, which the events would decide.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from audiogen.audio import Recording, resample
from audiogen.dsp.mask_spans import mask_spans

PROMINENCE_DB = 6.0  # of an event above the median level, which is the bed's where events fill less than half the time
MAX_FILLED = 0.5  # of the time that separate events fill
MIN_ENERGY = 0.97  # of the energy that is theirs
MAX_SECONDS = 1.5  # of one; longer ones are no events
MIN_EVENTS = 3
GAP_SECONDS = 0.05  # shorter gaps are of one event
FACTORS = (1.08, 0.926)  # of pitch and speed of the varied material
VARIED_SECONDS = 60.0  # of the end of a recording that are varied
CROSSFADE_SECONDS = 0.01
LOCKED_OUT, LEAST_LOCKED_OUT = 0.6, 1 / 3  # of the material, within which nothing is played again; of few events
LOCKOUT_SECONDS = 60.0  # the same at most
MIN_FREE = 6  # varied events that should be left to choose from, lest there be long pauses


class SeparateEvents:
    """Events in frames of material `with_variations`, of which a tail plays the varied ones.

    Args:
        frames: ``[time, bands]`` log-mel frames (natural logarithms of magnitudes).
        frame_rate: frames per second.
        varied: frames at the beginning that are varied.

    Attributes:
        varied: frames at the beginning that are varied.
        count: of the events of the recording as it is.
        lockout_seconds: for which a place that was played is not played again.
    """

    def __init__(self, frames: Tensor, frame_rate: float, varied: int) -> None:
        _, spans = _find(frames, frame_rate)
        inside = _inside(spans, len(frames))
        self.varied = varied
        self.count = sum(end > varied for _, end in spans)
        self.within = inside.clone()  # an event that has begun goes on
        self.within[[start for start, _ in spans]] = False
        unvaried = torch.cat([torch.zeros(varied, dtype=torch.bool), inside[varied:]])
        self.unvaried_before = torch.nn.functional.pad(unvaried.long().cumsum(0), (1, 0))  # how many frames of events
        self.lockout_seconds = min(self._locked_out(len(spans) - self.count, len(frames)) / frame_rate, LOCKOUT_SECONDS)

    def _locked_out(self, varied: int, frames: int) -> float:
        """Frames of material, with events as dense as in it, that leave `MIN_FREE` varied events to choose from."""
        leaving = (varied - MIN_FREE) / max(self.count, 1) * (frames - self.varied)
        return min(max(leaving, LEAST_LOCKED_OUT * frames), LOCKED_OUT * frames)

    def goes_on(self, frame: int, patch: int) -> bool:
        """Whether an event that has begun goes on at a frame, and the material for a patch of frames from there."""
        return frame + patch <= len(self.within) and bool(self.within[frame])

    def barred(self, starts: Tensor, patch: int) -> Tensor:
        """Which patches of ``patch`` frames begin within an event, or play some of one that is not varied."""
        return self.within[starts] | (self.unvaried_before[starts + patch] > self.unvaried_before[starts])


def with_variations(recording: Recording) -> Recording:
    """The end of a recording at other speeds, by `FACTORS`, one after the other, and then the recording."""
    rate = recording.sample_rate
    end = recording.samples[:, -round(VARIED_SECONDS * rate) :]
    parts = [resample(end, round(rate * factor), rate) for factor in FACTORS]
    joined, fade = parts[0], round(CROSSFADE_SECONDS * rate)
    ramp = np.linspace(0, 1, fade, dtype=np.float32)
    for part in [*parts[1:], recording.samples]:
        crossed = joined[:, -fade:] * (1 - ramp) + part[:, :fade] * ramp
        joined = np.concatenate([joined[:, :-fade], crossed, part[:, fade:]], axis=1)
    return Recording(joined, rate, layout=recording.layout)


def has_separate_events(frames: Tensor, frame_rate: float) -> bool:
    """Whether a recording is made of separate events, and of hardly anything else.

    Args:
        frames: ``[time, bands]`` log-mel frames (natural logarithms of magnitudes).
        frame_rate: frames per second.
    """
    if not len(frames):
        return False
    power, spans = _find(frames, frame_rate)
    inside = _inside(spans, len(frames))
    longest = max((end - start for start, end in spans), default=0)
    return (
        len(spans) >= MIN_EVENTS
        and longest <= MAX_SECONDS * frame_rate
        and float(inside.double().mean()) <= MAX_FILLED
        and float(power[inside].sum() / power.sum()) >= MIN_ENERGY
    )


def _find(frames: Tensor, frame_rate: float) -> tuple[Tensor, list[tuple[int, int]]]:
    """Power ``[time]``, and spans ``[start, end)`` in which it exceeds the median by `PROMINENCE_DB`."""
    power = frames.double().mul(2).exp().sum(1)
    loud = power > power.median() * 10 ** (PROMINENCE_DB / 10)
    return power, _joined(loud, round(GAP_SECONDS * frame_rate))


def _inside(spans: list[tuple[int, int]], count: int) -> Tensor:
    """Which of ``count`` frames are in one of the spans."""
    inside = torch.zeros(count, dtype=torch.bool)
    for start, end in spans:
        inside[start:end] = True
    return inside


def _joined(loud: Tensor, gap: int) -> list[tuple[int, int]]:
    """Spans ``[start, end)`` of loud frames; those less than ``gap`` frames from each other are one."""
    spans = list[tuple[int, int]]()
    for start, end in mask_spans(loud.numpy()).tolist():
        if spans and start - spans[-1][1] < gap:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
    return spans
