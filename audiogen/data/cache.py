"""A folder of mel frames on disk, one array a recording, keyed by what it holds and how it was analysed.

Built in a stream: an hour of audio passes through in bounded memory. Arrays are memory-mapped when read. A
file is called ``KEY-CHECKSUM.npy``: the key is the SHA-256 of the recording's bytes, the MelSpec and the
number of channels, so an edited recording or another spec is analysed anew and renaming costs nothing; the
checksum is the CRC-32 of the frames, so a damaged file is noticed.
"""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from collections.abc import Callable, Iterable, Iterator
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

    def intact(self) -> bool:
        """Whether the frames are those that were written."""
        try:
            return self.path.stem.endswith(f"-{_checksum(np.ascontiguousarray(self.frames())):08x}")
        except (OSError, ValueError, EOFError):
            return False


def _checksum(frames: np.ndarray, start: int = 0) -> int:
    return zlib.crc32(frames.data, start)


def content_key(path: Path, spec: MelSpec, channels: int) -> str:
    """The cache key of a file's bytes under a spec."""
    # 0 and 0.0 make equal specs, so they must make the same key.
    fields = {name: float(value) if isinstance(value, int) else value for name, value in asdict(spec).items()}
    digest = hashlib.sha256(json.dumps([FORMAT, fields, channels], sort_keys=True).encode())
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()[:32]


def principal_blocks(path: Path, spec: MelSpec, channels: int) -> Iterator[torch.Tensor]:
    """The recording's first principal channels at the spec's rate, ``[channels, time]`` a block.

    Two passes: the channels' covariance first, then the turned and resampled samples. Channels that the
    recording does not have are silent.
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
    """Analyse one recording into ``folder`` unless its frames are there, intact; returns their path."""
    key = content_key(path, spec, channels)
    for known in folder.glob(f"{key}-*.npy"):
        if CachedRecording("", known).intact():
            return known
        known.unlink()
    part = folder / f"{key}.part"
    try:
        blocks = log_mel_stream(principal_blocks(path, spec, channels), spec)
        checksum = write_frames(
            part, (frames.transpose(0, 1).flatten(1).numpy() for frames in blocks), channels * spec.n_mels
        )
        target = folder / f"{key}-{checksum:08x}.npy"
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
    return target


def write_frames(path: Path, blocks: Iterable[np.ndarray], features: int) -> int:
    """Stream ``[time, features]`` blocks into one .npy; returns their checksum.

    NumPy leaves room in a header for the length to grow, so it is written again once the length is known.
    """
    rows, checksum = 0, 0
    with path.open("wb") as file:
        _write_header(file, rows, features)
        for block in blocks:
            block = np.ascontiguousarray(block, "<f4")
            file.write(block.tobytes())
            rows, checksum = rows + len(block), _checksum(block, checksum)
        file.seek(0)
        _write_header(file, rows, features)
    return checksum


def _write_header(file: object, rows: int, features: int) -> None:
    header = {"descr": "<f4", "fortran_order": False, "shape": (rows, features)}
    np.lib.format.write_array_header_1_0(file, header)  # type: ignore[arg-type]


def prepare(
    files: list[Path],
    root: Path,
    folder: Path,
    spec: MelSpec,
    channels: int,
    skip: Callable[[Path, Exception], None],
) -> Iterator[CachedRecording]:
    """Analyse recordings one by one; ``skip(file, error)`` is told of those that cannot be read."""
    folder.mkdir(parents=True, exist_ok=True)
    ready = []
    for file in files:
        try:
            cached = CachedRecording(file.relative_to(root).as_posix(), cache_recording(file, folder, spec, channels))
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
        InputError: it is no cache, was prepared for another spec or number of channels, or is damaged.
    """
    again = "run `audiogen prepare` again"
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        made_for = (index["format"], index["spec"], index["channels"])
        cached = [CachedRecording(name, folder / file) for name, file in index["recordings"].items()]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(folder, f"its {INDEX} cannot be read ({error})", again) from error
    if made_for != (FORMAT, asdict(spec), channels):
        raise InputError(folder, "it was prepared for another MelSpec or number of channels", again)
    for item in cached:
        if not item.intact():
            raise InputError(item.path, f"the frames of {item.name} are damaged or missing", again)
    return cached


def is_cache(folder: Path) -> bool:
    """Whether ``folder`` is what `prepare` leaves."""
    return (folder / INDEX).is_file()
