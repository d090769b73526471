"""Frames that the base predicts from the first part of a recording, for the benchmark of the vocoders.

Two kinds. ``chosen``: the frames that `audiogen continue` renders, patches of the recording in the order of
patch selection. ``drawn``: the latents sampled by the Model before selection, decoded; they are smoother than any
recording and show how a vocoder handles that. Channels without a Model are those of the selected patches.
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
    """The predicted continuation of a prompt.

    Args:
        prompt: the first part of a recording.
        count: number of frames.

    Attributes:
        features: the prompt's principal channels.
        source: ``[channels, samples]`` of the prompt, as a Run gives them to its vocoder.
    """

    def __init__(self, prompt: Recording, count: int) -> None:
        self.continuer, self.count = Continuer(base(), prompt), count
        self.features = self.continuer.analysis.material
        self.source = self.features.samples[:, self.features.skipped :]

    def frames(self) -> dict[str, Tensor]:
        """``{"chosen": ..., "drawn": ...}``, both ``[channels, count, n_mels]`` log-mel."""
        chosen = self._first(chunk.frames for chunk in self.continuer.frames_after(SEED, 1.0))
        return {"chosen": chosen, "drawn": self._first(self._drawn())}

    def _first(self, chunks: Iterator[Tensor]) -> Tensor:
        """The first frames of ``[time, channels * n_mels]`` chunks, ``[channels, count, n_mels]``."""
        found = torch.zeros(0, len(self.features.frames) * self.features.frames.shape[-1])
        while len(found) < self.count:
            found = torch.cat([found, next(chunks)[:, : found.shape[1]]])
        return found[: self.count].unflatten(1, (len(self.features.frames), -1)).transpose(0, 1)

    def _drawn(self) -> Iterator[Tensor]:
        prediction = self.continuer.predictor
        assert isinstance(prediction, RunPredictor)
        sampling = Sampling(1.0, generator=torch.Generator().manual_seed(SEED))
        state, selection = prediction.start, prediction.selection(1.0)
        while True:
            latent = prediction.model.draw(state, sampling)
            index = selection.choose(latent[0])
            state = prediction.model.read(state, selection.latents[index : index + 1])
            frames = prediction.representation.decode(latent, prediction.centre)
            yield torch.cat([frames, selection.frames_at(index)[:, frames.shape[1] :]], dim=1)
