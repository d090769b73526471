"""What a Model itself draws, made audible: its frames, without patch selection, guards, texture matching or limiter.

Selection and guards make all Models alike; here an HMM and a GAN differ. For researchers: the tail drifts, smooths and
overshoots as the Model does. The vocoder must not select from the recording either, so it is `griffin_lim` by default.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch

from audiogen.audio import Recording
from audiogen.errors import InputError
from audiogen.models import Sampling
from audiogen.run import Run
from audiogen.sound.continuation import PATCHES_PER_CHUNK
from audiogen.sound.controls import NEUTRAL, Controls
from audiogen.sound.event_density import EventDensity
from audiogen.sound.join import join_to_prompt
from audiogen.sound.predictor import RunPredictor
from audiogen.sound.prompt_analysis import PromptAnalysis, PromptParts, analyse_prompt
from audiogen.sound.rendering import RESAMPLER_WARM_UP, Chunk, render, resample_after
from audiogen.sound.run_mixture import RunMixture, mel_representation
from audiogen.vocoders.registry import build as build_vocoder
from audiogen.vocoders.registry import find as find_vocoder

VOCODER = "griffin_lim"


@dataclass
class RawContinuer:
    """A prompt and a Run primed with it: generates what the Run's Model draws, as it is.

    Args:
        run: of one Model.
        prompt: the recording to continue: all of it, or divided by purpose (`divide_prompt`).
        vocoder: kind of Vocoder; None for `VOCODER`.

    Raises:
        InputError: a mixture of Runs.
    """

    run: Run | RunMixture
    prompt: Recording | PromptParts
    vocoder: str | None = None
    parts: PromptParts = field(init=False)
    analysis: PromptAnalysis = field(init=False)
    matched: bool = field(init=False, default=False)
    drift_guard: dict[str, float] = field(init=False, default_factory=dict)
    partials: dict[str, object] | None = field(init=False, default=None)
    densities: dict[str, EventDensity] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.run, Run):
            raise InputError("raw", "a mixture of Runs has no frames of its own", "name one Run")
        self.spec = mel_representation(self.run).options.spec
        self.parts = PromptParts.of(self.prompt)
        self.analysis = analyse_prompt(self.parts, self.spec)
        self.predictor = RunPredictor(self.run, self.analysis)

    def for_one_tail(self, pause: Callable[[], None] | None = None) -> RawContinuer:
        """Itself, as nothing of a tail is kept here; see `Continuer.for_one_tail`."""
        return self

    def tail(
        self, length: int, seed: int = 0, temperature: float = 1.0, controls: Controls = NEUTRAL
    ) -> Iterator[np.ndarray]:
        """Generate the samples that follow the prompt; as `Continuer.tail`, of the Model's own frames.

        The controls must be neutral (`jobs.request` refuses others): they are reached by what is left out here.
        """
        assert controls == NEUTRAL
        analysis, rate = self.analysis, self.spec.sample_rate
        kind = self.vocoder or VOCODER
        source = analysis.material.samples[:, analysis.material.skipped :]
        vocoder = build_vocoder(kind, self.spec, source, find_vocoder(kind).Options())
        blocks = render(vocoder, analysis, self.frames_after(seed, temperature), seed)
        past = analysis.to_channels(analysis.join_partner.samples[:, -RESAMPLER_WARM_UP:].numpy())
        prompt = self.parts.join_partner
        yield from join_to_prompt(prompt, resample_after(past, blocks, rate, prompt.sample_rate), length)

    @torch.no_grad()
    def frames_after(self, seed: int, temperature: float = 1.0) -> Iterator[Chunk]:
        """Frames that the Model draws, each read back as it was drawn; channels that it does not model are even."""
        predictor, representation = self.predictor, self.predictor.representation
        sampling = Sampling(temperature, generator=torch.Generator().manual_seed(seed))
        state, width = predictor.start, len(predictor.centre)
        others = predictor.material[:, width : self.analysis.channels * self.spec.n_mels].mean(0)
        while True:
            latents = []
            for _ in range(PATCHES_PER_CHUNK):
                latent = predictor.model.draw(state, sampling)
                state = predictor.model.read(state, latent)
                latents.append(latent[0])
            frames = representation.decode(torch.stack(latents), predictor.centre)
            frames = torch.cat([frames, others.expand(len(frames), -1)], dim=1)
            yield Chunk(frames[:, : self.analysis.channels * self.spec.n_mels])
