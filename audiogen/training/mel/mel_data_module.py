"""Data module of the ``mel`` Representation: windows of recordings."""

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
from audiogen.representation.mel_latents import MelLatents
from audiogen.run import Run
from audiogen.training.data_module import Batch, DataModule
from audiogen.training.mel.augmentation import augment, mix
from audiogen.training.mel.mel_media_logging import log_media
from audiogen.training.mel.mel_splits import (
    MelSplits,
    fit_representation,
    of_folder,
    of_recording,
    thin,
    validation_windows,
    windows_of,
)

if TYPE_CHECKING:
    from audiogen.training.tensorboard import EventWriter

CACHE = "cache"
VALIDATION_WINDOWS, FOLDER_VALIDATION_WINDOWS = 16, 64
MAX_FRAMES = 200_000  # that closed forms are fitted to: about 40 minutes


class MelDataModule(DataModule):
    """Windows of log-mel frames with the mean frames of their recordings.

    Args:
        splits: frames to train and to validate on.
        experiment: its ``training`` and ``augmentation``.
        representation: fitted before; None to fit it to the training split.
    """

    representation: MelLatents

    def __init__(self, splits: MelSplits, experiment: Experiment, representation: MelLatents | None = None) -> None:
        self.splits, self.experiment, self.split = splits, experiment, splits.split
        self.representation = representation or fit_representation(splits, experiment.representation.options)
        self.windows = windows_of(splits.train, self.representation, experiment.training)

    def batch(self, step: int, size: int) -> Batch:
        return self.windows.batch(step, size)

    def validation_batch(self) -> Batch | None:
        windows = validation_windows(self.splits, self.representation, self.experiment.training)
        count = VALIDATION_WINDOWS if self.splits.in_time else FOLDER_VALIDATION_WINDOWS
        return None if windows is None else windows.spread(count)

    def frames(self, batch: Batch, augmented: bool = False) -> Tensor:
        frames, centres = batch
        if augmented:
            frames, centres = mix(frames, centres, self.experiment.augmentation.mixing)
            frames = augment(frames, self.experiment.augmentation, self.representation.options.spec.n_mels)
        return self.representation.latents.to(frames.device).encode(frames, centres)

    def sequences(self) -> list[Tensor]:
        patch, sequences = self.representation.patch, []
        thinned = thin(self.windows.recordings, MAX_FRAMES)
        for segments, centre in zip(thinned, self.windows.centres, strict=True):
            for frames in (torch.from_numpy(np.array(segment)) for segment in segments):
                for offset in range(patch):  # patches at all offsets, as in training
                    whole = (len(frames) - offset) // patch * patch
                    sequences.append(self.representation.encode(frames[offset : offset + whole], centre))
        return sequences

    def fingerprint(self) -> str:
        digest = hashlib.sha256(repr(sorted(self.split.items())).encode())
        # The centres as well: the representation of a base does not depend on these recordings.
        for tensor in (*self.representation.tensors().values(), self.windows.centres):
            digest.update(tensor.contiguous().numpy().tobytes())
        return digest.hexdigest()

    def log_media(self, model: Model, batch: Batch, writer: EventWriter, step: int) -> None:
        log_media(writer, step, model, self.representation, batch, self.experiment.training.seed)


def mel_data_module(experiment: Experiment, data: object, folder: Path | None, base: Run | None = None) -> DataModule:
    """The data module of a Recording (split in time), or of a folder of recordings or a cache (split by recording).

    Args:
        experiment: its ``representation``, ``training`` and ``augmentation``.
        data: a Recording or the path of a folder.
        folder: of the Run, where a folder of recordings is analysed into.
        base: Run whose Representation is used; None to fit a new one.

    Raises:
        InputError: data of another type, or too short; a folder to train on without a folder of the Run.
    """
    representation = base.representation if base is not None else None
    assert representation is None or isinstance(representation, MelLatents)
    options, training = experiment.representation.options, experiment.training
    if isinstance(data, Recording):
        return MelDataModule(of_recording(data, options, training.split_fractions), experiment, representation)
    if not isinstance(data, Path):
        raise InputError("training data", "a mel Model is trained on recordings", "give a Recording or a folder")
    if folder is None:
        raise InputError(data, "training on a folder needs the folder of a Run", "name one with -o")
    splits = of_folder(data, folder / CACHE, options, training.split_fractions, training.seed)
    return MelDataModule(splits, experiment, representation)
