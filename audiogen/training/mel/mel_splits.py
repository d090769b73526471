"""What a training learns from: a recording, a folder or a cache -> windows to train and to validate on."""

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
from audiogen.representation.recording_features import extract_features

MOST_CHANNELS = 2  # that are heard unless more are asked for
SHORTEST = 0.5  # seconds of a recording that can be learned from
MOST_FIT_FRAMES = 200_000  # about 40 minutes: principal components do not get better from more
STRETCH, SHORTEST_STRETCH = 1024, 64  # frames (12 s; 0.7 s) of what is kept of a longer recording at one place


@dataclass(frozen=True)
class MelSplits:
    """Frames to learn from.

    Args:
        train: ``[time, feature]`` of each recording (or of the first part of the only one).
        validation: the same of what is held back to stop the training; may be empty.
        split: recording -> part, or the seconds of each part of a single recording.
        in_time: whether it is a single recording, split in time.
    """

    train: list[np.ndarray]
    validation: list[np.ndarray]
    split: dict[str, str]
    in_time: bool = False


def of_recording(recording: Recording, options: MelOptions, shares: SplitFractions) -> MelSplits:
    """One recording, split in time: its end is held back, nearest to what will be asked for.

    Raises:
        InputError: shorter than `SHORTEST`.
    """
    if recording.seconds < SHORTEST:
        raise InputError(
            recording.path or "recording",
            f"{recording.seconds:.3f} s is too short to learn from",
            f"give at least {SHORTEST} s",
        )
    channels = options.channels or min(recording.channels, MOST_CHANNELS)
    frames = extract_features(recording, options.spec).side_by_side(channels).numpy()
    least = 2 * options.patch  # fewer than two of the Model's frames say nothing about what follows
    stop = max(len(frames) - round(shares.test * len(frames)), min(least, len(frames)))
    if stop < least:
        raise InputError(
            recording.path or "recording",
            f"its {len(frames)} mel frames are fewer than the {least} of two patches",
            "give a longer one, or lower representation.patch",
        )
    held = round(shares.validation * len(frames))
    held = held if held >= least and stop - held >= least else 0
    edges = [0, stop - held, stop, len(frames)]
    seconds = [f"{edge / options.spec.frame_rate:.2f}" for edge in edges]
    split = {
        part: f"{seconds[index]}..{seconds[index + 1]} s"
        for index, part in enumerate(("train", "validation", "test"))
        if edges[index] < edges[index + 1]
    }
    validation = [frames[stop - held : stop]] if held else []
    return MelSplits([frames[: stop - held]], validation, split, in_time=True)


def of_folder(folder: Path, cache: Path, options: MelOptions, shares: SplitFractions, seed: int) -> MelSplits:
    """A folder of recordings (analysed into ``cache`` first) or a cache, split by recording."""
    channels = options.channels or 1
    if is_cache(folder):
        cached = open_cache(folder, options.spec, channels)
    else:
        cached = prepare_folder(folder, cache, options.spec, channels)
    return of_cached(cached, options, shares, seed)


def prepare_folder(folder: Path, cache: Path, spec: MelSpec, channels: int) -> list[CachedRecording]:
    """`prepare` with a progress bar; unreadable files are warned of and left out."""
    files = find_recordings(folder)

    def skip(file: Path, error: Exception) -> None:
        warnings.warn(f"left out: {error}", AudioWarning, stacklevel=2)

    cached = []
    with progress(len(files), "analysing") as bar:
        for item in prepare(files, folder, cache, spec, channels, skip):
            cached.append(item)
            bar.update()
    return cached


def of_cached(cached: Sequence[CachedRecording], options: MelOptions, shares: SplitFractions, seed: int) -> MelSplits:
    """Cached recordings, split by recording; those shorter than two of the Model's frames are left out."""
    split = split_recordings([item.name for item in cached], shares, seed)
    parts: dict[str, list[np.ndarray]] = {"train": [], "validation": [], "test": []}
    for item in cached:
        frames = item.frames()
        if len(frames) >= 2 * options.patch:
            parts[split[item.name]].append(frames)
    if not parts["train"]:
        least = 2 * options.patch / options.spec.frame_rate
        raise InputError("training data", "no recording is long enough", f"give at least {least:.1f} s each")
    return MelSplits(parts["train"], parts["validation"], dict(split))


def with_channels(experiment: Experiment, channels: int) -> Experiment:
    """The experiment with its number of principal channels decided: at most two, unless it names more."""
    options = experiment.representation.options
    if not isinstance(options, MelOptions):
        return experiment  # tunes have none
    settled = replace(options, channels=options.channels or min(channels, MOST_CHANNELS))
    return replace(experiment, representation=Choice(experiment.representation.kind, settled))


def fit_representation(material: MelSplits, options: MelOptions) -> MelLatents:
    """Fit normalisation and latents on the training part only."""
    stretches, centres = [], []
    for thinned in spread(material.train, MOST_FIT_FRAMES):
        own = [torch.from_numpy(np.array(frames)) for frames in thinned]
        stretches += own
        centres += [torch.cat(own).mean(0)] * len(own) if own else []
    return MelLatents.fit(options, stretches, centres)


def spread(recordings: Sequence[np.ndarray], most: int) -> list[list[np.ndarray]]:
    """Stretches of each recording, evenly spread over all of it: a beginning is not what a recording is like.

    Stretches, not single frames, since patches and models need neighbours.

    Args:
        recordings: ``[time, feature]`` each.
        most: frames to keep of all of them together, give or take `SHORTEST_STRETCH` a recording.

    Returns:
        One list for each recording, maybe empty; the recording itself where all of them have no more than that.
    """
    total = sum(len(frames) for frames in recordings)
    if total <= most:
        return [[frames] for frames in recordings]
    every = -(-SHORTEST_STRETCH * len(recordings) // most)  # where they are so many that each would give too little
    total = sum(len(frames) for frames in recordings[::every])
    found: list[list[np.ndarray]] = []
    for index, frames in enumerate(recordings):
        if index % every:
            found.append([])
            continue
        kept = min(max(len(frames) * most // total, SHORTEST_STRETCH), len(frames))
        count = max(round(kept / STRETCH), 1)
        size = -(-kept // count)
        starts = [((2 * k + 1) * len(frames) - size * count) // (2 * count) for k in range(count)]  # amid equal cells
        found.append([frames[start : start + size] for start in starts])
    return found


def windows_of(
    recordings: Sequence[np.ndarray],
    representation: MelLatents,
    training: Training,
    centre: Tensor | None = None,
) -> Windows:
    """Windows of some recordings in whole patches; ``centre``: subtracted instead of each one's own mean."""
    options = representation.options
    length = max(round(training.window * options.spec.frame_rate), 2 * options.patch)
    if centre is not None:
        centres = [centre] * len(recordings)
    else:
        centres = [representation.centre(torch.from_numpy(np.array(frames))) for frames in recordings]
    return Windows(recordings, length, options.patch, centres, training.seed)


def validation_windows(material: MelSplits, representation: MelLatents, training: Training) -> Windows | None:
    """Windows of what is held back, if anything is.

    The end of a single recording is centred by what was trained on: its own mean is part of what is to be
    predicted.
    """
    if not material.validation:
        return None
    trained = representation.centre(torch.from_numpy(np.array(material.train[0]))) if material.in_time else None
    return windows_of(material.validation, representation, training, trained)
