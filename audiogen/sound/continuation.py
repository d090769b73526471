"""Continuation of a recording: the signal flow from the end of a prompt to the samples that follow it.

The stages, in order. They are generators, each of which asks the one before it for the next block, so that a tail of
any length needs constant memory. Those from the vocoder to the limiter are chained in `rendering.TailRenderer`::

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
from copy import copy
from dataclasses import dataclass, field

import numpy as np
import torch

from audiogen.audio import Recording
from audiogen.models.base import FrameModel
from audiogen.progress import checkpoint
from audiogen.run import Run, mel_representation
from audiogen.sound.context_predictor import ContextPredictor
from audiogen.sound.controls import NEUTRAL, Controls, Gain
from audiogen.sound.event_density import EventDensity
from audiogen.sound.join import join_to_prompt, silence
from audiogen.sound.patch_selection import Played
from audiogen.sound.predictor import PREDICTORS, Predictor
from audiogen.sound.prompt_analysis import PromptAnalysis, PromptParts, analyse_prompt
from audiogen.sound.rendering import Chunk, Past, TailRenderer, noted, positions_of
from audiogen.sound.run_mixture import MixturePredictor, RunMixture
from audiogen.sound.spectrum_guard import SpectrumGuard
from audiogen.vocoders.base import Vocoder
from audiogen.vocoders.registry import build as build_vocoder
from audiogen.vocoders.registry import find as find_vocoder

PATCHES_PER_CHUNK = 8


@dataclass
class Continuer:
    """A prompt, analysed, and what predicts after it: generates any number of tails.

    The methods stand in the order of the signal: `frames_after`, `rendered`, `residual`, `joined`; `tail` chains
    them.

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
        predictor: of patches that follow the prompt.
        renderer: of the frames that it predicts.
    """

    run: Run | RunMixture
    prompt: Recording | PromptParts
    vocoder: str | None = None
    match_texture: bool = True
    make_predictor: Callable[[Run, PromptAnalysis], Predictor] | None = None
    pause: Callable[[], None] = field(init=False, default_factory=lambda: checkpoint)
    parts: PromptParts = field(init=False)
    analysis: PromptAnalysis = field(init=False)
    predictor: Predictor = field(init=False)
    renderer: TailRenderer = field(init=False)
    _spectrum_corrections: dict[str, float] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.first = self.run if isinstance(self.run, Run) else self.run.runs[0]
        self.spec = mel_representation(self.first).options.spec
        self.parts = PromptParts.of(self.prompt)
        make = self.make_predictor or PREDICTORS[self.first.experiment.predictor]
        by_contexts = isinstance(self.run, Run) and make is ContextPredictor
        self.analysis = analyse_prompt(self.parts, self.spec, whole_events=by_contexts)
        checkpoint()
        self.frames = self.analysis.level_reference.side_by_side(self.analysis.channels)
        if isinstance(self.run, Run):
            self.predictor = make(self.run, self.analysis)
        else:
            self.predictor = MixturePredictor(self.run, self.analysis)
        vocoder = self._build_vocoder()
        self.renderer = TailRenderer(self.parts, self.analysis, self.spec, vocoder, lambda: self.pause())

    def _build_vocoder(self) -> Vocoder:
        configured = self.first.experiment.vocoder
        kind = self.vocoder or configured.kind
        options = configured.options if kind == configured.kind else find_vocoder(kind).Options()
        # From the first whole frame on, so that the frames of the material are among those of the source vocoder.
        material = self.analysis.material
        return build_vocoder(kind, self.spec, material.samples[:, material.skipped :], options)

    def frames_after(self, seed: int, temperature: float, played: Played | None = None) -> Iterator[Chunk]:
        """Predict the mel frames that follow the prompt, or what was ``played`` after it: the first three stages.

        Yields:
            Frames and their positions in the material; endless.
        """
        patches = self.predictor.patches_after(seed, temperature, played)
        guard = SpectrumGuard(self.frames, self.spec)
        guards = not (played is not None and played.held)
        while True:
            self.pause()
            chunk = [next(patches) for _ in range(PATCHES_PER_CHUNK)]
            frames = torch.cat([patch.frames for patch in chunk])[:, : self.frames.shape[1]]
            yield Chunk(guard(frames) if guards else frames, positions_of(chunk))
            self._spectrum_corrections["largest_band_db"] = round(guard.largest, 2)

    def rendered(
        self,
        seed: int,
        temperature: float,
        past: Past | None = None,
        note: Callable[[Chunk], None] | None = None,
    ) -> Iterator[np.ndarray]:
        """Predict and render what follows the prompt, before anything holds it to the prompt's texture and level.

        Args:
            seed, temperature: see `tail`.
            past: what it follows; None for the prompt.
            note: called with each chunk of frames before it is rendered.

        Yields:
            ``[channels, time]`` float32 at the rate of the mel frames; endless.
        """
        # At all temperatures the same patches are selected, and texture matching expands or compresses their levels:
        # selecting for more variance would favour odd patches rather than loud ones.
        played = None if past is None else past.played
        chunks = self.frames_after(seed, 1.0 if self.matches else temperature, played)
        return self.renderer.rendered(chunks if note is None else noted(chunks, note), seed, past)

    def residual(
        self,
        rendered: Iterable[np.ndarray],
        seed: int,
        temperature: float,
        controls: Controls,
        past: Past | None = None,
    ) -> Iterator[np.ndarray]:
        """The tail without partials, before limiter, level and join, of what was `rendered`; see `tail`.

        Args:
            past: what it follows, for a tail that is taken up under other settings and has to begin soon: controls have
                their full effect at once. None for the prompt.

        Yields:
            ``[channels, time]`` float32 at the prompt's rate; endless.
        """
        return self.renderer.residual(rendered, seed, controls, temperature if self.matches else None, past)

    def joined(
        self, residual: Iterable[np.ndarray], seed: int, temperature: float, controls: Controls, length: int
    ) -> Iterator[np.ndarray]:
        """The first ``length`` samples of a tail, of its residual: with partials, limited, at its level, joined."""
        prompt = self.parts.join_partner
        variance = temperature if self.matches else 1.0
        blocks = self.renderer.with_partials(residual, seed, controls, variance)
        gain = Gain(controls.level, prompt.sample_rate)
        yield from join_to_prompt(prompt, map(gain, blocks), length)

    def tail(
        self, length: int, seed: int = 0, temperature: float = 1.0, controls: Controls = NEUTRAL
    ) -> Iterator[np.ndarray]:
        """Generate the samples that follow the prompt.

        Args:
            length: samples per channel. A shorter tail is the beginning of a longer one.
            seed: of the Model's draws and the Vocoder's phases.
            temperature: variance of the levels, in units of the prompt's own; see `matches`.
            controls: level, brightness and density of events.

        Yields:
            ``[channels, time]`` float32 at the prompt's rate, joined to its end.
        """
        prompt = self.parts.join_partner
        if not prompt.samples.any():
            yield from silence(prompt.channels, length)
            return
        residual = self.residual(self.rendered(seed, temperature), seed, temperature, controls)
        yield from self.joined(residual, seed, temperature, controls, length)

    @property
    def matches(self) -> bool:
        """Whether texture matching applies the temperature; otherwise sampling and patch selection do."""
        return self.match_texture and self.selects

    @property
    def selects(self) -> bool:
        """Whether patches are selected under constraints; those of baselines are not."""
        if isinstance(self.predictor, ContextPredictor):
            return True
        runs = [self.run] if isinstance(self.run, Run) else self.run.runs
        return all(isinstance(run.model, FrameModel) and run.model.uses_selection for run in runs)

    def for_one_tail(self, pause: Callable[[], None] | None = None) -> Continuer:
        """The same with its own account of the latest tail, for tails that are generated side by side.

        Args:
            pause: see `pause`; None for this one's.
        """
        twin = copy(self)
        twin.pause = pause or self.pause
        twin.renderer, twin._spectrum_corrections = self.renderer.for_one_tail(lambda: twin.pause()), {}
        return twin

    def keep_tails_distinct(self) -> None:
        """From now on, let no tail repeat those before it; it can where it `selects`.

        Separate events stay as they are: other phases would soften them. But each tail begins elsewhere.
        """
        self.predictor.keep_tails_distinct()
        if self.analysis.events is None:
            self.renderer.keep_tails_distinct()

    @property
    def drift_guard(self) -> dict[str, float]:
        """Corrections in the latest tail, dB: the spectrum guard's largest, and `TailRenderer.corrections`."""
        return self._spectrum_corrections | self.renderer.corrections

    @property
    def matched(self) -> bool:
        """Whether the texture statistics of the latest tail were matched to the prompt's."""
        return self.renderer.matched

    @property
    def densities(self) -> dict[str, EventDensity]:
        """What changes the density of events in the latest tail, under the name ``""``; none at the recording's own."""
        return {} if self.renderer.density is None else {"": self.renderer.density}

    @property
    def partials(self) -> dict[str, object] | None:
        """Number, energy and frequencies of the partials that are continued by themselves; None without any."""
        partials = self.analysis.partials
        return None if partials is None else partials.describe()
