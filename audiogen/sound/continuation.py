"""Continuation of a recording: the signal flow from the end of a prompt to the samples that follow it.

The stages, in order, each in a file of its own; `Continuer.tail`, `Continuer.frames_after` and `Continuer.samples_of`
chain them as generators, so that a tail of any length needs constant memory::

    prompt analysis       prompt_analysis.py   material (without fades: fade_detection.py), join partner, level
                                               reference; partials and residual
    prediction            context_predictor.py what follows in a context like the tail's; predictor.py: a Model draws
                                               the latent of the next patch, run_mixture.py: several do
    patch selection       patch_selection.py   the patch of the material nearest to it, under constraints
    spectrum guard        spectrum_guard.py    correction of the mean mel spectrum
    vocoder, rotation     rendering.py         mel frames -> principal channels -> channels
    tilt                  controls.py          brightness
    texture matching      texture_matching.py  band gains that match texture statistics and level variance
    resampling            rendering.py         to the prompt's rate
    level guard           level_guard.py       correction of level and stereo image
    density               event_density.py     events taken out of the tail, or added to it
    partials              partial_continuation.py  the prompt's tones, continued in phase
    limiter               dsp/limiter.py       peaks within the prompt's own
    gain                  controls.py          level
    join                  join.py              extrapolation of the prompt, cross-faded into the tail
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch

from audiogen.audio import Recording
from audiogen.dsp.limiter import LookaheadLimiter, peak_of
from audiogen.models.base import FrameModel
from audiogen.progress import checkpoint
from audiogen.run import Run, mel_representation
from audiogen.sound.context_predictor import PREDICTORS, ContextPredictor
from audiogen.sound.controls import NEUTRAL, Controls, Gain, SpectralTilt
from audiogen.sound.event_density import EventDensity, EventMaterial
from audiogen.sound.join import join_to_prompt, silence
from audiogen.sound.level_guard import LevelGuard
from audiogen.sound.partial_continuation import PartialContinuation
from audiogen.sound.patch_selection import Played
from audiogen.sound.predictor import Predictor
from audiogen.sound.prompt_analysis import PromptAnalysis, PromptParts, analyse_prompt
from audiogen.sound.rendering import RESAMPLER_WARM_UP, Chunk, Past, noted, positions_of, render, resample_after
from audiogen.sound.run_mixture import MixturePredictor, RunMixture
from audiogen.sound.spectrum_guard import SpectrumGuard
from audiogen.sound.texture_matching import StatisticsMatcher
from audiogen.vocoders.base import Vocoder
from audiogen.vocoders.registry import VOCODERS
from audiogen.vocoders.registry import build as build_vocoder

PATCHES_PER_CHUNK = 8
MATCHED_SECONDS = 120.0  # of the end of the material, whose texture statistics tails are given
FIRST_SECTIONS = (2, 3, 3, 5, 8)  # seconds of texture matching when a tail is taken up, each made while others play
SOON_MATCHED_SECONDS = 30.0  # the same as `MATCHED_SECONDS` for them
MAX_MATCHERS = 3  # that are kept
PAST_SECONDS = 1.0  # of the end of the prompt, that filters start from


@dataclass
class Continuer:
    """A prompt, analysed, and a Run primed with it: generates any number of tails.

    Args:
        run: what predicts: one Run, as its configuration key ``predictor`` says, or the Models of several together.
        prompt: the recording to continue: all of it, or divided by purpose (`divide_prompt`).
        vocoder: kind of Vocoder, instead of the (first) Run's own.
        match_texture: match each tail's texture statistics to the prompt's (`StatisticsMatcher`). Without, and for
            baselines, patches are rendered as they are selected.
        make_predictor: of a single Run: a control in place of its own (`control_predictors.CONTROLS`).

    Attributes:
        pause: called every few hundredths of a second of work; what it raises abandons the tail. By default
            `progress.checkpoint`.
        spec: of the mel frames.
        parts: of the prompt.
        analysis: of the prompt.
        frames: ``[time, channels * n_mels]`` of the material, all principal channels.
        predictor: the Run, primed with the prompt.
        drift_guard: corrections in the latest tail, dB: the guards' largest, and as ``texture_gain_rms_db`` the RMS
            gain of texture matching in the latest section.
        density: what changes the density of events in the latest tail; None at the recording's own.
    """

    run: Run | RunMixture
    prompt: Recording | PromptParts
    vocoder: str | None = None
    match_texture: bool = True
    make_predictor: Callable[[Run, PromptAnalysis], Predictor] | None = None
    pause: Callable[[], None] | None = field(init=False, default_factory=lambda: checkpoint)
    parts: PromptParts = field(init=False)
    analysis: PromptAnalysis = field(init=False)
    drift_guard: dict[str, float] = field(init=False, default_factory=dict)
    density: EventDensity | None = field(init=False, default=None)
    _event_material: tuple[float, EventMaterial] | None = field(init=False, default=None)
    _matchers: dict[tuple[float, ...], StatisticsMatcher] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.first = self.run if isinstance(self.run, Run) else self.run.runs[0]
        self.spec = mel_representation(self.first).options.spec
        self.parts = PromptParts.of(self.prompt)
        self.analysis = analyse_prompt(self.parts, self.spec)
        checkpoint()
        self.frames = self.analysis.material.side_by_side(self.analysis.channels)
        self.predictor: Predictor
        if isinstance(self.run, Run):
            make = self.make_predictor or PREDICTORS[self.run.experiment.predictor]
            self.predictor = make(self.run, self.analysis)
        else:
            self.predictor = MixturePredictor(self.run, self.analysis)

    def tail(
        self, length: int, seed: int = 0, temperature: float = 1.0, controls: Controls = NEUTRAL
    ) -> Iterator[np.ndarray]:
        """Generate the samples that follow the prompt.

        Args:
            length: samples per channel. A shorter tail is the beginning of a longer one.
            seed: of the Model's draws and the Vocoder's phases.
            temperature: variance of the levels, in units of the prompt's own; see `_matches`.
            controls: level, brightness and density of events.

        Yields:
            ``[channels, time]`` float32 at the prompt's rate, joined to its end.
        """
        prompt = self.parts.join_partner
        if not prompt.samples.any():
            yield from silence(prompt.channels, length)
            return
        residual = self.residual(seed, temperature, controls)
        yield from self.joined(residual, seed, temperature, controls, length)

    def residual(
        self,
        seed: int,
        temperature: float,
        controls: Controls,
        past: Past | None = None,
        note: Callable[[Chunk], None] | None = None,
    ) -> Iterator[np.ndarray]:
        """Generate the tail without partials, before limiter, level and join; see `tail` for the arguments.

        Args:
            past: what it follows, for a tail that is taken up under other settings and has to begin soon: controls have
                their full effect at once. None for the prompt.
            note: called with each chunk of frames before it is rendered.

        Yields:
            ``[channels, time]`` float32 at the prompt's rate; endless.
        """
        # At all temperatures the same patches are selected, and texture matching expands or compresses their levels:
        # selecting for more variance would favour odd patches rather than loud ones.
        matched = self._matches()
        played = None if past is None else past.played
        chunks = self.frames_after(seed, 1.0 if matched else temperature, controls, played)
        chunks = chunks if note is None else noted(chunks, note)
        yield from self.residual_of(chunks, seed, controls, temperature if matched else None, past)

    def joined(
        self, residual: Iterable[np.ndarray], seed: int, temperature: float, controls: Controls, length: int
    ) -> Iterator[np.ndarray]:
        """The first ``length`` samples of a tail, of its residual: with partials, limited, at its level, joined."""
        prompt = self.parts.join_partner
        variance = temperature if self._matches() else 1.0
        blocks = self.with_partials(residual, seed, controls, variance)
        gain = Gain(controls.level, prompt.sample_rate)
        yield from join_to_prompt(prompt, map(gain, blocks), length)

    def _matches(self) -> bool:
        """Whether texture matching applies the temperature; otherwise sampling and patch selection do."""
        return self.match_texture and self.selects

    @property
    def selects(self) -> bool:
        """Whether patches are selected under constraints; those of baselines are not."""
        if isinstance(self.predictor, ContextPredictor):
            return True
        runs = [self.run] if isinstance(self.run, Run) else self.run.runs
        return all(isinstance(run.model, FrameModel) and run.model.uses_selection for run in runs)

    @property
    def matched(self) -> bool:
        """Whether the texture statistics of the latest tail were matched to the prompt's."""
        return bool(self._matchers) and list(self._matchers.values())[-1].matches_statistics

    def frames_after(
        self, seed: int, temperature: float, controls: Controls = NEUTRAL, played: Played | None = None
    ) -> Iterator[Chunk]:
        """Predict the mel frames that follow the prompt, or what was ``played`` after it.

        Yields:
            Frames and their positions in the material; endless.
        """
        patches = self.predictor.patches_after(seed, temperature, played)
        guard = SpectrumGuard(self.frames, self.spec)
        guards = not (played is not None and played.held)
        while True:
            if self.pause is not None:
                self.pause()
            chunk = [next(patches) for _ in range(PATCHES_PER_CHUNK)]
            frames = torch.cat([patch.frames for patch in chunk])[:, : self.frames.shape[1]]
            yield Chunk(guard(frames) if guards else frames, positions_of(chunk))
            self.drift_guard["largest_band_db"] = round(guard.largest, 2)

    def samples_of(
        self, chunks: Iterable[Chunk], seed: int, controls: Controls = NEUTRAL, temperature: float | None = None
    ) -> Iterator[np.ndarray]:
        """Render mel frames that follow the prompt, and hold them to its texture, level and peak.

        Args:
            chunks: frames of the principal channels.
            seed: of the Vocoder.
            controls: of which the brightness is applied here.
            temperature: variance of the levels of bands, for texture matching; None leaves that out.

        Yields:
            ``[channels, time]`` float32 at the prompt's rate.
        """
        residual = self.residual_of(chunks, seed, controls, temperature)
        return self.with_partials(residual, seed, controls, 1.0 if temperature is None else temperature)

    def residual_of(
        self,
        chunks: Iterable[Chunk],
        seed: int,
        controls: Controls,
        temperature: float | None,
        past: Past | None = None,
    ) -> Iterator[np.ndarray]:
        """The part of `samples_of` before partials and limiter, from the prompt or from ``past`` on."""
        prompt, rate, new_rate = self.analysis, self.spec.sample_rate, self.parts.recording.sample_rate
        before = prompt.join_partner.samples if past is None else torch.from_numpy(prompt.to_principal(past.samples))
        samples = prompt.to_channels(before[:, -round(PAST_SECONDS * rate) :].numpy()) if past is None else past.samples
        tilt = self._tilt(controls.brightness, samples)
        if past is not None:
            tilt.skip_ramp()
        guard = LevelGuard(tilt.reference, rate, new_rate, self._peak(controls), prompt.join_partner.rotation)
        guards = not (past is not None and past.played.held)
        blocks: Iterator[np.ndarray] = map(tilt, render(self._vocoder, prompt, chunks, seed, before))
        if temperature is not None:
            blocks = self._matched(blocks, samples, tilt, temperature, guards, past)
        blocks = resample_after(samples[:, -RESAMPLER_WARM_UP:], blocks, rate, new_rate)
        blocks = self._guarded(blocks, guard) if guards else blocks
        self.density = self._density(controls, seed, past)
        return blocks if self.density is None else self.density(blocks)

    def _density(self, controls: Controls, seed: int, past: Past | None) -> EventDensity | None:
        """What changes the density of events; None at the recording's own."""
        if controls.density == NEUTRAL.density:
            return None
        if self._event_material is None or self._event_material[0] != controls.brightness:
            samples, rate = self.parts.material.samples, self.parts.recording.sample_rate
            tilted = SpectralTilt(controls.brightness, samples, samples, rate).reference
            self._event_material = controls.brightness, EventMaterial(tilted, rate)
        before = None if past is not None else self.parts.join_partner.samples
        return EventDensity(self._event_material[1], before, controls.density, seed)

    def with_partials(
        self, residual: Iterable[np.ndarray], seed: int, controls: Controls, temperature: float = 1.0
    ) -> Iterator[np.ndarray]:
        """Blocks ``[channels, time]`` of the residual from the join on, with the partials, and held to the peak."""
        partials = self.analysis.partials
        # Overlapping segments can add up to peaks beyond any of the recording.
        limiter = LookaheadLimiter(self._peak(controls), self.parts.recording.sample_rate)
        if partials is None:
            return limiter(residual)
        added = PartialContinuation(partials, seed, temperature, self._partial_gains(controls), self.parts.gap)
        return limiter(added.added_to(residual))

    def _tilt(self, brightness: float, past: np.ndarray | None = None) -> SpectralTilt:
        partials, reference = self.analysis.partials, self.analysis.level_reference.samples.numpy()
        tones = () if partials is None else partials.tones
        past = reference if past is None else past
        return SpectralTilt(brightness, reference, past, self.spec.sample_rate, tones)

    def _partial_gains(self, controls: Controls) -> np.ndarray | None:
        """Gains ``[partials]`` in dB by the brightness; None without one."""
        if not controls.brightness or self.analysis.partials is None:
            return None
        tilt = self._tilt(controls.brightness)
        return np.array([tilt.gain(hertz) for hertz, _ in self.analysis.partials.tones])

    def _peak(self, controls: Controls) -> float:
        """Largest magnitude of the material; with a tilt, the tilted prompt is the reference."""
        if not controls.brightness:
            return peak_of(self.parts.material.samples)
        peak = peak_of(self.analysis.to_channels(self._tilt(controls.brightness).reference))
        partials, gains = self.analysis.partials, self._partial_gains(controls)
        return peak + (0.0 if partials is None else peak_of(partials.synthesise(gains)))

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
        material = self.analysis.material.samples[:, -round(seconds * rate) :].numpy()
        key = (tilt.slope, temperature, statistics, material.shape[1])
        matcher = self._matchers.pop(key, None)
        if matcher is None:
            source = self.analysis.to_channels(tilt.whole(material))
            matcher = StatisticsMatcher(source, rate, temperature, statistics)
        self._matchers[key] = matcher  # the latest comes last
        while len(self._matchers) > MAX_MATCHERS:
            del self._matchers[next(iter(self._matchers))]
        sections = () if past is None else FIRST_SECTIONS
        for block in matcher(blocks, samples, sections, self.pause):
            self.drift_guard["texture_gain_rms_db"] = round(matcher.change, 2)
            yield block

    def _guarded(self, blocks: Iterable[np.ndarray], guard: LevelGuard) -> Iterator[np.ndarray]:
        """Blocks ``[channels, time]`` at the level and stereo image of the reference."""
        for block in blocks:
            held = guard(block)
            self.drift_guard["largest_level_db"] = round(guard.largest, 2)
            yield held

    @cached_property
    def _vocoder(self) -> Vocoder:
        configured = self.first.experiment.vocoder
        kind = self.vocoder or configured.kind
        options = configured.options if kind == configured.kind else VOCODERS[kind].Options()
        # From the first whole frame on, so that the frames of the material are among those of the source vocoder.
        material = self.analysis.material
        return build_vocoder(kind, self.spec, material.samples[:, material.skipped :], options)

    @property
    def partials(self) -> dict[str, object] | None:
        """Number, energy and frequencies of the partials that are continued by themselves; None without any."""
        partials = self.analysis.partials
        return None if partials is None else partials.describe()

    @property
    def level(self) -> float:
        """Level that tails are held at, dB."""
        reference = self.analysis.level_reference.samples.numpy()
        guard = LevelGuard(reference, self.spec.sample_rate, self.parts.recording.sample_rate)
        partials = self.analysis.partials
        tones = 0.0 if partials is None else self.analysis.channels * sum(power for _, power in partials.tones)
        return float(10 * np.log10(np.trace(guard.target) + tones + 1e-20))
