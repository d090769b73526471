"""Continuation of a recording: the signal flow from the end of a prompt to the samples that follow it.

The stages, in order, each in a file of its own; `Continuer.tail`, `Continuer.frames_after` and `Continuer.samples_of`
chain them as generators, so that a tail of any length needs constant memory::

    prompt analysis       prompt_analysis.py   material, join partner, level reference   (edges.py, ambience.py);
                                               partials and residual
    prediction            predictor.py         a Model draws the latent of the next patch   (run_mixture.py: several)
    patch selection       patch_selection.py   the patch of the material nearest to it, under constraints
    spectrum guard        drift_guard.py       correction of the mean mel spectrum
    vocoder, rotation     rendering.py         mel frames -> principal channels -> channels
    tilt                  controls.py          brightness
    texture matching      texture_matching.py  band gains that match texture statistics and level variance
    resampling            rendering.py         to the prompt's rate
    level guard           drift_guard.py       correction of level and stereo image
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
from audiogen.run import Run, mel_representation
from audiogen.sound.context_predictor import ContextPredictor
from audiogen.sound.controls import NEUTRAL, Controls, Gain, SpectralTilt
from audiogen.sound.drift_guard import LevelGuard, SpectrumGuard
from audiogen.sound.join import join_to_prompt, silence
from audiogen.sound.partial_continuation import PartialContinuation
from audiogen.sound.predictor import Predictor, RunPredictor
from audiogen.sound.prompt_analysis import PromptAnalysis, PromptParts, analyse_prompt
from audiogen.sound.rendering import RESAMPLER_WARM_UP, Chunk, positions_of, render, resample_after
from audiogen.sound.run_mixture import MixturePredictor, RunMixture
from audiogen.sound.texture_matching import StatisticsMatcher
from audiogen.vocoders.base import Vocoder
from audiogen.vocoders.registry import VOCODERS
from audiogen.vocoders.registry import build as build_vocoder

PATCHES_PER_CHUNK = 8
MATCHED_SECONDS = 120.0  # of the end of the material, whose texture statistics tails are given
PAST_SECONDS = 1.0  # of the end of the prompt, that filters start from


@dataclass
class Continuer:
    """A prompt, analysed, and a Run primed with it: generates any number of tails.

    Args:
        run: what predicts: one Run, or several that predict together.
        prompt: the recording to continue: all of it, or divided by purpose (`divide_prompt`).
        vocoder: kind of Vocoder, instead of the (first) Run's own.
        match_texture: match each tail's texture statistics to the prompt's, unless another density is requested
            (`StatisticsMatcher`). Without, and for baselines, patches are rendered as they are selected.
        make_predictor: of a single Run: a control in place of its own (`control_predictors.CONTROLS`).

    Attributes:
        spec: of the mel frames.
        parts: of the prompt.
        analysis: of the prompt.
        frames: ``[time, channels * n_mels]`` of the material, all principal channels.
        predictor: the Run, primed with the prompt.
        drift_guard: corrections in the latest tail, dB: the guards' largest, and as ``texture_gain_rms_db`` the RMS
            gain of texture matching in the latest section.
    """

    run: Run | RunMixture
    prompt: Recording | PromptParts
    vocoder: str | None = None
    match_texture: bool = True
    make_predictor: Callable[[Run, PromptAnalysis], Predictor] | None = None
    parts: PromptParts = field(init=False)
    analysis: PromptAnalysis = field(init=False)
    drift_guard: dict[str, float] = field(init=False, default_factory=dict)
    _matcher: tuple[tuple[float, ...], StatisticsMatcher] | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.first = self.run if isinstance(self.run, Run) else self.run.runs[0]
        self.spec = mel_representation(self.first).options.spec
        self.parts = PromptParts.of(self.prompt)
        self.analysis = analyse_prompt(self.parts, self.spec)
        self.frames = self.analysis.material.side_by_side(self.analysis.channels)
        self.predictor: Predictor
        if isinstance(self.run, Run):
            by_contexts = self.run.metrics.get("memory", False)
            make = self.make_predictor or (ContextPredictor if by_contexts else RunPredictor)
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
        # At all temperatures the same patches are selected, and texture matching expands or compresses their levels:
        # selecting for more variance would favour odd patches rather than loud ones.
        matched = self._matches()
        chunks = self.frames_after(seed, 1.0 if matched else temperature, controls)
        blocks = self.samples_of(chunks, seed, controls, temperature if matched else None)
        gain = Gain(controls.level, prompt.sample_rate)
        yield from join_to_prompt(prompt, map(gain, blocks), length)

    def _matches(self) -> bool:
        """Whether texture matching applies the temperature; otherwise sampling and patch selection do."""
        runs = [self.run] if isinstance(self.run, Run) else self.run.runs
        selected = all(isinstance(run.model, FrameModel) and run.model.uses_selection for run in runs)
        return self.match_texture and selected

    @property
    def matched(self) -> bool:
        """Whether the texture statistics of the latest tail were matched to the prompt's."""
        return self._matcher is not None and self._matcher[1].matches_statistics

    def frames_after(self, seed: int, temperature: float, controls: Controls = NEUTRAL) -> Iterator[Chunk]:
        """Predict the mel frames that follow the prompt.

        Yields:
            Frames and their positions in the material; endless.
        """
        patches = self.predictor.patches_after(seed, temperature, controls.density)
        guard = SpectrumGuard(self.frames, self.spec)
        while True:
            chunk = [next(patches) for _ in range(PATCHES_PER_CHUNK)]
            frames = torch.cat([patch.frames for patch in chunk])[:, : self.frames.shape[1]]
            yield Chunk(guard(frames) if _guards(controls) else frames, positions_of(chunk))
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
        prompt, rate, new_rate = self.analysis, self.spec.sample_rate, self.parts.recording.sample_rate
        past = prompt.to_channels(prompt.join_partner.samples[:, -round(PAST_SECONDS * rate) :].numpy())
        partials = prompt.partials
        tones = () if partials is None else partials.tones
        tilt = SpectralTilt(controls.brightness, prompt.level_reference.samples.numpy(), past, rate, tones)
        # With a tilt, the tilted prompt is the reference.
        peak = peak_of(prompt.to_channels(tilt.reference) if controls.brightness else self.parts.material.samples)
        added = None
        if partials is not None:
            gains = np.array([tilt.gain(hertz) for hertz, _ in tones]) if controls.brightness else None
            variance = 1.0 if temperature is None else temperature
            added = PartialContinuation(partials, seed, variance, gains, self.parts.gap)
            peak += peak_of(partials.synthesise(gains)) if controls.brightness else 0.0
        guard = LevelGuard(tilt.reference, rate, new_rate, peak, prompt.join_partner.rotation)
        # Overlapping segments can add up to peaks beyond any of the recording.
        limiter = LookaheadLimiter(peak, new_rate)

        blocks: Iterator[np.ndarray] = map(tilt, render(self._vocoder, prompt, chunks, seed))
        if temperature is not None:
            blocks = self._matched(blocks, past, tilt, temperature, statistics=controls.density == NEUTRAL.density)
        blocks = resample_after(past[:, -RESAMPLER_WARM_UP:], blocks, rate, new_rate)
        blocks = self._guarded(blocks, guard) if _guards(controls) else blocks
        return limiter(blocks if added is None else added.added_to(blocks))

    def _matched(
        self,
        blocks: Iterable[np.ndarray],
        past: np.ndarray,
        tilt: SpectralTilt,
        temperature: float,
        statistics: bool,
    ) -> Iterator[np.ndarray]:
        """Blocks ``[channels, time]`` that follow ``past``, with the texture statistics of the (tilted) material."""
        key = (tilt.slope, temperature, statistics)
        if self._matcher is None or self._matcher[0] != key:
            rate = self.spec.sample_rate
            material = self.analysis.material.samples[:, -round(MATCHED_SECONDS * rate) :].numpy()
            source = self.analysis.to_channels(tilt.whole(material))
            self._matcher = key, StatisticsMatcher(source, rate, temperature, statistics)
        matcher = self._matcher[1]
        for block in matcher(blocks, past):
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


def _guards(controls: Controls) -> bool:
    """Whether spectrum and level are held to the material's: with more events a second they are not the same."""
    return controls.density == NEUTRAL.density
