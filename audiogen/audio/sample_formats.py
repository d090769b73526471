"""Sample formats of files to be written, and the samples of a recording with all the bits that they can keep."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from audiogen.audio.decoding import Source, open_source
from audiogen.audio.ffmpeg_decoder import LOSSLESS
from audiogen.audio.long_recording import LongRecording
from audiogen.audio.recording import AudioWarning, Recording
from audiogen.audio.soundfile_decoder import CHUNK
from audiogen.audio.wav_writer import BYTES
from audiogen.errors import InputError
from audiogen.file_names import is_midi

CONTAINERS: dict[str, tuple[str, tuple[str, ...]]] = {
    ".wav": ("WAV", tuple(BYTES)),
    ".flac": ("FLAC", ("PCM_24", "PCM_16")),
    ".ogg": ("OGG", ("VORBIS", "OPUS")),
    ".opus": ("OGG", ("OPUS",)),
    ".mp3": ("MP3", ("MPEG_LAYER_III",)),
}
"""Suffix -> (container in libsndfile's terms, its subtypes with the default first)."""

BITS = {"PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32}
DITHERED = ("PCM_U8", "PCM_16", "PCM_24")  # not PCM_32: float32 samples have 24 bits
UNLIMITED = ("FLOAT", "DOUBLE")  # can hold samples beyond full scale
WIDE = ("FLOAT", *LOSSLESS)  # may hold samples that need more than 24 bits
LOSSLESS_SUBTYPES = {
    "PCM_32": "PCM_32",
    "ALAC_32": "PCM_32",
    "DOUBLE": "DOUBLE",
    "PCM_S64LE": "DOUBLE",
    "PCM_S64BE": "DOUBLE",
}
"""Subtype of a file with more bits than float32 has -> subtype of a WAV that keeps them."""

EXACT_SUBTYPES = ("PCM_S8", "PCM_U8", "PCM_16", "PCM_24", "FLOAT", *LOSSLESS_SUBTYPES, *LOSSLESS)
"""Subtypes whose samples are exact to the last bit, unlike those that lossy codecs decode to."""

BEYOND_FLOAT32 = (*LOSSLESS_SUBTYPES, *LOSSLESS)
"""Subtypes whose samples may have more than the 24 bits of a float32."""


def container_for(path: Path, subtype: str | None = None) -> tuple[str, str]:
    """The container and subtype of a file name.

    Args:
        path: the file; its suffix decides.
        subtype: the subtype to check; None for the container's default.

    Raises:
        InputError: an unknown suffix, or a subtype that the container does not support; the message lists the choices.
    """
    if is_midi(path):
        cause = "sound cannot become MIDI: `continue`, `infill` and `accompany` write MIDI from a MIDI file"
        raise InputError(path, cause, f"for a recording, choose from {', '.join(CONTAINERS)}")
    if path.suffix.lower() not in CONTAINERS:
        raise InputError(path, f"unknown suffix {path.suffix!r}", f"choose from {', '.join(CONTAINERS)}")
    container, subtypes = CONTAINERS[path.suffix.lower()]
    if subtype is not None and subtype not in subtypes:
        cause = f"a {path.suffix} file cannot have subtype {subtype}"
        raise InputError(path, cause, f"choose from {', '.join(subtypes)}")
    return container, subtype or subtypes[0]


def subtype_for(recording: Recording, path: str | os.PathLike[str] = "out.wav") -> str:
    """The subtype that keeps the samples of a recording unchanged, if the container has one.

    The container's default (24 bits for WAV and FLAC), except, if the container supports it, the recording's own for
    32-bit integers and doubles, and "FLOAT" for samples beyond full scale and those of a float file that 24 bits
    cannot represent.

    Args:
        recording: the recording.
        path: file to be written; its suffix decides the container.
    """
    path = Path(path)
    subtype, supported = container_for(path)[1], CONTAINERS[path.suffix.lower()][1]
    own = lossless_subtype(recording) or "FLOAT"
    if own not in supported or (recording.subtype not in LOSSLESS_SUBTYPES and _is_24_bit(recording)):
        return subtype
    return own if own in UNLIMITED or recording.peak <= 1.0 else "FLOAT"


def lossless_subtype(recording: Recording) -> str | None:
    """The subtype of a WAV that keeps all bits of a recording's file; None if 24 bits suffice."""
    if recording.subtype in LOSSLESS:
        return "PCM_32"
    return "FLOAT" if recording.subtype == "FLOAT" else LOSSLESS_SUBTYPES.get(recording.subtype or "")


def _is_24_bit(recording: Recording) -> bool:
    if isinstance(recording, LongRecording):
        return recording.survey.fits_24_bits
    return fits_24_bits(recording.samples, recording.subtype)


def fits_24_bits(samples: np.ndarray, subtype: str | None) -> bool:
    """Whether 24-bit integers hold samples ``[channels, time]`` exactly that come from a file of a subtype."""
    if subtype not in WIDE:
        return bool(max(samples.max(initial=0.0), -samples.min(initial=0.0)) <= 1.0)
    for start in range(0, samples.shape[1], CHUNK):
        codes = samples[:, start : start + CHUNK].astype(np.float64) * 2**23
        if codes.max(initial=0.0) > 2**23 - 1 or codes.min(initial=0.0) < -(2**23) or np.any(codes != np.rint(codes)):
            return False
    return True


def exact_blocks(recording: Recording) -> Iterator[np.ndarray]:
    """The samples of a Recording in blocks ``[channels, time]``, with all bits of its file.

    32-bit integers and doubles are read from the file again as float64, instead of being kept in memory; all other
    samples are yielded as they are, float32.

    Warns:
        AudioWarning: the file is missing or has changed; the samples are float32 from there on.

    Raises:
        InputError: the same of a `LongRecording`, whose samples are not known otherwise.
    """
    if isinstance(recording, LongRecording):
        yield from recording.blocks(np.float64 if recording.subtype in BEYOND_FLOAT32 else np.float32)
        return
    samples, path, done = recording.samples, recording.path, 0
    if recording.subtype not in BEYOND_FLOAT32 or path is None or recording.start is None:
        yield samples
        return
    try:
        source = open_source(path, np.float64)
    except (InputError, OSError):
        pass
    else:
        try:
            for block in _read_again(source, recording):
                yield block
                done += block.shape[1]
        finally:
            source.close()
    if done < recording.length:
        remark = "it has changed since it was read: from there on, its samples are kept with 24 bits"
        warnings.warn(f"{path}: {remark}", AudioWarning, stacklevel=2)
        yield samples[:, done:]


def _read_again(source: Source, recording: Recording) -> Iterator[np.ndarray]:
    """Blocks of the recording in float64, as long as they equal its samples."""
    if (source.sample_rate, source.channels) != (recording.sample_rate, recording.channels):
        return
    assert recording.start is not None
    to_skip, done = recording.start, 0
    for chunk in source.chunks():
        skipped = min(to_skip, chunk.shape[1])
        to_skip -= skipped
        wide = chunk[:, skipped : skipped + recording.length - done]
        known = recording.samples[:, done : done + wide.shape[1]]
        with np.errstate(over="ignore"):
            narrow = wide.astype(np.float32)
        interpolated = ~np.isfinite(narrow)  # as when it was read
        if np.any(interpolated):
            wide, narrow = np.where(interpolated, known, wide), np.where(interpolated, known, narrow)
        if not np.array_equal(narrow, known):
            return
        if wide.shape[1]:
            yield wide.copy()  # the decoder reuses its memory
        done += wide.shape[1]
        if done == recording.length:
            return
