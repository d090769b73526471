"""The one generation loop: a prompt's end in, the samples that follow it out, in constant memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from audiogen.audio import Recording, Resampler
from audiogen.generation.calibration import calibrate
from audiogen.generation.detail import Detail
from audiogen.generation.guard import LevelGuard, SpectrumGuard
from audiogen.generation.join import join
from audiogen.models import Sampling, State
from audiogen.representation.hearing import Heard, hear
from audiogen.representation.mel_latents import MelLatents
from audiogen.run import Run
from audiogen.vocoders.base import Vocoder
from audiogen.vocoders.table import VOCODERS
from audiogen.vocoders.table import build as build_vocoder

PATCHES_A_PIECE = 8
WARM_PAST = 8192  # samples of the prompt that the resampler hears before the tail


@dataclass
class Continuer:
    """A prompt heard and a Run warmed on it, ready for any number of tails.

    Args:
        run: what predicts.
        prompt: what is continued.
        vocoder: kind, instead of the Run's own.
    """

    run: Run
    prompt: Recording
    vocoder: str | None = None
    heard: Heard = field(init=False)
    drift_guard: dict[str, float] = field(init=False, default_factory=dict)  # the largest corrections made so far

    def __post_init__(self) -> None:
        representation = self.run.representation
        assert isinstance(representation, MelLatents)
        self.representation = representation
        self.heard = hear(self.prompt, representation.options.spec)
        self.frames = self.heard.side_by_side(self.prompt.channels)
        modelled = self.heard.side_by_side(representation.channels)
        self.centre = representation.centre(modelled)
        whole = len(modelled) // representation.patch * representation.patch
        self.start = self._start(modelled[len(modelled) - whole :])
        self.calibration = calibrate(self.run.model, representation, self.start, modelled, self.centre)

    @torch.no_grad()
    def _start(self, frames: Tensor) -> State:
        if len(frames) == 0:
            frames = self.centre.expand(self.representation.patch, -1)
        return self.run.model.start(self.representation.encode(frames, self.centre)[None])

    @torch.no_grad()
    def latents_after(self, seed: int, temperature: float) -> Iterator[Tensor]:
        """Endless ``[latent]`` frames of the Model that follow the prompt, calibrated."""
        sampling = Sampling(temperature, generator=torch.Generator().manual_seed(seed))
        state = self.start
        while True:
            latent, state = self.run.model.step(state, sampling)
            yield self.calibration(latent[0])

    def frames_after(self, seed: int, temperature: float) -> Iterator[Tensor]:
        """Endless ``[time, channels * n_mels]`` mel frames that follow the prompt, all of its channels."""
        detail = Detail(self.representation, self._all_channels(), self.centre)
        guard = SpectrumGuard(self.frames, self.representation.options.spec)
        latents = self.latents_after(seed, temperature)
        while True:
            piece = torch.cat([detail.add(next(latents)) for _ in range(PATCHES_A_PIECE)])
            yield guard(piece[:, : self.frames.shape[1]])
            self.drift_guard["largest_band_db"] = round(guard.largest, 2)

    def _all_channels(self) -> Tensor:
        """The source's frames: what the Model hears, then the channels that only follow."""
        return self.heard.side_by_side(max(self.prompt.channels, self.representation.channels))

    def samples_after(self, seed: int = 0, temperature: float = 1.0) -> Iterator[np.ndarray]:
        """Endless ``[channels, time]`` blocks at the prompt's rate; the first sample follows the prompt's last."""
        spec = self.representation.options.spec
        channels = self.prompt.channels
        stream = self._vocoder().open(channels, self.heard.samples, seed)
        resampler = Resampler(spec.sample_rate, self.prompt.sample_rate, channels)
        guard = LevelGuard(self.heard.samples.numpy(), spec.sample_rate, self.prompt.sample_rate)
        past = self.heard.samples[:, -WARM_PAST:]
        # What the resampler is given of the past comes out first, and is dropped.
        drop = round(past.shape[1] * self.prompt.sample_rate / spec.sample_rate)
        blocks = [resampler.push(past.numpy())]
        for frames in self.frames_after(seed, temperature):
            rendered = stream.push(frames.unflatten(1, (channels, -1)).transpose(0, 1))
            if rendered.shape[1] == 0:
                continue
            blocks.append(resampler.push(rendered.numpy()))
            block = np.concatenate(blocks, axis=1)
            blocks = []
            dropped = min(drop, block.shape[1])
            drop -= dropped
            if block.shape[1] > dropped:
                held = guard(block[:, dropped:])
                self.drift_guard["largest_level_db"] = round(guard.largest, 2)
                yield (self.heard.rotation.T @ held).astype(np.float32)

    def _vocoder(self) -> Vocoder:
        configured = self.run.experiment.vocoder
        kind = self.vocoder or configured.kind
        options = configured.options if kind == configured.kind else VOCODERS[kind].Options()
        return build_vocoder(kind, self.representation.options.spec, self.heard.samples, options)

    def tail(self, length: int, seed: int = 0, temperature: float = 1.0) -> Iterator[np.ndarray]:
        """The next ``length`` samples after the prompt, ``[channels, time]`` in blocks, joined to its end."""
        if not self.prompt.samples.any():
            yield from silence(self.prompt.channels, length)
            return
        left = length
        for index, block in enumerate(self.samples_after(seed, temperature)):
            block = join(self.prompt, block) if index == 0 else block
            yield block[:, :left]
            left -= min(left, block.shape[1])
            if left == 0:
                return


def silence(channels: int, length: int, block: int = 1 << 16) -> Iterator[np.ndarray]:
    """Nothing follows nothing: a prompt of digital silence goes on as digital silence."""
    for start in range(0, length, block):
        yield np.zeros((channels, min(block, length - start)), np.float32)
