"""Frames that the base predicts after the known part of a recording, for the vocoders' benchmark.

Two kinds. ``chosen``: what `audiogen continue --budget 0` renders, patches of the recording itself in an order that
the Model asks for. ``drawn``: what the Model drew before each of them was chosen, decoded; it is smoother than any
recording and shows how a vocoder copes with that. Channels that the Model does not hear are those of the chosen ones.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from audiogen.audio import Recording
from audiogen.models import Sampling
from audiogen.pretrained import base
from audiogen.sound.continuation import Continuer
from audiogen.sound.predictor import RunPredictor

SEED = 0


class Predictions:
    """What follows a prompt.

    Args:
        prompt: the known part of a recording.
        count: frames wanted.

    Attributes:
        heard: the prompt's principal channels.
        source: ``[channels, samples]`` that a vocoder may know, as a Run gives them to its own.
    """

    def __init__(self, prompt: Recording, count: int) -> None:
        self.continuer, self.count = Continuer(base(), prompt), count
        self.heard = self.continuer.features
        self.source = self.heard.samples[:, self.heard.skipped :]

    def frames(self) -> dict[str, Tensor]:
        """``{"chosen": ..., "drawn": ...}``, both ``[channels, count, n_mels]`` log-mel."""
        chosen = self._first(self.continuer.frames_after(SEED, 1.0))
        return {"chosen": chosen, "drawn": self._first(self._drawn())}

    def _first(self, pieces: Iterator[Tensor]) -> Tensor:
        """The first frames of ``[time, channels * n_mels]`` pieces, ``[channels, count, n_mels]``."""
        found = torch.zeros(0, len(self.heard.frames) * self.heard.frames.shape[-1])
        while len(found) < self.count:
            found = torch.cat([found, next(pieces)[:, : found.shape[1]]])
        return found[: self.count].unflatten(1, (len(self.heard.frames), -1)).transpose(0, 1)

    def _drawn(self) -> Iterator[Tensor]:
        prediction = self.continuer.prediction
        assert isinstance(prediction, RunPredictor)
        sampling = Sampling(1.0, generator=torch.Generator().manual_seed(SEED))
        state, selection = prediction.start, prediction.selection(0.0)
        while True:
            latent = prediction.model.draw(state, sampling)
            place = selection.choose(latent[0])
            state = prediction.model.read(state, selection.latents[place : place + 1])
            frames = prediction.representation.decode(latent, prediction.centre)
            yield torch.cat([frames, selection.frames_at(place)[:, frames.shape[1] :]], dim=1)
