"""A folder of mel frames on disk, one array a recording, keyed by what it holds and how it was analysed.

Built in a stream: an hour of audio passes through in bounded memory. Arrays are memory-mapped when read. A key is the
SHA-256 of the file's bytes, the MelSpec and the number of channels, so an edited recording or another spec is
analysed anew and renaming costs nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from audiogen.audio import Resampler, open_blocks
from audiogen.errors import InputError
from audiogen.representation.channels import covariance, rotation_of
from audiogen.representation.mel import MelSpec, log_mel_stream

FORMAT = 1
INDEX = "index.json"


@dataclass(frozen=True)
class CachedRecording:
    """Args:
    name: of the recording, relative to the folder that was prepared.
    path: of its frames, ``[time, channels * n_mels]`` float32 in .npy.
    """

    name: str
    path: Path

    def frames(self) -> np.ndarray:
        """Memory-mapped ``[time, channels * n_mels]`` log-mel frames."""
        return np.load(self.path, mmap_mode="r")


def content_key(path: Path, spec: MelSpec, channels: int) -> str:
    """The cache key of a file's bytes under a spec."""
    digest = hashlib.sha256(json.dumps([FORMAT, asdict(spec), channels], sort_keys=True).encode())
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()[:32]


def principal_blocks(path: Path, spec: MelSpec, channels: int) -> Iterator[torch.Tensor]:
    """The recording's first principal channels at the spec's rate, ``[channels, time]`` a block.

    Two passes: the channels' covariance first, then the turned and resampled samples. Channels that the recording
    does not have are silent.
    """
    with open_blocks(path) as blocks:
        rate, count = blocks.sample_rate, blocks.channels
        moments = np.zeros((count, count))
        if count > 1:
            for block in blocks:
                moments += covariance(block)
    rotation = rotation_of(moments)[:channels]
    missing = np.zeros((channels - len(rotation), count), np.float32)
    rotation = np.concatenate([rotation, missing])
    resampler = Resampler(rate, spec.sample_rate, channels)
    with open_blocks(path) as blocks:
        for block in blocks:
            yield torch.from_numpy(resampler.push(rotation @ block))
    yield torch.from_numpy(resampler.finish())


def cache_recording(path: Path, folder: Path, spec: MelSpec, channels: int) -> Path:
    """Analyse one recording into ``folder`` unless its frames are there already; returns their path."""
    target = folder / f"{content_key(path, spec, channels)}.npy"
    if target.exists():
        return target
    raw = target.with_suffix(".part")
    rows = 0
    try:
        with raw.open("wb") as file:
            for frames in log_mel_stream(principal_blocks(path, spec, channels), spec):
                side_by_side = frames.transpose(0, 1).flatten(1).numpy()
                side_by_side.astype("<f4").tofile(file)
                rows += len(side_by_side)
        body = np.memmap(raw, "<f4", "r", shape=(rows, channels * spec.n_mels))
        finished = target.with_suffix(".part.npy")
        np.save(finished, body)
        os.replace(finished, target)
    finally:
        raw.unlink(missing_ok=True)
    return target


def prepare(
    files: list[Path], root: Path, folder: Path, spec: MelSpec, channels: int, skip: Callable[[Path, Exception], None]
) -> Iterator[CachedRecording]:
    """Analyse recordings one by one; ``skip(file, error)`` is told of those that cannot be read."""
    folder.mkdir(parents=True, exist_ok=True)
    ready = []
    for file in files:
        try:
            cached = CachedRecording(str(file.relative_to(root)), cache_recording(file, folder, spec, channels))
        except InputError as error:
            skip(file, error)
            continue
        ready.append(cached)
        yield cached
    if not ready:
        raise InputError(root, "none of its recordings can be read", "see the warnings above")
    index = {
        "format": FORMAT,
        "spec": asdict(spec),
        "channels": channels,
        "recordings": {item.name: item.path.name for item in ready},
    }
    part = folder / (INDEX + ".part")
    part.write_text(json.dumps(index, indent=1, ensure_ascii=False), encoding="utf-8")
    os.replace(part, folder / INDEX)


def open_cache(folder: Path, spec: MelSpec, channels: int) -> list[CachedRecording]:
    """The recordings of a prepared folder.

    Raises:
        InputError: it is no cache, or was prepared for another spec or number of channels.
    """
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        raise InputError(folder, f"its {INDEX} cannot be read ({error})", "run `audiogen prepare` again") from error
    if (index.get("format"), index["spec"], index["channels"]) != (FORMAT, asdict(spec), channels):
        raise InputError(
            folder, "it was prepared for another MelSpec or number of channels", "run `audiogen prepare` again"
        )
    return [CachedRecording(name, folder / file) for name, file in index["recordings"].items()]


def is_cache(folder: Path) -> bool:
    """Whether ``folder`` is what `prepare` leaves."""
    return (folder / INDEX).is_file()
