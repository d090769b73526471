"""Training and validation splits of mel frames, from a recording, a folder of recordings or a cache."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from audiogen.audio import AudioWarning, Recording
from audiogen.config.choice import Choice
from audiogen.data.cache import CachedRecording, is_cache, open_cache, prepare
from audiogen.data.recordings import SplitFractions, find_recordings, split_recordings
from audiogen.data.windows import Windows
from audiogen.errors import InputError
from audiogen.experiment import Experiment, Training
from audiogen.progress import progress
from audiogen.representation.mel import MelSpec
from audiogen.representation.mel_latents import MelLatents, MelOptions
from audiogen.representation.recording_features import MIN_SECONDS, extract_features
from audiogen.sound.fade_detection import without_edges

MAX_CHANNELS = 2  # principal channels that are modelled, unless representation.channels says more
MAX_FIT_FRAMES = 200_000  # about 40 minutes: principal components do not improve with more
SEGMENT, MIN_SEGMENT = 1024, 64  # frames (12 s; 0.7 s) of one segment of a thinned recording


@dataclass(frozen=True)
class MelSplits:
    """Mel frames to train and to validate on.

    Args:
        train: ``[time, feature]`` of each recording (or of the first part of the only one).
        validation: the same, held out to stop the training; may be empty.
        split: recording -> split; for a single recording, split -> its seconds.
        in_time: whether it is a single recording, split in time.
    """

    train: list[np.ndarray]
    validation: list[np.ndarray]
    split: dict[str, str]
    in_time: bool = False


def of_recording(recording: Recording, options: MelOptions, fractions: SplitFractions) -> MelSplits:
    """Split one recording, without fades and silence at its ends, in time.

    Its end is held out, since a continuation starts there.

    Raises:
        InputError: it is shorter than `MIN_SECONDS`, or than two patches.
    """
    if recording.seconds < MIN_SECONDS:
        raise InputError(
            recording.path or "recording",
            f"{recording.seconds:.3f} s is too short to train on",
            f"give at least {MIN_SECONDS} s",
        )
    recording = without_edges(recording)
    channels = options.channels or min(recording.channels, MAX_CHANNELS)
    frames = extract_features(recording, options.spec).side_by_side(channels).numpy()
    least = 2 * options.patch  # a prediction needs two of the Model's frames
    stop = max(len(frames) - round(fractions.test * len(frames)), min(least, len(frames)))
    if stop < least:
        raise InputError(
            recording.path or "recording",
            f"its {len(frames)} mel frames are fewer than the {least} of two patches",
            "give a longer one, or lower representation.patch",
        )
    held_out = round(fractions.validation * len(frames))
    held_out = held_out if held_out >= least and stop - held_out >= least else 0
    edges = [0, stop - held_out, stop, len(frames)]
    seconds = [f"{edge / options.spec.frame_rate:.2f}" for edge in edges]
    split = {
        name: f"{seconds[index]}..{seconds[index + 1]} s"
        for index, name in enumerate(("train", "validation", "test"))
        if edges[index] < edges[index + 1]
    }
    validation = [frames[stop - held_out : stop]] if held_out else []
    return MelSplits([frames[: stop - held_out]], validation, split, in_time=True)


def of_folder(folder: Path, cache: Path, options: MelOptions, fractions: SplitFractions, seed: int) -> MelSplits:
    """Split a cache, or a folder of recordings (first analysed into ``cache``), by recording."""
    channels = options.channels or 1
    if is_cache(folder):
        cached = open_cache(folder, options.spec, channels)
    else:
        cached = prepare_folder(folder, cache, options.spec, channels)
    return of_cached(cached, options, fractions, seed)


def prepare_folder(folder: Path, cache: Path, spec: MelSpec, channels: int) -> list[CachedRecording]:
    """Analyse a folder of recordings into a cache, with a progress bar; warns of files that are left out."""
    files = find_recordings(folder)

    def skip(file: Path, error: Exception) -> None:
        warnings.warn(f"left out: {error}", AudioWarning, stacklevel=2)

    cached = []
    with progress(len(files), "analysing") as bar:
        for item in prepare(files, folder, cache, spec, channels, skip):
            cached.append(item)
            bar.update()
    return cached


def of_cached(
    cached: Sequence[CachedRecording], options: MelOptions, fractions: SplitFractions, seed: int
) -> MelSplits:
    """Split cached recordings by recording, without those that are shorter than two patches.

    Raises:
        InputError: no recording of the training split is long enough.
    """
    split = split_recordings([item.name for item in cached], fractions, seed)
    frames_of: dict[str, list[np.ndarray]] = {"train": [], "validation": [], "test": []}
    for item in cached:
        frames = item.frames()
        if len(frames) >= 2 * options.patch:
            frames_of[split[item.name]].append(frames)
    if not frames_of["train"]:
        least = 2 * options.patch / options.spec.frame_rate
        raise InputError("training data", "no recording is long enough", f"give at least {least:.1f} s each")
    return MelSplits(frames_of["train"], frames_of["validation"], dict(split))


def with_channels(experiment: Experiment, channels: int) -> Experiment:
    """The experiment with its number of principal channels filled in.

    Args:
        experiment: of any modality; tunes have no channels.
        channels: of the recording; at most `MAX_CHANNELS` of them are modelled unless the experiment says more.
    """
    options = experiment.representation.options
    if not isinstance(options, MelOptions):
        return experiment
    options = replace(options, channels=options.channels or min(channels, MAX_CHANNELS))
    return replace(experiment, representation=Choice(experiment.representation.kind, options))


def fit_representation(splits: MelSplits, options: MelOptions) -> MelLatents:
    """Fit normalisation and latents to the training split."""
    segments, centres = [], []
    for thinned in thin(splits.train, MAX_FIT_FRAMES):
        own = [torch.from_numpy(np.array(frames)) for frames in thinned]
        segments += own
        centres += [torch.cat(own).mean(0)] * len(own) if own else []
    return MelLatents.fit(options, segments, centres)


def thin(recordings: Sequence[np.ndarray], max_frames: int) -> list[list[np.ndarray]]:
    """Segments spread evenly over each recording, since its beginning alone does not represent it.

    Segments rather than single frames, because patches and Models need neighbouring frames.

    Args:
        recordings: ``[time, feature]`` each.
        max_frames: frames to keep of all recordings together, up to `MIN_SEGMENT` more per recording.

    Returns:
        One list of segments per recording, which may be empty; the whole recordings if they have at most
        ``max_frames``.
    """
    total = sum(len(frames) for frames in recordings)
    if total <= max_frames:
        return [[frames] for frames in recordings]
    every = -(-MIN_SEGMENT * len(recordings) // max_frames)  # use each n-th of so many that each would give too little
    total = sum(len(frames) for frames in recordings[::every])
    thinned: list[list[np.ndarray]] = []
    for index, frames in enumerate(recordings):
        if index % every:
            thinned.append([])
            continue
        kept = min(max(len(frames) * max_frames // total, MIN_SEGMENT), len(frames))
        count = max(round(kept / SEGMENT), 1)
        size = -(-kept // count)
        # Each segment in the middle of one of ``count`` equal cells.
        starts = [((2 * k + 1) * len(frames) - size * count) // (2 * count) for k in range(count)]
        thinned.append([frames[start : start + size] for start in starts])
    return thinned


def windows_of(
    recordings: Sequence[np.ndarray],
    representation: MelLatents,
    training: Training,
    centre: Tensor | None = None,
) -> Windows:
    """Training windows of some recordings, in whole patches.

    Args:
        recordings: ``[time, feature]`` log-mel frames each.
        representation: of the Model's frames.
        training: its ``window`` and ``seed``.
        centre: ``[feature]``, to subtract instead of each recording's own mean.
    """
    options = representation.options
    length = max(round(training.window * options.spec.frame_rate), 2 * options.patch)
    if centre is not None:
        centres = [centre] * len(recordings)
    else:
        centres = [representation.centre(torch.from_numpy(np.array(frames))) for frames in recordings]
    return Windows(recordings, length, options.patch, centres, training.seed)


def validation_windows(splits: MelSplits, representation: MelLatents, training: Training) -> Windows | None:
    """Windows of the validation split; None if it is empty.

    The end of a single recording is centred by the mean of its training split: its own mean is not known when it is
    to be predicted.
    """
    if not splits.validation:
        return None
    trained = representation.centre(torch.from_numpy(np.array(splits.train[0]))) if splits.in_time else None
    return windows_of(splits.validation, representation, training, trained)
