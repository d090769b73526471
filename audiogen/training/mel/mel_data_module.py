"""Lessons for the ``mel`` Representation: windows of recordings."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from audiogen.audio import Recording
from audiogen.errors import InputError
from audiogen.experiment import Experiment
from audiogen.models import Model
from audiogen.representation import Representation
from audiogen.representation.mel_latents import MelLatents
from audiogen.training.data_module import Batch, DataModule
from audiogen.training.mel.augmentation import augment, mix
from audiogen.training.mel.mel_media_logging import log_media
from audiogen.training.mel.mel_splits import (
    MelSplits,
    fit_representation,
    of_folder,
    of_recording,
    spread,
    validation_windows,
    windows_of,
)

if TYPE_CHECKING:
    from audiogen.training.tensorboard import EventWriter

CACHE = "cache"
VALIDATION_WINDOWS, FOLDER_VALIDATION_WINDOWS = 16, 64
MOST_FRAMES = 200_000  # that closed forms are fitted to: about 40 minutes


class MelDataModule(DataModule):
    """Windows of mel frames with their centres, encoded as they come."""

    representation: MelLatents

    def __init__(self, material: MelSplits, experiment: Experiment, representation: MelLatents | None = None) -> None:
        self.material, self.experiment, self.split = material, experiment, material.split
        self.representation = representation or fit_representation(material, experiment.representation.options)
        self.windows = windows_of(material.train, self.representation, experiment.training)

    def batch(self, step: int, size: int) -> Batch:
        return self.windows.batch(step, size)

    def validation_batch(self) -> Batch | None:
        held = validation_windows(self.material, self.representation, self.experiment.training)
        count = VALIDATION_WINDOWS if self.material.in_time else FOLDER_VALIDATION_WINDOWS
        return None if held is None else held.spread(count)

    def frames(self, batch: Batch, augmented: bool = False) -> Tensor:
        frames, centres = batch
        if augmented:
            frames, centres = mix(frames, centres, self.experiment.augmentation.mixing)
            frames = augment(frames, self.experiment.augmentation, self.representation.options.spec.n_mels)
        return self.representation.latents.to(frames.device).encode(frames, centres)

    def sequences(self) -> list[Tensor]:
        patch, found = self.representation.patch, []
        thinned = spread(self.windows.recordings, MOST_FRAMES)
        for stretches, centre in zip(thinned, self.windows.centres, strict=True):
            for frames in (torch.from_numpy(np.array(stretch)) for stretch in stretches):
                for offset in range(patch):  # patches at all offsets, as in training
                    whole = (len(frames) - offset) // patch * patch
                    found.append(self.representation.encode(frames[offset : offset + whole], centre))
        return found

    def fingerprint(self) -> str:
        digest = hashlib.sha256(repr(sorted(self.split.items())).encode())
        # The centres as well: a representation that comes from a base says nothing of these recordings.
        for tensor in (*self.representation.tensors().values(), self.windows.centres):
            digest.update(tensor.contiguous().numpy().tobytes())
        return digest.hexdigest()

    def log_media(self, model: Model, batch: Batch, writer: EventWriter, step: int) -> None:
        log_media(writer, step, model, self.representation, batch, self.experiment.training.seed)


def mel_data_module(
    experiment: Experiment, data: object, folder: Path | None, representation: Representation | None = None
) -> DataModule:
    """A Recording (split in time), or a folder of recordings or a cache (split by recording)."""
    assert representation is None or isinstance(representation, MelLatents)
    options, training = experiment.representation.options, experiment.training
    if isinstance(data, Recording):
        return MelDataModule(of_recording(data, options, training.split_fractions), experiment, representation)
    if not isinstance(data, Path):
        raise InputError("training data", "a mel Model learns from recordings", "give a Recording or a folder of them")
    if folder is None:
        raise InputError(data, "a folder is trained on into a Run", "name one with -o")
    material = of_folder(data, folder / CACHE, options, training.split_fractions, training.seed)
    return MelDataModule(material, experiment, representation)
