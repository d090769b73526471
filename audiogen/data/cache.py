"""A cache of mel frames on disk: one memory-mapped array per recording, keyed by its content and its analysis.

Recordings are analysed in a stream, in bounded memory. A file is named ``KEY-CHECKSUM.npy``. The key is the SHA-256 of
the recording's bytes, the MelSpec and the number of channels, so that an edited recording or another spec is analysed
again and a renamed recording is not. The checksum is the CRC-32 of the frames, so that a damaged file is detected.
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
from audiogen.dsp.channel_covariance import principal_rotation, second_moments
from audiogen.errors import InputError
from audiogen.file_names import is_inside
from audiogen.representation.mel import MelSpec, log_mel_stream

FORMAT = 1
INDEX = "index.json"
FRAMES_FILE = re.compile(r"[0-9a-f]{32}-[0-9a-f]{8}\.npy")


@dataclass(frozen=True)
class CachedRecording:
    """The cached frames of a recording.

    Args:
        name: path of the recording, relative to the folder that was analysed.
        path: .npy file of its frames, ``[time, channels * n_mels]`` float32.
    """

    name: str
    path: Path

    def frames(self) -> np.ndarray:
        """Memory-mapped ``[time, channels * n_mels]`` log-mel frames."""
        return np.lib.format.open_memmap(self.path, mode="r")

    def intact(self, features: int | None = None) -> bool:
        """Whether the frames are undamaged, finite and, if ``features`` is given, of that size."""
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
    """The cache key of a recording's bytes, analysed with a spec and a number of channels."""
    # Specs with 0 and with 0.0 are equal, so their keys must be.
    fields = {name: float(value) if isinstance(value, int) else value for name, value in asdict(spec).items()}
    digest = hashlib.sha256(json.dumps([FORMAT, fields, channels], sort_keys=True).encode())
    if path.exists() and not path.is_file():  # reading a pipe would block
        raise InputError(path, "it is not a regular file", "save the audio to a file first")
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()[:32]


def principal_blocks(path: Path, spec: MelSpec, channels: int) -> Iterator[torch.Tensor]:
    """The first principal channels of a recording at the spec's sample rate, in blocks of ``[channels, time]``.

    Two passes: the second moments of the channels, then the rotated and resampled samples. Channels that the recording
    lacks are silent.

    Raises:
        InputError: it cannot be read.
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
    """Analyse a recording into a folder, unless its frames are there undamaged; returns the path of the frames."""
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
    """Write blocks of ``[time, features]`` into one .npy file; returns their checksum.

    The header is written again once the length is known; NumPy pads headers so that the length may grow.
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
    """Analyse recordings into a cache, one by one.

    Args:
        files: of the recordings.
        root: folder that their names are relative to.
        folder: of the cache.
        spec: of the frames.
        channels: number of principal channels.
        skip: called with each file that cannot be read and the error.

    Yields:
        The frames of each recording.

    Raises:
        InputError: no recording can be read.
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
    # The undecodable bytes of a name are kept as JSON's escapes of lone surrogates.
    part.write_text(json.dumps(index, indent=1, ensure_ascii=False), encoding="utf-8", errors="backslashreplace")
    os.replace(part, folder / INDEX)


def open_cache(folder: Path, spec: MelSpec, channels: int) -> list[CachedRecording]:
    """The recordings of a cache, which may have been moved; warns of damaged or missing frames, which are left out.

    Raises:
        InputError: it is not a cache, was prepared with another spec or number of channels, names a file outside of
            its folder, or all of its frames are damaged.
    """
    again = "run `audiogen prepare` again"
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        made_for = (index["format"], index["spec"], index["channels"])
        named = [(name, str(file)) for name, file in index["recordings"].items()]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(folder, f"its {INDEX} cannot be read ({error})", again) from error
    if made_for != (FORMAT, asdict(spec), channels):
        raise InputError(folder, "it was prepared with another MelSpec or number of channels", again)
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
    """Whether a folder is a cache that `prepare` wrote."""
    return (folder / INDEX).is_file()
