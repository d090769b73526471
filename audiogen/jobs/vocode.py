"""Resynthesis: analyse a recording to mel frames, without phase, and render them with a Vocoder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from audiogen.audio import Recording, Resampler, Writer, read, resample, subtype_for
from audiogen.config.schema import build as build_options
from audiogen.config.trees import merge, override_tree
from audiogen.devices import pick_device
from audiogen.dsp.channel_covariance import principal_rotation, second_moments
from audiogen.errors import InputError
from audiogen.progress import progress, stage
from audiogen.representation.mel import MelSpec, log_mel
from audiogen.vocoders.base import Vocoder
from audiogen.vocoders.registry import build, find

CHUNK_FRAMES = 128
MAX_LOG_MEL = 20.0  # 110 dB above full scale: larger values are in another unit, such as dB


@dataclass(frozen=True)
class Analysis:
    """Mel frames to render, and the format of the output.

    Args:
        frames: ``[channels, frames, n_mels]`` log-mel, of the principal channels.
        rotation: ``[channels, channels]`` from the recording's channels to the principal channels.
        length: samples to render, at ``sample_rate``.
        sample_rate: of the output, Hz.
        spec: of the frames.
    """

    frames: Tensor
    rotation: np.ndarray
    length: int
    sample_rate: int
    spec: MelSpec


def analyse(recording: Recording, spec: MelSpec) -> Analysis:
    """Mel frames of a recording's principal channels, aligned as vocoders expect, with silence before and after."""
    rotation = principal_rotation(second_moments(recording.samples))
    principal = (rotation @ recording.samples).astype(np.float32)
    principal = resample(principal, recording.sample_rate, spec.sample_rate)
    # The first window contains one hop of the recording and the last ones extend past its end, so that each sample is
    # covered by the same number of windows.
    before = spec.win - spec.hop
    after = before + -principal.shape[1] % spec.hop
    samples = torch.from_numpy(np.pad(principal, ((0, 0), (before, after))))
    return Analysis(log_mel(samples, spec, padded=True), rotation, recording.length, recording.sample_rate, spec)


def read_frames(path: Path, spec: MelSpec) -> Analysis:
    """Read log-mel frames from a .npy file, ``[time, n_mels]`` or ``[channels, time, n_mels]``.

    Raises:
        InputError: the file contains no finite numbers of that shape, or another unit.
    """
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(path, "it cannot be read as a .npy array", "save it with numpy.save") from error
    wanted = f"save [time, {spec.n_mels}] or [channels, time, {spec.n_mels}] log-mel frames"
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
        raise InputError(path, "it contains no array of real numbers", wanted)
    if array.ndim not in (2, 3) or array.shape[-1] != spec.n_mels or 0 in array.shape:
        raise InputError(path, f"its shape {list(array.shape)} is not that of mel frames", wanted)
    if not np.isfinite(array).all():
        raise InputError(path, "some of its values are not finite", wanted)
    if array.max() > MAX_LOG_MEL:
        cause = f"its values reach {array.max():g}: natural logarithms of full-scale sound reach about 7"
        raise InputError(path, cause, "divide decibels by 8.686")
    frames = torch.from_numpy(array.astype(np.float32).reshape(-1, *array.shape[-2:]))
    return Analysis(frames, np.eye(len(frames), dtype=np.float32), frames.shape[1] * spec.hop, spec.sample_rate, spec)


def render(
    vocoder: Vocoder, analysis: Analysis, seed: int = 0, device: str = "cpu", label: str = "vocoding"
) -> Iterator[np.ndarray]:
    """Render in ``[channels, time]`` blocks, exactly ``analysis.length`` samples in total, with a progress bar."""
    spec, channels = analysis.spec, len(analysis.frames)
    stream = vocoder.open(channels, None, seed)
    resampler = Resampler(spec.sample_rate, analysis.sample_rate, channels)
    back = analysis.rotation.T
    remaining = analysis.length

    def rendered() -> Iterator[np.ndarray]:
        for chunk in analysis.frames.split(CHUNK_FRAMES, dim=1):
            yield resampler.push(stream.push(chunk.to(pick_device(device))).cpu().numpy())
        yield resampler.push(stream.finish().cpu().numpy())
        yield resampler.finish()

    with torch.no_grad(), progress(analysis.length / analysis.sample_rate, label, "s") as bar:
        for samples in rendered():
            block = (back @ samples)[:, :remaining].astype(np.float32)
            remaining -= block.shape[1]
            yield block
            bar.update(block.shape[1] / analysis.sample_rate)
    if remaining:
        yield np.zeros((channels, remaining), np.float32)


def vocode(
    path: Path,
    out: Path,
    kind: str | None = None,
    source: Path | None = None,
    seed: int = 0,
    subtype: str | None = None,
    device: str = "auto",
    overrides: tuple[str, ...] = (),
) -> float:
    """Resynthesise an audio file, or render the mel frames of a .npy file.

    Args:
        path: a recording, or log-mel frames with the vocoder's `MelSpec` (the default one unless it has its own).
        out: audio file to write.
        kind: key of `VOCODERS`; None is "source" if a source is given, else "griffin_lim".
        source: recording that supplies the spectra, at any sample rate, with as many channels as ``path``.
        seed: random seed.
        subtype: sample format; None chooses that of ``path``.
        device: "auto", "cpu" or "cuda".
        overrides: ``key=value`` options of the vocoder.

    Returns:
        Seconds written.

    Raises:
        InputError: a file cannot be read, or the source is missing or unsuitable.
    """
    kind = kind or ("griffin_lim" if source is None else "source")
    options = _options(kind, overrides)
    spec = find(kind).native_spec(options) or MelSpec()
    layout, silent = None, list[int]()
    with stage(f"reading and analysing {path.name}"):
        if path.suffix.lower() == ".npy":
            analysis = read_frames(path, spec)
        else:
            recording = read(path)
            layout, silent = recording.layout, list(recording.silent)
            analysis, subtype = analyse(recording, spec), subtype or subtype_for(recording, out)
        material = None if source is None else source_samples(read(source), analysis).to(pick_device(device))
    with stage(f"loading the vocoder {kind}"):
        vocoder = build(kind, spec, material, options)
    with Writer(out, analysis.sample_rate, len(analysis.frames), subtype, seed, layout, silent) as writer:
        for block in render(vocoder, analysis, seed, device, f"vocoding {path.name}"):
            block[silent] = 0
            writer.write(block)
    return analysis.length / analysis.sample_rate


def _options(kind: str, overrides: tuple[str, ...]) -> Any:
    """The vocoder's options, from its defaults and ``key=value`` overrides."""
    tree: dict[str, Any] = {}
    for override in overrides:
        merge(tree, override_tree(override), "vocoder", kind)
    return build_options(find(kind).Options, tree, f"vocoder {kind}")


def source_samples(source: Recording, analysis: Analysis) -> Tensor:
    """Samples of the source, rotated to the same principal channels, ``[channels, time]`` at the spec's sample rate.

    Raises:
        InputError: it has another number of channels, or is shorter than two windows.
    """
    channels, path = len(analysis.frames), source.path or "source"
    if source.channels != channels:
        cause = f"it has {source.channels} channels, the frames have {channels}"
        raise InputError(path, cause, "give a source with as many channels")
    rotated = (analysis.rotation @ source.samples).astype(np.float32)
    samples = resample(rotated, source.sample_rate, analysis.spec.sample_rate)
    least = 2 * analysis.spec.win
    if samples.shape[1] < least:
        raise InputError(path, f"it is shorter than {least} samples", "give a longer source")
    return torch.from_numpy(np.ascontiguousarray(samples))
