"""Data module of a vocoder: excerpts of recordings, and the frames to render them from."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from audiogen.audio import Recording, read
from audiogen.errors import InputError
from audiogen.experiment import Experiment
from audiogen.representation.mel import log_mel
from audiogen.run import Run
from audiogen.training.data_module import Batch, DataModule
from audiogen.training.vocoder.vocoder_media_logging import log_media
from audiogen.training.vocoder.vocoder_objective import Excerpts, VocoderObjective
from audiogen.training.vocoder.vocoder_run import VocoderRun
from audiogen.training.vocoder.vocoder_splits import Channel, of_folder, of_recording
from audiogen.vocoders.base import require_spec
from audiogen.vocoders.magnitude_network import MagnitudeNetwork
from audiogen.vocoders.neural import SHIPPED, Neural, NeuralOptions, load_network, weights_file

if TYPE_CHECKING:
    from audiogen.training.tensorboard import EventWriter

VALIDATION_EXCERPTS, MAX_LOGGED_EXCERPTS = 8, 4
SHAPE_DROPOUT = 0.25  # conditioning dropout: fraction of training excerpts rendered without the long-term spectrum


class VocoderDataModule(DataModule):
    """Excerpts that start at any frame of any channel, all equally likely.

    Args:
        train: channels to train on.
        validation: channels held out; may be empty.
        split: of each recording.
        experiment: its ``representation``, ``training``, ``augmentation`` and ``vocoder_training``.
    """

    def __init__(
        self, train: list[Channel], validation: list[Channel], split: dict[str, str], experiment: Experiment
    ) -> None:
        self.experiment, self.split = experiment, split
        self.spec = experiment.representation.options.spec
        self.length = max(round(experiment.training.window * self.spec.frame_rate), 1)
        self.train, self.validation = train, validation

    def batch(self, step: int, size: int) -> Batch:
        ends = self._ends(self.train)
        generator = np.random.Generator(np.random.PCG64([self.experiment.training.seed, step]))
        return self._excerpts(self.train, ends, generator.integers(ends[-1], size=size))

    def validation_batch(self) -> Batch | None:
        if not self.validation:
            return None
        ends = self._ends(self.validation)
        return self._excerpts(self.validation, ends, np.linspace(0, ends[-1] - 1, VALIDATION_EXCERPTS).astype(int))

    def frames(self, batch: Batch, augmented: bool = False) -> Excerpts:
        samples, errors, shapes = batch
        gain = self.experiment.augmentation.gain
        if augmented and gain > 0:
            samples = samples * 10.0 ** (gain * torch.randn(len(samples), 1, device=samples.device) / 20.0)
        true = log_mel(samples[:, self.spec.hop :], self.spec, padded=True)
        # The scale of a shape does not matter, so ones stand for an unknown one, as when frames alone are rendered.
        shapes = shapes[:, None]
        if augmented:
            known = torch.rand(len(shapes), 1, 1, device=shapes.device) > SHAPE_DROPOUT
            shapes = torch.where(known, shapes, torch.ones_like(shapes))
        return Excerpts(samples, (true + errors).clamp(min=self.spec.silence), shapes)

    def new_model(self, experiment: Experiment) -> VocoderObjective:
        options, weights = experiment.vocoder.options, experiment.vocoder_training.init_from
        if weights:
            network = load_network(NeuralOptions(weights="" if weights == "shipped" else weights))
            require_spec("neural", network.spec, self.spec)
        else:
            network = MagnitudeNetwork(self.spec, options.size)
        return VocoderObjective(Neural(network, options), experiment.vocoder_training)

    def run(self, experiment: Experiment, model: VocoderObjective, metrics: dict[str, Any]) -> VocoderRun:
        return VocoderRun(experiment, model.vocoder.network, metrics)

    def report(self, model: Any) -> dict[str, Any]:
        return {"parameters": sum(weight.numel() for weight in model.vocoder.network.parameters())}

    def fingerprint(self) -> str:
        digest = hashlib.sha256(repr(sorted(self.split.items())).encode())
        for channel in self.train:
            digest.update(channel.samples.numpy().tobytes())
            digest.update(channel.errors.numpy().tobytes())
        weights = self.experiment.vocoder_training.init_from
        if weights:
            digest.update((SHIPPED if weights == "shipped" else weights_file(NeuralOptions(weights))).read_bytes())
        return digest.hexdigest()

    def log_media(self, model: VocoderObjective, batch: Batch, writer: EventWriter, step: int) -> None:
        log_media(writer, step, model.vocoder, self.frames(tuple(part[:MAX_LOGGED_EXCERPTS] for part in batch)))

    def _ends(self, channels: list[Channel]) -> np.ndarray:
        """Cumulative numbers of excerpts."""
        return np.array([max(len(channel) - self.length + 1, 1) for channel in channels]).cumsum()

    def _excerpts(
        self, channels: list[Channel], ends: np.ndarray, numbers: np.ndarray
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Samples, errors and shapes of the excerpts of these numbers, counted over all channels."""
        which = np.searchsorted(ends, numbers, side="right")
        starts = numbers - np.where(which > 0, ends[which - 1], 0)
        cut = [channels[index].excerpt(int(start), self.length) for index, start in zip(which, starts, strict=True)]
        shapes = torch.stack([channels[index].shape for index in which])
        return torch.stack([samples for samples, _ in cut]), torch.stack([errors for _, errors in cut]), shapes


def vocoder_data_module(
    experiment: Experiment, data: object, folder: Path | None, base: Run | None = None
) -> DataModule:
    """The data module of one recording (split in time), or of a folder of recordings (split by recording).

    Args:
        experiment: what to train and how.
        data: a Recording, its file, or the path of a folder.
        folder: of the Run; unused.
        base: unused, since nothing is fitted.

    Raises:
        InputError: the vocoder has nothing to train, or data of another type.
    """
    if not isinstance(experiment.vocoder.options, NeuralOptions):
        raise InputError(f"vocoder {experiment.vocoder.kind}", "it has nothing to train", "use vocoder.kind=neural")
    if isinstance(data, Path) and data.is_file():
        data = read(data)
    if isinstance(data, Recording):
        return VocoderDataModule(*of_recording(data, experiment), experiment)
    if not isinstance(data, Path):
        raise InputError("training data", "a vocoder is trained on recordings", "give a Recording or a folder of them")
    return VocoderDataModule(*of_folder(data, experiment), experiment)
