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
import re
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from audiogen.audio import AudioWarning, Resampler, open_blocks
from audiogen.data.recordings import reading
from audiogen.dsp.covariance import second_moments
from audiogen.dsp.principal_channels import principal_rotation
from audiogen.errors import InputError
from audiogen.file_names import is_inside
from audiogen.representation.mel import MelSpec, log_mel_stream

FORMAT = 1
INDEX = "index.json"
FRAMES_FILE = re.compile(r"[0-9a-f]{32}-[0-9a-f]{8}\.npy")


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
        return np.lib.format.open_memmap(self.path, mode="r")

    def intact(self, features: int | None = None) -> bool:
        """Whether the frames are those that were written, finite, and have so many features where that is named."""
        try:
            frames = self.frames()
            if frames.dtype != "<f4" or frames.ndim != 2 or features not in (None, frames.shape[1]):
                return False
            if not self.path.stem.endswith(f"-{_checksum(np.ascontiguousarray(frames)):08x}"):
                return False
            return bool(np.isfinite(frames).all())
        except (OSError, ValueError, EOFError, TypeError, OverflowError):
            return False


def _checksum(frames: np.ndarray, start: int = 0) -> int:
    return zlib.crc32(frames.data, start)


def content_key(path: Path, spec: MelSpec, channels: int) -> str:
    """The cache key of a file's bytes under a spec."""
    # 0 and 0.0 make equal specs, so they must make the same key.
    fields = {name: float(value) if isinstance(value, int) else value for name, value in asdict(spec).items()}
    digest = hashlib.sha256(json.dumps([FORMAT, fields, channels], sort_keys=True).encode())
    if path.exists() and not path.is_file():  # a pipe would be waited for
        raise InputError(path, "it is not a regular file", "save the audio to a file first")
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()[:32]


def principal_blocks(path: Path, spec: MelSpec, channels: int) -> Iterator[torch.Tensor]:
    """The recording's first principal channels at the spec's rate, ``[channels, time]`` a block.

    Two passes: the channels' covariance first, then the turned and resampled samples. Channels that the
    recording does not have are silent.

    Raises:
        InputError: it cannot be read, for whatever reason.
    """
    with reading(path):
        yield from _principal_blocks(path, spec, channels)


def _principal_blocks(path: Path, spec: MelSpec, channels: int) -> Iterator[torch.Tensor]:
    with open_blocks(path) as blocks:
        rate, count = blocks.sample_rate, blocks.channels
        moments = np.zeros((count, count))
        if count > 1:
            for block in blocks:
                moments += second_moments(block)
    rotation = principal_rotation(moments)[:channels]
    missing = np.zeros((channels - len(rotation), count), np.float32)
    rotation = np.concatenate([rotation, missing])
    resampler = Resampler(rate, spec.sample_rate, channels)
    with open_blocks(path) as blocks:
        for block in blocks:
            yield torch.from_numpy(resampler.push(rotation @ block))
    yield torch.from_numpy(resampler.finish())


def cache_recording(path: Path, folder: Path, spec: MelSpec, channels: int) -> Path:
    """Analyse one recording into ``folder`` unless its frames are there, intact; returns their path."""
    with reading(path):
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
    """Analyse recordings one by one; ``skip(file, error)`` is told of those that cannot be read.

    Raises:
        InputError: none of them can.
    """
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
    # A name that is not UTF-8 is kept: its odd bytes stand as JSON's own escapes of lone surrogates.
    part.write_text(json.dumps(index, indent=1, ensure_ascii=False), encoding="utf-8", errors="backslashreplace")
    os.replace(part, folder / INDEX)


def open_cache(folder: Path, spec: MelSpec, channels: int) -> list[CachedRecording]:
    """The recordings of a prepared folder, wherever it was moved to; of those whose frames are damaged or missing, a
    warning says that they are left out.

    Raises:
        InputError: it is no cache, was prepared for another spec or number of channels, names a file outside of it, or
            all of its frames are damaged.
    """
    again = "run `audiogen prepare` again"
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        made_for = (index["format"], index["spec"], index["channels"])
        named = [(name, str(file)) for name, file in index["recordings"].items()]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(folder, f"its {INDEX} cannot be read ({error})", again) from error
    if made_for != (FORMAT, asdict(spec), channels):
        raise InputError(folder, "it was prepared for another MelSpec or number of channels", again)
    for name, file in named:
        if not is_inside(name.replace(":", "_")) or not FRAMES_FILE.fullmatch(file) or (folder / file).is_symlink():
            raise InputError(folder / INDEX, f"it names a file outside of its folder ({name}: {file})", again)
    cached = [CachedRecording(name, folder / file) for name, file in named]
    whole = [item for item in cached if item.intact(channels * spec.n_mels)]
    if not whole:
        raise InputError(folder, "the frames of all of its recordings are damaged or missing", again)
    for item in cached:
        if item not in whole:
            text = f"left out: {item.path}: the frames of {item.name} are damaged or missing; {again}"
            warnings.warn(text, AudioWarning, stacklevel=2)
    return whole


def is_cache(folder: Path) -> bool:
    """Whether ``folder`` is what `prepare` leaves."""
    return (folder / INDEX).is_file()
