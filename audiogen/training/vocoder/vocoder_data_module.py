"""Lessons for a vocoder: excerpts of recordings, and the frames that they are to be rendered from."""

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
from audiogen.representation import Representation
from audiogen.representation.mel import log_mel
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

VALIDATION_EXCERPTS = 8
UNKNOWN = 0.25  # share of excerpts whose recording's spectrum is not told


class VocoderDataModule(DataModule):
    """Excerpts that start at any frame of any channel, all equally likely."""

    def __init__(
        self, train: list[Channel], held: list[Channel], split: dict[str, str], experiment: Experiment
    ) -> None:
        self.experiment, self.split = experiment, split
        self.spec = experiment.representation.options.spec
        self.length = max(round(experiment.training.window * self.spec.frame_rate), 1)
        self.train, self.held = train, held

    def batch(self, step: int, size: int) -> Batch:
        ends = self._ends(self.train)
        draws = np.random.Generator(np.random.PCG64([self.experiment.training.seed, step]))
        return self._at(self.train, ends, draws.integers(ends[-1], size=size))

    def validation_batch(self) -> Batch | None:
        if not self.held:
            return None
        ends = self._ends(self.held)
        return self._at(self.held, ends, np.linspace(0, ends[-1] - 1, VALIDATION_EXCERPTS).astype(int))

    def frames(self, batch: Batch, augmented: bool = False) -> Excerpts:
        samples, errors, shapes = batch
        spread = self.experiment.augmentation.gain
        if augmented and spread > 0:
            samples = samples * 10.0 ** (spread * torch.randn(len(samples), 1, device=samples.device) / 20.0)
        true = log_mel(samples[:, self.spec.hop :], self.spec, padded=True)
        # What a spectrum's level is does not matter. Some excerpts do without: so may who renders frames.
        known = torch.rand(len(shapes), 1, 1, device=shapes.device) > UNKNOWN if augmented else torch.tensor(True)
        shapes = torch.where(known, shapes[:, None], torch.ones_like(shapes[:, None]))
        return Excerpts(samples, (true + errors).clamp(min=self.spec.silence), shapes)

    def new_model(self, experiment: Experiment) -> VocoderObjective:
        options, start = experiment.vocoder.options, experiment.vocoder_training.init_from
        if start:
            network = load_network(NeuralOptions(weights="" if start == "shipped" else start))
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
        start = self.experiment.vocoder_training.init_from
        if start:
            digest.update((SHIPPED if start == "shipped" else weights_file(NeuralOptions(start))).read_bytes())
        return digest.hexdigest()

    def log_media(self, model: VocoderObjective, batch: Batch, writer: EventWriter, step: int) -> None:
        log_media(writer, step, model.vocoder, self.frames(batch))

    def _ends(self, channels: list[Channel]) -> np.ndarray:
        return np.array([max(len(channel) - self.length + 1, 1) for channel in channels]).cumsum()

    def _at(self, channels: list[Channel], ends: np.ndarray, draws: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
        which = np.searchsorted(ends, draws, side="right")
        starts = draws - np.where(which > 0, ends[which - 1], 0)
        cut = [channels[index].excerpt(int(start), self.length) for index, start in zip(which, starts, strict=True)]
        shapes = torch.stack([channels[index].shape for index in which])
        return torch.stack([samples for samples, _ in cut]), torch.stack([errors for _, errors in cut]), shapes


def vocoder_data_module(
    experiment: Experiment, data: object, folder: Path | None, representation: Representation | None = None
) -> DataModule:
    """A Recording or its file (split in time), or a folder of recordings (split by recording).

    Raises:
        InputError: the vocoder is none that learns, or the data are no recordings.
    """
    if not isinstance(experiment.vocoder.options, NeuralOptions):
        raise InputError(f"vocoder {experiment.vocoder.kind}", "it does not learn", "train vocoder.kind=neural")
    if isinstance(data, Path) and data.is_file():
        data = read(data)
    if isinstance(data, Recording):
        return VocoderDataModule(*of_recording(data, experiment), experiment)
    if not isinstance(data, Path):
        raise InputError("training data", "a vocoder learns from recordings", "give a Recording or a folder of them")
    return VocoderDataModule(*of_folder(data, experiment), experiment)
