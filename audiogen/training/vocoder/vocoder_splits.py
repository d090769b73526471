"""What a vocoder learns from: channels of recordings, with what its frames are off by where they are predicted."""

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

MOST_CHANNELS = 2  # of a recording
CONTEXT, BATCH = 16, 64  # of the Model's frames: heard before each prediction, and predicted at a time
ChannelSplits = tuple[list["Channel"], list["Channel"], dict[str, str]]
"""To train on, held back for validation, and what is where."""


@dataclass(frozen=True)
class Channel:
    """A principal channel.

    Args:
        samples: ``[(frames + overlap) hops]`` about: those that windows of frames 0, 1, ... cover.
        errors: ``[frames, n_mels]``, what is added to the true log-mel frames before they are rendered; ``[1, 1]``, a
            zero, where true ones are.
        shape: ``[bins]``, long-term spectrum of the recording.
        spec: of the frames.
    """

    samples: Tensor
    errors: Tensor
    shape: Tensor
    spec: MelSpec

    def __len__(self) -> int:
        """Excerpts of one frame that there are: each needs the window before it."""
        return max((len(self.samples) - self.spec.win) // self.spec.hop, 1)

    def excerpt(self, start: int, length: int) -> tuple[Tensor, Tensor]:
        """Samples ``[win + length * hop]``, the first window of them the past; errors ``[length, n_mels]``, ``[1, 1]``.

        What is shorter is led by silence.
        """
        spec = self.spec
        samples = self.samples[start * spec.hop :][: spec.win + length * spec.hop]
        missing = spec.win + length * spec.hop - len(samples)
        errors = self.errors if len(self.errors) == 1 else self.errors[start + 1 : start + 1 + length]
        if missing > 0:
            samples = torch.nn.functional.pad(samples, (missing, 0))
            errors = errors if len(errors) == 1 else torch.nn.functional.pad(errors, (0, 0, length - len(errors), 0))
        return samples, errors

    def part(self, start: int, stop: int) -> Channel:
        """Its frames from ``start`` to before ``stop``, with the samples that they cover."""
        end = (stop - 1) * self.spec.hop + self.spec.win
        errors = self.errors if len(self.errors) == 1 else self.errors[start:stop]
        return Channel(self.samples[start * self.spec.hop : end], errors, self.shape, self.spec)


def of_recording(recording: Recording, experiment: Experiment) -> ChannelSplits:
    """One recording, split in time as for a Model.

    Raises:
        InputError: shorter than two windows, or a Run that does not fit it.
    """
    spec, shares = experiment.representation.options.spec, experiment.training.split_fractions
    heard = extract_features(recording, spec)
    count = heard.frames.shape[1]
    if count < 8:
        cause = f"{recording.seconds:.3f} s is too short to learn from"
        raise InputError(recording.path or "recording", cause, "give at least half a second")
    whole = channels_of(heard, experiment.vocoder_training.frames_from)
    stop = count - round(shares.test * count)
    middle = stop - round(shares.validation * count)
    edges = [f"{edge / spec.frame_rate:.2f}" for edge in (0, middle, stop, count)]
    split = {part: f"{edges[k]}..{edges[k + 1]} s" for k, part in enumerate(("train", "validation", "test"))}
    held = [channel.part(middle, stop) for channel in whole] if stop - middle > 4 else []
    return [channel.part(0, middle) for channel in whole], held, split


def of_folder(folder: Path, experiment: Experiment) -> ChannelSplits:
    """A folder of recordings, split by recording; unreadable files are warned of and left out."""
    if experiment.vocoder_training.frames_from:
        raise InputError(folder, "a Run predicts the frames of its own recording", "name that recording with --data")
    spec, training = experiment.representation.options.spec, experiment.training
    names = [str(file.relative_to(folder)) for file in find_recordings(folder)]
    split = split_recordings(names, training.split_fractions, training.seed)
    parts: dict[str, list[Channel]] = {"train": [], "validation": [], "test": []}
    with progress(len(names), "reading") as bar:
        for name in names:
            bar.update()
            try:
                with reading(folder / name):
                    parts[split[name]] += channels_of(extract_features(read(folder / name), spec))
            except InputError as error:
                warnings.warn(f"left out: {error}", AudioWarning, stacklevel=2)
    if not parts["train"]:
        raise InputError(folder, "there is nothing to train on", "add recordings")
    return parts["train"], parts["validation"], dict(split)


def channels_of(heard: RecordingFeatures, predicted_by: str = "") -> list[Channel]:
    """The first principal channels, cut so that their windows are those of the frames."""
    spec, count = heard.spec, heard.frames.shape[1]
    length = (count - 1) * spec.hop + spec.win
    samples = torch.nn.functional.pad(heard.samples, (max(length - heard.samples.shape[1], 0), 0))[:, -length:]
    none = torch.zeros(len(samples), 1, 1)
    errors = prediction_errors(heard, Path(predicted_by)) if predicted_by else none
    shapes = mean_magnitude(samples, spec)[:, 0]
    return [Channel(*channel, spec) for channel in zip(samples[:MOST_CHANNELS], errors, shapes, strict=False)]


@torch.no_grad()
def prediction_errors(heard: RecordingFeatures, folder: Path) -> Tensor:
    """What a Run's Model, given the frames before, predicts off the mark: ``[channels, frames, n_mels]``.

    Raises:
        InputError: the Run reads no mel frames, or of another spec.
    """
    run = Run.open(folder, with_vocoder=False)
    representation = run.representation
    if not isinstance(representation, MelLatents) or representation.options.spec != heard.spec:
        raise InputError(folder, "it predicts other frames than are to be rendered", "name a Run on mel frames")
    true = heard.side_by_side(representation.channels)
    whole = len(true) // representation.patch * representation.patch
    centre, sampling = representation.centre(true), Sampling(generator=torch.Generator().manual_seed(0))
    latents = representation.encode(true[len(true) - whole :], centre)
    contexts = latents.unfold(0, CONTEXT, 1)[:-1].transpose(1, 2)  # of each frame but the first few
    steps = [run.model.step(run.model.start(some), sampling)[0] for some in contexts.split(BATCH)]
    predicted = representation.decode(torch.cat(steps), centre)
    errors = torch.zeros_like(true)
    errors[len(true) - len(predicted) :] = predicted - true[len(true) - len(predicted) :]
    return errors.unflatten(1, (representation.channels, -1)).transpose(0, 1)
