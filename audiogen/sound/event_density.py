"""Density of events: a tail with a given multiple of the recording's events per second.

An event is a peak that stands out in a group of bands: a crack, a call, a drop, a step. When events fall in the tail is
laid down first, from the recording's own intervals between them in random order, divided by the density; patch
selection then prefers patches with as many events as are due. No more are laid down than in the recording's densest
half second.
"""

from __future__ import annotations

import warnings

import numpy as np
import torch
from torch import Tensor

from audiogen.audio import AudioWarning
from audiogen.dsp.decibels import DB_PER_NEPER
from audiogen.sound.patch_selection import PatchSelector

GROUPS = 6  # of mel bands
PROMINENCE_DB = 6.0  # of an event above the quiet on either side of it, and above the median level
APART_SECONDS = 0.05  # events closer than this, in any groups, are one
SMOOTHING = (0.25, 0.5, 0.25)  # of the levels, over frames
MIN_EVENTS = 4  # in the recording, below which there is nothing to make denser or sparser
COST = 10.0  # of each event too many or too few in a patch, in units of the mean squared distance of two patches
LATE_COST = 1.0  # of an event in the last `LATE_FRAMES` of a patch, whose decay may be cut off
LATE_FRAMES = 2
HISTORY_SECONDS = 1.5  # of the tail, in which events are counted again after each patch
BEFORE_FRAMES = 8  # of the tail, that are looked at together with each patch
QUIET_FRAMES = 40  # of the tail, whose minimum a peak stands out from
OPEN_FRAMES = 5  # at the end of a patch, at which a peak need not fall off yet
MAX_PATCHES = 8000  # looked at; of more, every second (third, ...)
MARGIN_SECONDS = 0.3  # of it: events this close to its edges may change yet
DENSEST_SECONDS = 0.5  # window of the densest part


def find_events(frames: Tensor, n_mels: int, frame_rate: float, usual: np.ndarray | None = None) -> np.ndarray:
    """Find the events in log-mel frames.

    Args:
        frames: ``[time, channels * n_mels]``; only the first principal channel is searched.
        n_mels: bands of a channel.
        frame_rate: frames per second.
        usual: ``[GROUPS]`` median level of each group of bands, dB; None for that of the frames.

    Returns:
        ``[events]`` frames of their peaks, ascending.
    """
    from scipy.signal import find_peaks

    levels = group_levels(frames, n_mels)
    usual = np.median(levels, axis=0) if usual is None else usual
    found = [
        find_peaks(level, height=median + PROMINENCE_DB, prominence=PROMINENCE_DB)[0]
        for level, median in zip(levels.T, usual, strict=True)
    ]
    peaks = np.unique(np.concatenate(found))
    # Of peaks that follow one another closely, the first is the event.
    events: list[int] = []
    for peak in peaks.tolist():
        if not events or peak - events[-1] >= APART_SECONDS * frame_rate:
            events.append(peak)
    return np.array(events, dtype=int)


def group_levels(frames: Tensor, n_mels: int) -> np.ndarray:
    """Level ``[time, GROUPS]`` of groups of mel bands in dB, smoothed over time."""
    return _smoothed(torch.from_numpy(_raw_levels(frames, n_mels))[None])[0].numpy()


def _raw_levels(frames: Tensor, n_mels: int) -> np.ndarray:
    groups = [group.mean(1) for group in frames[:, :n_mels].tensor_split(GROUPS, dim=1)]
    return torch.stack(groups, dim=1).double().numpy() * DB_PER_NEPER


def _smoothed(levels: Tensor) -> Tensor:
    """Levels ``[..., time, GROUPS]``, smoothed over time."""
    padded = torch.cat([levels[:, :1], levels, levels[:, -1:]], dim=1)
    before, at, after = SMOOTHING
    return before * padded[:, :-2] + at * padded[:, 1:-1] + after * padded[:, 2:]


