"""The one generation loop: a prompt's end in, the samples that follow it out, in constant memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from audiogen.audio import Recording, Resampler
from audiogen.dsp.limiter import LookaheadLimiter, peak_of
from audiogen.models.base import FrameModel
from audiogen.representation.mel_latents import MelLatents
from audiogen.representation.recording_features import RecordingFeatures, extract_features
from audiogen.run import Run
from audiogen.sound.controls import Controls, Gain, SpectralTilt
from audiogen.sound.drift_guard import LevelGuard, SpectrumGuard
from audiogen.sound.join import join
from audiogen.sound.predictor import Predictor, RunPredictor
from audiogen.sound.run_mixture import MixturePredictor, RunMixture
from audiogen.sound.texture_matching import StatisticsMatcher
from audiogen.vocoders.base import Vocoder
from audiogen.vocoders.registry import VOCODERS
from audiogen.vocoders.registry import build as build_vocoder

PATCHES_PER_CHUNK = 8
MATERIAL_SECONDS = 120.0  # seconds of the prompt's end whose statistics tails are given
RESAMPLER_WARM_UP = 8192  # samples of the prompt that the resampler hears before the tail
NEUTRAL = Controls()


@dataclass
class Continuer:
    """A prompt heard and a Run warmed on it, ready for any number of tails.

    Args:
        run: what predicts, one Run or several.
        prompt: what is continued.
        vocoder: kind, instead of the (first) Run's own.
        match_texture: whether tails are given the prompt's statistics (`StatisticsMatcher`);
            without, they scatter about them as the Model drew them.
    """

    run: Run | RunMixture
    prompt: Recording
    vocoder: str | None = None
    match_texture: bool = True
    features: RecordingFeatures = field(init=False)
    imposition: tuple[tuple[float, ...], StatisticsMatcher] | None = field(
        init=False, default=None
    )  # the last, and of what
    drift_guard: dict[str, float] = field(init=False, default_factory=dict)  # the largest corrections made so far

    def __post_init__(self) -> None:
        self.first = self.run if isinstance(self.run, Run) else self.run.runs[0]
        representation = self.first.representation
        assert isinstance(representation, MelLatents)
        self.spec = representation.options.spec
        self.features = extract_features(self.prompt, self.spec)
        self.frames = self.features.side_by_side(self.prompt.channels)
        self.prediction = self._prediction()

    def _prediction(self) -> Predictor:
        if isinstance(self.run, Run):
            return RunPredictor(self.run, self.features, self.prompt.channels)
        return MixturePredictor(self.run, self.features, self.prompt.channels)

    @property
    def level(self) -> float:
        """dB that a tail is held at."""
        guard = LevelGuard(self.features.samples.numpy(), self.spec.sample_rate, self.prompt.sample_rate)
        return float(10 * np.log10(np.trace(guard.target) + 1e-20))

    def frames_after(self, seed: int, temperature: float, controls: Controls = NEUTRAL) -> Iterator[Tensor]:
        """Endless ``[time, channels * n_mels]`` mel frames that follow the prompt, all of its channels."""
        guard = SpectrumGuard(self.frames, self.spec)
        patches = self.prediction.patches_after(seed, temperature, controls.density)
        while True:
            piece = torch.cat([next(patches) for _ in range(PATCHES_PER_CHUNK)])
            yield guard(piece[:, : self.frames.shape[1]])
            self.drift_guard["largest_band_db"] = round(guard.largest, 2)

    def samples_after(
        self, seed: int = 0, temperature: float = 1.0, controls: Controls = NEUTRAL
    ) -> Iterator[np.ndarray]:
        """Endless ``[channels, time]`` blocks at the prompt's rate; the first sample follows the prompt's last."""
        gain = Gain(controls.level, self.prompt.sample_rate)
        if self._imposes():
            # The same is drawn at all temperatures. What is imposed makes its swells larger or smaller; wilder patches
            # than the source usually has would be the odd, not the loud ones.
            pieces = self.frames_after(seed, 1.0, controls)
            return map(gain, self.samples_of(pieces, seed, controls, temperature))
        return map(gain, self.samples_of(self.frames_after(seed, temperature, controls), seed, controls))

    def _imposes(self) -> bool:
        """Whether a tail is to have its source's statistics, and swells by the temperature: not a baseline's."""
        runs = [self.run] if isinstance(self.run, Run) else self.run.runs
        selected = all(isinstance(run.model, FrameModel) and run.model.uses_selection for run in runs)
        return self.match_texture and selected

    def samples_of(
        self, pieces: Iterable[Tensor], seed: int, controls: Controls = NEUTRAL, temperature: float | None = None
    ) -> Iterator[np.ndarray]:
        """Blocks ``[channels, time]`` that follow the prompt, out of frames ``[time, channels * n_mels]``.

        A temperature gives them its swells and, unless others are asked for, the source's statistics
        (`StatisticsMatcher`).
        """
        tilt = SpectralTilt(controls.brightness, self.features.samples.numpy(), self.spec.sample_rate)
        rendered = map(tilt, self.rendered(pieces, seed))
        blocks = rendered if temperature is None else self._imposed(rendered, tilt, temperature, controls.density == 0)
        # The guard aims at the source as the handle has turned it.
        guard = LevelGuard(tilt.source, self.spec.sample_rate, self.prompt.sample_rate)
        loudest = self.features.rotation.T @ tilt.source if controls.brightness else self.prompt.samples
        # Pieces of a loud recording can add up to more than it has anywhere.
        limiter = LookaheadLimiter(peak_of(loudest), self.prompt.sample_rate)
        return limiter(self._held(self.resampled(blocks), guard))

    def _held(self, blocks: Iterable[np.ndarray], guard: LevelGuard) -> Iterator[np.ndarray]:
        """Principal channels ``[channels, time]`` -> the prompt's channels, at its level and stereo image."""
        for block in blocks:
            held = guard(block)
            self.drift_guard["largest_level_db"] = round(guard.largest, 2)
            yield (self.features.rotation.T @ held).astype(np.float32)

    def _imposed(
        self, blocks: Iterable[np.ndarray], tilt: SpectralTilt, temperature: float, statistics: bool
    ) -> Iterator[np.ndarray]:
        """Principal channels ``[channels, time]``, with the statistics of the tilted source (`StatisticsMatcher`)."""
        turn = self.features.rotation.astype(np.float32)
        asked = (tilt.slope, temperature, statistics)
        if self.imposition is None or self.imposition[0] != asked:
            recent = tilt.source[:, -round(MATERIAL_SECONDS * self.spec.sample_rate) :]  # of an hour, no copy
            self.imposition = asked, StatisticsMatcher(turn.T @ recent, self.spec.sample_rate, temperature, statistics)
        imposition = self.imposition[1]
        for block in imposition(turn.T @ block for block in blocks):
            self.drift_guard["imposed_rms_db"] = round(imposition.change, 2)
            yield turn @ block

    def rendered(self, pieces: Iterable[Tensor], seed: int) -> Iterator[np.ndarray]:
        """``[time, channels * n_mels]`` frames -> principal channels ``[channels, time]`` at the spec's rate."""
        channels = self.prompt.channels
        stream = self._vocoder().open(channels, self.features.samples, seed)
        for frames in pieces:
            yield stream.push(frames.unflatten(1, (channels, -1)).transpose(0, 1)).numpy()

    def resampled(self, blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Blocks ``[channels, time]`` that follow the prompt, from the spec's rate to the prompt's."""
        rate = self.spec.sample_rate
        resampler = Resampler(rate, self.prompt.sample_rate, self.prompt.channels)
        past = self.features.samples[:, -RESAMPLER_WARM_UP:]
        # What the resampler is given of the past comes out first, and is dropped.
        drop = round(past.shape[1] * self.prompt.sample_rate / rate)
        waiting = [resampler.push(past.numpy())]
        for rendered in blocks:
            if rendered.shape[1] == 0:
                continue
            waiting.append(resampler.push(rendered))
            block = np.concatenate(waiting, axis=1)
            waiting = []
            dropped = min(drop, block.shape[1])
            drop -= dropped
            if block.shape[1] > dropped:
                yield block[:, dropped:]

    def _vocoder(self) -> Vocoder:
        configured = self.first.experiment.vocoder
        kind = self.vocoder or configured.kind
        options = configured.options if kind == configured.kind else VOCODERS[kind].Options()
        # From where the frames begin, so that the frames of the source that were chosen are among the Vocoder's own.
        source = self.features.samples[:, self.features.skipped :]
        return build_vocoder(kind, self.spec, source, options)

    def tail(
        self, length: int, seed: int = 0, temperature: float = 1.0, controls: Controls = NEUTRAL
    ) -> Iterator[np.ndarray]:
        """The next ``length`` samples after the prompt, ``[channels, time]`` in blocks, joined to its end."""
        if not self.prompt.samples.any():
            yield from silence(self.prompt.channels, length)
            return
        yield from join_to_prompt(self.prompt, self.samples_after(seed, temperature, controls), length)


def join_to_prompt(prompt: Recording, blocks: Iterable[np.ndarray], length: int) -> Iterator[np.ndarray]:
    """The first ``length`` samples of what follows a prompt, joined to its end.

    What is digital silence in a channel of the prompt stays so: turned into principal channels and back, it would be
    rounding errors of the others.
    """
    left, silent = length, list(prompt.silent)
    for index, block in enumerate(blocks):
        block = join(prompt, block) if index == 0 else block
        if silent:
            block = block.copy()
            block[silent] = 0
        yield block[:, :left]
        left -= min(left, block.shape[1])
        if left == 0:
            return


def silence(channels: int, length: int, block: int = 1 << 16) -> Iterator[np.ndarray]:
    """Nothing follows nothing: a prompt of digital silence goes on as digital silence."""
    for start in range(0, length, block):
        yield np.zeros((channels, min(block, length - start)), np.float32)
