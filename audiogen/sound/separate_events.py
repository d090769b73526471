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

PROMINENCE_DB = 6.0  # of an event above the median level, which is the bed's where events fill less than half the time
MAX_FILLED = 0.5  # of the time that separate events fill
MIN_ENERGY = 0.97  # of the energy that is theirs
MAX_SECONDS = 1.5  # of one; longer ones are no events
MIN_EVENTS = 3
GAP_SECONDS = 0.05  # shorter gaps are of one event
FACTORS = (1.08, 0.926)  # of pitch and speed of the varied material
VARIED_SECONDS = 60.0  # of the end of a recording that are varied
CROSSFADE_SECONDS = 0.01
LOCKED_OUT, LOCKOUT_SECONDS = 0.6, 60.0  # of the material, within which nothing is played again; at most


class SeparateEvents:
    """Events in frames of material: the varied ones, of which a tail is made, then those of the recording as it is.

    Args:
        events: ``[time]``, the number of the event that each frame is part of, from 1 on, and 0 between events.
        varied: frames at the beginning that are varied; 0 if none are, and all may be played.

    Attributes:
        count: of the events of the recording as it is.
    """

    def __init__(self, events: Tensor, varied: int = 0) -> None:
        self.count = len(events[varied:][events[varied:] > 0].unique())
        self.within = torch.nn.functional.pad((events[1:] == events[:-1]) & (events[1:] > 0), (1, 0))
        self.unvaried = torch.nn.functional.pad(events[varied:] > 0, (varied, 0)) if varied else self.within

    def goes_on(self, frame: int) -> bool:
        """Whether an event that has begun goes on at a frame; not outside the material."""
        return 0 <= frame < len(self.within) and bool(self.within[frame])

    def barred(self, starts: Tensor, patch: int) -> Tensor:
        """Which patches of ``patch`` frames begin within an event, or play some of one that is not varied."""
        played = torch.nn.functional.pad(self.unvaried.long().cumsum(0), (1, 0))
        return self.within[starts] | (played[starts + patch] > played[starts])


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


def find_separate_events(frames: Tensor, frame_rate: float) -> SeparateEvents | None:
    """Find the events of a recording that is made of separate events, and of hardly anything else.

    Args:
        frames: ``[time, bands]`` log-mel frames (natural logarithms of magnitudes).
        frame_rate: frames per second.

    Returns:
        The events; None if the recording is not made of separate events.
    """
    if not len(frames):
        return None
    power, spans = _find(frames, frame_rate)
    events = _numbered(spans, len(frames))
    within = events > 0
    longest = max((end - start for start, end in spans), default=0)
    separate = (
        len(spans) >= MIN_EVENTS
        and longest <= MAX_SECONDS * frame_rate
        and float(within.double().mean()) <= MAX_FILLED
        and float(power[within].sum() / power.sum()) >= MIN_ENERGY
    )
    return SeparateEvents(events) if separate else None


def find_varied_events(frames: Tensor, frame_rate: float, varied: int) -> SeparateEvents:
    """Find the events of material `with_variations`, of which the first ``varied`` frames are those."""
    return SeparateEvents(_numbered(_find(frames, frame_rate)[1], len(frames)), varied)


def _find(frames: Tensor, frame_rate: float) -> tuple[Tensor, list[tuple[int, int]]]:
    """Power ``[time]``, and spans ``[start, end)`` in which it exceeds the median by `PROMINENCE_DB`."""
    power = frames.double().mul(2).exp().sum(1)
    loud = power > power.median() * 10 ** (PROMINENCE_DB / 10)
    return power, _joined(loud, round(GAP_SECONDS * frame_rate))


def _numbered(spans: list[tuple[int, int]], count: int) -> Tensor:
    """The number, from 1 on, of the span that each of ``count`` frames is in; 0 outside them."""
    events = torch.zeros(count, dtype=torch.long)
    for number, (start, end) in enumerate(spans, 1):
        events[start:end] = number
    return events


def _joined(loud: Tensor, gap: int) -> list[tuple[int, int]]:
    """Spans ``[start, end)`` of loud frames; those less than ``gap`` frames from each other are one."""
    edges = torch.diff(torch.nn.functional.pad(loud.long(), (1, 1))).nonzero().squeeze(1).tolist()
    spans = list[tuple[int, int]]()
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        if spans and start - spans[-1][1] < gap:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
    return spans
