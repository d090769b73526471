"""Likelihood of sound under a Run's own Model: how well it foretells what really came next, and its own tails.

Nats per latent coordinate of a Representation, by teacher forcing: each patch given all real ones before it. Values are
comparable between Models of one Representation only, since the unit of its latents adds a constant. A good likelihood
need not mean good tails, which are conditioned on what the Model itself drew. Where a Model draws what it finds far
likelier than real audio, it is too smooth; where far less likely, its tails leave what it knows.
"""

from __future__ import annotations

import numpy as np
import torch

from audiogen.audio import Recording
from audiogen.models.base import FrameModel
from audiogen.representation.mel_latents import MelLatents
from audiogen.representation.recording_features import extract_features
from audiogen.run import Run, mel_representation

MIN_PATCHES = 2  # of a tail


class ModelLikelihood:
    """Log likelihood of tails of one prompt under the Model of a Run.

    Args:
        run: of mel frames.
        prompt: what precedes the tails.

    Attributes:
        kind: of the Model, as in the configuration.

    Raises:
        InputError: the Run predicts notes.
    """

    def __init__(self, run: Run, prompt: Recording) -> None:
        self.representation: MelLatents = mel_representation(run)
        assert isinstance(run.model, FrameModel)
        self.model, self.prompt, self.kind = run.model, prompt, str(run.experiment.model.kind)
        features = extract_features(prompt, self.representation.options.spec)
        self.rotation = features.rotation
        self.centre = self.representation.centre(features.side_by_side(self.representation.channels))

    @torch.no_grad()
    def __call__(self, tail: Recording) -> float | None:
        """Mean log density of the tail's patches in nats per latent coordinate.

        Returns:
            None where the Model has no density (a GAN, a head of points, a baseline that replays), where the prompt is
            shorter than a patch, or the tail than `MIN_PATCHES`.
        """
        spec, patch = self.representation.options.spec, self.representation.patch
        joined = Recording(np.concatenate([self.prompt.samples, tail.samples], axis=1), tail.sample_rate)
        frames = extract_features(joined, spec, self.rotation).side_by_side(self.representation.channels)
        frames = frames[len(frames) % patch :]
        count = int(tail.seconds * spec.frame_rate) // patch
        if count < MIN_PATCHES or len(frames) // patch <= count:
            return None
        nats = self.model.log_likelihood(self.representation.encode(frames, self.centre)[None])
        return None if nats is None else float(nats[0, -count:].mean()) / self.representation.features
