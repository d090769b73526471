"""Rendering: mel frames that follow a prompt -> samples of its channels at its rate, with its texture, level and peak.

The second half of the signal flow (`continuation.py` has the first, and the join), in the order of the signal:
`TailRenderer.rendered` and `TailRenderer.residual` are what one segment of a tail needs, `TailRenderer.with_partials`
runs on over all segments.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import copy
from functools import lru_cache
from itertools import count
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from audiogen.audio import Resampler
from audiogen.audio.resampling import resample
from audiogen.dsp.limiter import LookaheadLimiter, peak_of
from audiogen.representation.mel import MelSpec
from audiogen.sound.controls import KEPT_TILTS, NEUTRAL, Controls, SpectralTilt, tilts_of
from audiogen.sound.event_density import CONTEXT_SECONDS, EventDensity, EventMaterial
from audiogen.sound.level_guard import LevelGuard
from audiogen.sound.partial_continuation import PartialContinuation
from audiogen.sound.patch_selection import Patch, Played
from audiogen.sound.prompt_analysis import PromptAnalysis, PromptParts
from audiogen.sound.texture_matching import StatisticsMatcher
from audiogen.vocoders.base import Vocoder

RESAMPLER_WARM_UP = 8192  # samples of the prompt that prime the resampling filter
MATCHED_SECONDS = 120.0  # of the end of the material, whose texture statistics tails are given
FIRST_SECTIONS = (2, 3, 3, 5, 8)  # seconds of texture matching when a tail is taken up, each made while others play
SOON_MATCHED_SECONDS = 30.0  # the same as `MATCHED_SECONDS` for them
MAX_MATCHERS = 3  # that are kept
PAST_SECONDS = 1.0  # of the end of the prompt, that filters start from


class Chunk(NamedTuple):
    """Mel frames to render.

    Args:
        frames: ``[time, channels * n_mels]`` log-mel frames of the principal channels, side by side.
        positions: ``[time]`` frames of the material that they were selected from; None if unknown.
    """

    frames: Tensor
    positions: Tensor | None = None


class Past(NamedTuple):
    """What a segment of a tail follows, if not the prompt.

    Args:
        samples: ``[channels, time]`` float32 at the rate of the mel frames, without partials: the last second or so,
            or all there are.
        played: the patches that they were made of, and whether they are held.
    """

    samples: np.ndarray
    played: Played


def noted(chunks: Iterable[Chunk], note: Callable[[Chunk], None]) -> Iterator[Chunk]:
    """The chunks, each shown to ``note`` before it is used."""
    for chunk in chunks:
        note(chunk)
        yield chunk


def positions_of(patches: Sequence[Patch]) -> Tensor | None:
    """Positions ``[time]`` of the frames of consecutive patches in the material; None if one is not the material's."""
    positions = []
    for patch in patches:
        if patch.start is None:
            return None
        positions.append(patch.start + torch.arange(len(patch.frames)))
    return torch.cat(positions)


def render(
    vocoder: Vocoder, prompt: PromptAnalysis, chunks: Iterable[Chunk], seed: int, past: Tensor | None = None
) -> Iterator[np.ndarray]:
    """Render what follows a prompt.

    Args:
        vocoder: its stream continues the phases of the prompt.
        prompt: whose rotation to principal channels is undone here.
        chunks: frames to render; the Vocoder's source is the prompt's material.
        seed: of the Vocoder's random phases, if it has any.
        past: ``[channels, time]`` principal channels that come before; None for those of the prompt.

    Yields:
        ``[channels, time]`` samples at the rate of the Vocoder's spec; may be empty.
    """
    channels = prompt.channels
    stream = vocoder.open(channels, prompt.join_partner.samples if past is None else past, seed)
    for chunk in chunks:
        frames = chunk.frames.unflatten(1, (channels, -1)).transpose(0, 1)
        samples = stream.push(frames) if chunk.positions is None else stream.push_selected(frames, chunk.positions)
        yield prompt.to_channels(samples.numpy())


def resample_after(past: np.ndarray, blocks: Iterable[np.ndarray], rate: int, new_rate: int) -> Iterator[np.ndarray]:
    """Resample a signal that continues another one, without a transient at its start.

    Args:
        past: ``[channels, time]`` at ``rate``: the end of the signal before, `RESAMPLER_WARM_UP` samples or all there
            are. It primes the filter; the output that corresponds to it is dropped.
        blocks: ``[channels, time]`` at ``rate``.
        rate: Hz, of the input.
        new_rate: Hz, of the output.

    Yields:
        ``[channels, time]`` at ``new_rate``, not empty.
    """
    resampler = Resampler(rate, new_rate, len(past))
    drop = round(past.shape[1] * new_rate / rate)
    waiting = [resampler.push(past)]
    for block in blocks:
        if block.shape[1] == 0:
            continue
        waiting.append(resampler.push(block))
        output = np.concatenate(waiting, axis=1)
        waiting = []
        dropped = min(drop, output.shape[1])
        drop -= dropped
        if output.shape[1] > dropped:
            yield output[:, dropped:]


