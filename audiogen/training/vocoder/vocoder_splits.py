"""Training and validation splits for a vocoder: principal channels of recordings."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from audiogen.audio import AudioWarning, Recording, read
from audiogen.data.recordings import find_recordings, reading, split_recordings
from audiogen.errors import InputError
from audiogen.experiment import Experiment
from audiogen.models import Sampling
from audiogen.progress import progress
from audiogen.representation.mel import MelSpec
from audiogen.representation.mel_latents import MelLatents
from audiogen.representation.recording_features import RecordingFeatures, extract_features
from audiogen.run import Run
from audiogen.vocoders.phase_reconstruction.source_spectrum import mean_magnitude

MAX_CHANNELS = 2  # of a recording
MIN_FRAMES = 8  # of a recording
MIN_VALIDATION_FRAMES = 5
CONTEXT, BATCH = 16, 64  # of the Model's frames: given before each prediction, and predicted at a time
ChannelSplits = tuple[list["Channel"], list["Channel"], dict[str, str]]
"""Channels to train on, channels to validate on, and the split of each recording (or its seconds by split)."""


@dataclass(frozen=True)
class Channel:
    """A principal channel of a recording.

    Args:
        samples: about ``[(frames + overlap) hops]``, covered by the windows of frames 0, 1, ...
        errors: ``[frames, n_mels]``, added to the true log-mel frames before they are rendered; ``[1, 1]`` zero to
            render the true ones.
        shape: ``[bins]`` long-term spectrum of the recording.
        spec: of the frames.
    """

    samples: Tensor
    errors: Tensor
    shape: Tensor
    spec: MelSpec

    def __len__(self) -> int:
        """Number of excerpts of one frame; each needs the window before it."""
        return max((len(self.samples) - self.spec.win) // self.spec.hop, 1)

    def excerpt(self, start: int, length: int) -> tuple[Tensor, Tensor]:
        """An excerpt, preceded by silence if the channel is shorter.

        Args:
            start: its first frame.
            length: its number of frames.

        Returns:
            Samples ``[win + length * hop]``, of which the first ``win`` are context, and errors ``[length, n_mels]``
            or ``[1, 1]``.
        """
        spec = self.spec
        samples = self.samples[start * spec.hop :][: spec.win + length * spec.hop]
        missing = spec.win + length * spec.hop - len(samples)
        errors = self.errors if len(self.errors) == 1 else self.errors[start + 1 : start + 1 + length]
        if missing > 0:
            samples = torch.nn.functional.pad(samples, (missing, 0))
            errors = errors if len(errors) == 1 else torch.nn.functional.pad(errors, (0, 0, length - len(errors), 0))
        return samples, errors

    def between(self, start: int, stop: int) -> Channel:
        """Frames ``start`` to ``stop`` (excluded), with the samples that they cover."""
        end = (stop - 1) * self.spec.hop + self.spec.win
        errors = self.errors if len(self.errors) == 1 else self.errors[start:stop]
        return Channel(self.samples[start * self.spec.hop : end], errors, self.shape, self.spec)


def of_recording(recording: Recording, experiment: Experiment) -> ChannelSplits:
    """Split one recording in time, as for a Model.

    Raises:
        InputError: it is too short, or does not fit the Run that predicts its frames.
    """
    spec, fractions = experiment.representation.options.spec, experiment.training.split_fractions
    features = extract_features(recording, spec)
    count = features.frames.shape[1]
    if count < MIN_FRAMES:
        cause = f"{recording.seconds:.3f} s is too short to train on"
        raise InputError(recording.path or "recording", cause, "give at least half a second")
    channels = channels_of(features, experiment.vocoder_training.frames_from)
    stop = count - round(fractions.test * count)
    middle = stop - round(fractions.validation * count)
    edges = [f"{edge / spec.frame_rate:.2f}" for edge in (0, middle, stop, count)]
    split = {name: f"{edges[k]}..{edges[k + 1]} s" for k, name in enumerate(("train", "validation", "test"))}
    validated = stop - middle >= MIN_VALIDATION_FRAMES
    validation = [channel.between(middle, stop) for channel in channels] if validated else []
    return [channel.between(0, middle) for channel in channels], validation, split


def of_folder(folder: Path, experiment: Experiment) -> ChannelSplits:
    """Split a folder of recordings by recording; warns of unreadable files, which are left out.

    Raises:
        InputError: frames are to be predicted by a Run, or no recording of the training split can be read.
    """
    if experiment.vocoder_training.frames_from:
        cause = "vocoder_training.frames_from needs the one recording that its Run was trained on"
        raise InputError(folder, cause, "name that recording with --data")
    spec, training = experiment.representation.options.spec, experiment.training
    names = [str(file.relative_to(folder)) for file in find_recordings(folder)]
    split = split_recordings(names, training.split_fractions, training.seed)
    channels: dict[str, list[Channel]] = {"train": [], "validation": [], "test": []}
    with progress(len(names), "reading") as bar:
        for name in names:
            bar.update()
            try:
                with reading(folder / name):
                    channels[split[name]] += channels_of(extract_features(read(folder / name), spec))
            except InputError as error:
                warnings.warn(f"left out: {error}", AudioWarning, stacklevel=2)
    if not channels["train"]:
        raise InputError(folder, "there is nothing to train on", "add recordings")
    return channels["train"], channels["validation"], dict(split)


def channels_of(features: RecordingFeatures, frames_from: str = "") -> list[Channel]:
    """The first principal channels of a recording, cut so that their windows are those of its frames.

    Args:
        features: of the recording.
        frames_from: Run whose predictions replace the true frames; "" for the true ones.
    """
    spec, count = features.spec, features.frames.shape[1]
    length = (count - 1) * spec.hop + spec.win
    samples = torch.nn.functional.pad(features.samples, (max(length - features.samples.shape[1], 0), 0))[:, -length:]
    none = torch.zeros(len(samples), 1, 1)
    errors = prediction_errors(features, Path(frames_from)) if frames_from else none
    shapes = mean_magnitude(samples, spec)[:, 0]
    return [Channel(*channel, spec) for channel in zip(samples[:MAX_CHANNELS], errors, shapes, strict=False)]


@torch.no_grad()
def prediction_errors(features: RecordingFeatures, folder: Path) -> Tensor:
    """Errors of a Run's teacher-forced predictions of one step: ``[channels, frames, n_mels]``, predicted minus true.

    Args:
        features: of the recording.
        folder: of the Run.

    Raises:
        InputError: the Run predicts no mel frames, or those of another spec.
    """
    run = Run.open(folder, with_vocoder=False)
    representation = run.representation
    if not isinstance(representation, MelLatents) or representation.options.spec != features.spec:
        raise InputError(folder, "it predicts other frames than those to render", "name a Run of mel frames")
    true = features.side_by_side(representation.channels)
    whole = len(true) // representation.patch * representation.patch
    centre, sampling = representation.centre(true), Sampling(generator=torch.Generator().manual_seed(0))
    latents = representation.encode(true[len(true) - whole :], centre)
    contexts = latents.unfold(0, CONTEXT, 1)[:-1].transpose(1, 2)  # of each frame but the first few
    steps = [run.model.step(run.model.start(some), sampling)[0] for some in contexts.split(BATCH)]
    predicted = representation.decode(torch.cat(steps), centre)
    errors = torch.zeros_like(true)
    errors[len(true) - len(predicted) :] = predicted - true[len(true) - len(predicted) :]
    return errors.unflatten(1, (representation.channels, -1)).transpose(0, 1)