class EventDensity:
    """A cost of patch selection that makes events fall as densely as requested.

    Args:
        selection: of the tail; its costs get this one; its lockout shrinks, since some patches are used more often.
        n_mels: bands of a channel.
        density: events per second, as a multiple of the recording's.
        seed: of the order of the intervals.

    Warns:
        AudioWarning: the recording has hardly any events, or is nowhere as dense.
    """

    def __init__(self, selection: PatchSelector, n_mels: int, density: float, seed: int) -> None:
        self.selection, self.n_mels = selection, n_mels
        self.rate = selection.representation.options.spec.frame_rate
        frames = selection.frames
        self.usual = np.median(group_levels(frames, n_mels), axis=0)
        events = find_events(frames, n_mels, self.rate, self.usual)
        self.every = max(len(selection.starts) // MAX_PATCHES, 1)
        raw = torch.from_numpy(_raw_levels(frames, n_mels)).float()
        self.patches = raw.unfold(0, selection.patch, 1).transpose(1, 2)[selection.starts[:: self.every]]
        self.loud = torch.from_numpy(self.usual).float() + PROMINENCE_DB
        inside = np.searchsorted(events, selection.starts.numpy() + selection.patch)
        self.counts = torch.from_numpy(inside - np.searchsorted(events, selection.starts.numpy()))
        self.factor = self._reachable(events, density)
        intervals = np.diff(events, prepend=events[-1] - len(frames)) if len(events) else np.array([len(frames)])
        self.intervals = intervals / max(self.factor, 1e-6)
        self.random = np.random.default_rng(seed)
        self.next_event = float(self.random.choice(self.intervals)) * self.random.random()
        self.history = frames[:0]
        self.history_end = 0  # frame of the tail at which the history ends
        self.counted, self.counted_until = 0, 0  # events of the tail before a frame of it
        self.laid_down = 0  # events that should have fallen by the end of the next patch
        if len(events) >= MIN_EVENTS:
            self._expect_events()
            selection.lockout = round(selection.lockout / max(self.factor, 1 / self.factor))
            selection.costs.append(self)

    def _reachable(self, events: np.ndarray, density: float) -> float:
        """The density, or that of the recording's densest half second."""
        seconds = len(self.selection.frames) / self.rate
        if len(events) < MIN_EVENTS:
            text = f"it has {len(events)} distinct events in {seconds:.0f} s, so that --density changes nothing"
            warnings.warn(f"density: {text}", AudioWarning, stacklevel=2)
            return 1.0
        window = round(DENSEST_SECONDS * self.rate)
        densest = max(int(((events >= first) & (events < first + window)).sum()) for first in events)
        limit = max(densest / DENSEST_SECONDS / (len(events) / seconds), 1.0)
        if density > limit:
            text = f"the recording's densest half second has {limit:.1f} times its usual events, which is reached"
            warnings.warn(f"density: {density:g} is out of reach: {text}", AudioWarning, stacklevel=2)
        return min(density, limit)

    def _expect_events(self) -> None:
        """Move the mean and variance that feedback holds to those of the patches as they will be used."""
        selection = self.selection
        weights = torch.where(self.counts > 0, self.factor, 1.0)
        weights = weights / weights.sum()
        selection.mean = weights @ selection.latents
        deviations = ((selection.latents - selection.mean) * selection.weights).square().sum(1)
        selection.variance *= float(weights @ deviations / selection.searched.var(0, correction=0).sum())

    def __call__(self) -> Tensor:
        """Cost ``[patches]`` of each patch as the next one."""
        self._count()
        end = self.history_end + self.selection.patch
        while self.next_event < end:
            self.laid_down += 1
            self.next_event += self._interval()
        due = min(max(self.laid_down - self._so_far, 0), int(self.counts.max()))
        costs = torch.full((len(self.counts),), torch.inf)
        made, late = self._events_made()
        costs[:: self.every] = COST * (made - due).abs() + LATE_COST * late
        return costs

    def _interval(self) -> float:
        """Frames to the next event: one of the recording's intervals, or of two that which keeps to the density."""
        one, other = self.random.choice(self.intervals, 2)
        ahead = self.laid_down - self.next_event / float(self.intervals.mean())
        return float(max(one, other) if ahead > 0.5 else min(one, other) if ahead < -0.5 else one)

    def _events_made(self) -> tuple[Tensor, Tensor]:
        """How many events ``[patches / every]`` each patch would make after the tail so far, and if one is at its end.

        A peak that the end of the tail becomes by what follows counts; so does a rise that a patch ends in.
        """
        before = torch.from_numpy(_raw_levels(self.history[-BEFORE_FRAMES:], self.n_mels)).float()
        known = max(len(before) - 1, 0)
        levels = torch.cat([before.expand(len(self.patches), -1, -1), self.patches], dim=1)
        levels = _smoothed(levels)
        quiet = torch.from_numpy(group_levels(self.history[-QUIET_FRAMES:], self.n_mels)).float()
        quiet = quiet.amin(0) if len(quiet) else torch.full((GROUPS,), torch.inf)
        rise = levels - torch.minimum(levels.cummin(1).values, quiet)
        after = levels.flip(1).cummin(1).values.flip(1)
        falls = levels - after >= PROMINENCE_DB / 2
        falls[:, -OPEN_FRAMES:] = True  # what comes after the patch is not known yet
        following = torch.cat([levels[:, 1:], levels[:, -1:]], dim=1)
        previous = torch.cat([levels[:, :1], levels[:, :-1]], dim=1)
        peaks = (levels >= following) & (levels > previous) & (rise >= PROMINENCE_DB) & falls & (levels > self.loud)
        found = peaks.any(2)
        spacing = max(round(APART_SECONDS * self.rate), 1)
        recent = torch.nn.functional.pad(found.float(), (spacing, 0))[:, :-1].unfold(1, spacing, 1).amax(2) > 0
        return (found & ~recent)[:, known:].sum(1), found[:, -LATE_FRAMES:].any(1)

    def _count(self) -> None:
        """Count the events of the tail again, of which the latest patch may have made or unmade one."""
        selection = self.selection
        if selection.last < 0:
            self._so_far = 0
            return
        latest = selection.frames[selection.last : selection.last + selection.patch]
        self.history = torch.cat([self.history, latest])[-round(HISTORY_SECONDS * self.rate) :]
        self.history_end += len(latest)
        events = find_events(self.history, self.n_mels, self.rate, self.usual) + self.history_end - len(self.history)
        until = self.history_end - round(MARGIN_SECONDS * self.rate)
        self.counted += int(((events >= self.counted_until) & (events < until)).sum())
        self.counted_until = max(until, self.counted_until)
        self._so_far = self.counted + int((events >= self.counted_until).sum())