class TailRenderer:
    """Renders the mel frames of a prompt's tails, and holds them to its texture, level and peak.

    Args:
        parts: of the prompt.
        analysis: of the prompt.
        spec: of the frames.
        vocoder: of the material, from its first whole frame on.
        pause: called every few hundredths of a second of texture matching; what it raises abandons the tail.

    Attributes:
        corrections: in the latest tail, dB: ``texture_gain_rms_db``, the RMS gain of texture matching in the latest
            section, and ``largest_level_db``, the level guard's largest.
        density: what changes the density of events in the latest tail; None at the recording's own.
        matched: whether the texture statistics of the latest tail were matched to the prompt's.
        events: brightness -> events of the material, found once.
    """

    def __init__(
        self,
        parts: PromptParts,
        analysis: PromptAnalysis,
        spec: MelSpec,
        vocoder: Vocoder,
        pause: Callable[[], None] | None = None,
    ) -> None:
        self.parts, self.analysis, self.spec, self.vocoder, self.pause = parts, analysis, spec, vocoder, pause
        self.corrections: dict[str, float] = {}
        self.density: EventDensity | None = None
        self.matched = False
        partials = analysis.partials
        self._tones = () if partials is None else partials.tones
        self._tilt = tilts_of(analysis.level_reference.samples.numpy(), spec.sample_rate, self._tones)
        self._peak, self.events = lru_cache(KEPT_TILTS)(self._find_peak), lru_cache(2)(self._find_events)
        self._matchers: dict[tuple[float, ...], StatisticsMatcher] = {}
        self._lock = threading.Lock()  # of tilts and matchers: what the threads of several tails share is made once
        self._set: Iterator[int] | None = None  # numbers of the tails of a set

    def rendered(self, chunks: Iterable[Chunk], seed: int, past: Past | None = None) -> Iterator[np.ndarray]:
        """Render mel frames, with the texture and the level that they happen to have.

        Args:
            chunks: frames of the principal channels.
            seed: of the Vocoder.
            past: what the frames follow; None for the prompt.

        Yields:
            ``[channels, time]`` float32 at the rate of the frames' spec; may be empty.
        """
        prompt = self.analysis
        before = prompt.join_partner.samples if past is None else torch.from_numpy(prompt.to_principal(past.samples))
        number = 0 if self._set is None else next(self._set)
        vocoder = self.vocoder.with_other_phases(number) if number else self.vocoder  # of a set, the first is as usual
        return render(vocoder, prompt, chunks, seed, before)

    def residual(
        self,
        blocks: Iterable[np.ndarray],
        seed: int,
        controls: Controls,
        temperature: float | None,
        past: Past | None = None,
    ) -> Iterator[np.ndarray]:
        """Hold what was `rendered` to the prompt's texture and level, without its partials.

        Args:
            blocks: ``[channels, time]`` at the rate of the frames' spec.
            seed: of the events that are added or left out.
            controls: of which brightness and density are applied here.
            temperature: variance of the levels of bands, for texture matching; None leaves that out.
            past: what the blocks follow; None for the prompt.

        Yields:
            ``[channels, time]`` float32 at the prompt's rate.
        """
        prompt, rate, new_rate = self.analysis, self.spec.sample_rate, self.parts.recording.sample_rate
        if past is None:
            samples = prompt.to_channels(prompt.join_partner.samples[:, -round(PAST_SECONDS * rate) :].numpy())
        else:
            samples = past.samples
        held = past is not None and past.played.held  # what is held keeps its statistics and its level by itself
        with self._lock:  # tails side by side share them
            tilt, peak = self._tilt(controls.brightness), self._peak(controls.brightness)
        guard = LevelGuard(tilt.reference, rate, new_rate, peak, prompt.join_partner.rotation)

        blocks = map(tilt.after(samples, ramped=past is None), blocks)
        self.matched = False  # so far
        if temperature is not None:
            blocks = self._matched(blocks, samples, tilt, temperature, not held, past)
        blocks = resample_after(samples[:, -RESAMPLER_WARM_UP:], blocks, rate, new_rate)
        if not held:
            blocks = self._guarded(blocks, guard)
        density = self.density = self._density(controls, seed, past)
        return iter(blocks) if density is None else density(blocks)

    def _matched(
        self,
        blocks: Iterable[np.ndarray],
        samples: np.ndarray,
        tilt: SpectralTilt,
        temperature: float,
        statistics: bool,
        past: Past | None = None,
    ) -> Iterator[np.ndarray]:
        """Blocks ``[channels, time]`` that follow ``samples``, with the texture statistics of the (tilted) material."""
        seconds, rate = MATCHED_SECONDS if past is None else SOON_MATCHED_SECONDS, self.spec.sample_rate
        material = self.analysis.level_reference.samples[:, -round(seconds * rate) :].numpy()
        key = (tilt.slope, temperature, statistics, material.shape[1])
        with self._lock:
            known = self._matchers.pop(key, None)
            if known is None:
                source = self.analysis.to_channels(tilt.whole(material))
                known = StatisticsMatcher(source, rate, temperature, statistics)
            self._matchers[key] = known  # the latest comes last
            while len(self._matchers) > MAX_MATCHERS:
                del self._matchers[next(iter(self._matchers))]
        self.matched = known.matches_statistics
        matcher = copy(known)  # whose change is that of this tail
        sections = () if past is None else FIRST_SECTIONS
        for block in matcher(blocks, samples, sections, self.pause):
            self.corrections["texture_gain_rms_db"] = round(matcher.change, 2)
            yield block

    def _guarded(self, blocks: Iterable[np.ndarray], guard: LevelGuard) -> Iterator[np.ndarray]:
        """Blocks ``[channels, time]`` at the level and stereo image of the reference."""
        for block in blocks:
            held = guard(block)
            self.corrections["largest_level_db"] = round(guard.largest, 2)
            yield held

    def _density(self, controls: Controls, seed: int, past: Past | None) -> EventDensity | None:
        """What changes the density of events; None at the recording's own."""
        if controls.density == NEUTRAL.density:
            return None
        before = None if past is not None else self._before_tail()
        return EventDensity(self.events(controls.brightness), before, controls.density, seed)

    def _find_events(self, brightness: float) -> EventMaterial:
        """The events of the material without its tones, which the tail is given later; as many at any brightness."""
        partials, rate = self.analysis.partials, self.parts.recording.sample_rate
        samples = self.parts.material.samples if partials is None else partials.residual.samples
        if brightness:
            tilted = SpectralTilt(brightness, samples, rate, self._tones).reference
            return self.events(NEUTRAL.brightness).coloured(tilted)
        return EventMaterial(samples, rate)

    def _before_tail(self) -> np.ndarray:
        """``[channels, time]`` samples just before the tail, without tones, as those of the tail are here."""
        partials, recording = self.analysis.partials, self.parts.join_partner
        if partials is None:
            return recording.samples
        if self.parts.joins_material:
            return partials.residual.samples
        end = self.analysis.join_partner.samples[:, -round(CONTEXT_SECONDS * self.spec.sample_rate) :].numpy()
        return resample(self.analysis.to_channels(end), self.spec.sample_rate, recording.sample_rate)

    def with_partials(
        self, residual: Iterable[np.ndarray], seed: int, controls: Controls, temperature: float = 1.0
    ) -> Iterator[np.ndarray]:
        """Add the prompt's partials to a residual, and limit its peaks.

        Args:
            residual: blocks ``[channels, time]`` from the join on, of one segment after the other.
            seed: of the partials' movement.
            controls: of which the brightness is applied here.
            temperature: variance of the levels of partials.

        Yields:
            ``[channels, time]`` float32.
        """
        partials = self.analysis.partials
        # Overlapping segments can add up to peaks beyond any of the recording.
        limiter = LookaheadLimiter(self._peak(controls.brightness), self.parts.recording.sample_rate)
        if partials is None:
            return limiter(residual)
        gains = self._partial_gains(controls.brightness)
        added = PartialContinuation(partials, seed, temperature, gains, self.parts.gap)
        return limiter(added.added_to(residual))

    def _partial_gains(self, brightness: float) -> np.ndarray | None:
        """Gains ``[partials]`` in dB by the brightness; None without one."""
        if not brightness or self.analysis.partials is None:
            return None
        return np.array([self._tilt(brightness).gain(hertz) for hertz, _ in self._tones])

    def _find_peak(self, brightness: float) -> float:
        """Largest magnitude of the material; with a tilt, the tilted prompt is the reference."""
        if not brightness:
            return peak_of(self.parts.material.samples)
        peak = peak_of(self.analysis.to_channels(self._tilt(brightness).reference))
        partials, gains = self.analysis.partials, self._partial_gains(brightness)
        return peak + (0.0 if partials is None else peak_of(partials.synthesise(gains)))

    @property
    def level(self) -> float:
        """Level that tails are held at, dB."""
        reference = self.analysis.level_reference.samples.numpy()
        guard = LevelGuard(reference, self.spec.sample_rate, self.parts.recording.sample_rate)
        partials = self.analysis.partials
        tones = 0.0 if partials is None else self.analysis.channels * sum(power for _, power in partials.tones)
        return float(10 * np.log10(np.trace(guard.target) + tones + 1e-20))

    def keep_tails_distinct(self) -> None:
        """From now on, give each tail the material's waveform with other phases, so that what it shares differs."""
        self._set = count()

    def for_one_tail(self, pause: Callable[[], None] | None) -> TailRenderer:
        """The same with its own account of the latest tail; what has been computed of the prompt is shared."""
        twin = copy(self)
        twin.corrections, twin.density, twin.matched, twin.pause = {}, None, False, pause
        return twin
