"""Writing FLAC, OGG, Opus and MP3 files with libsndfile."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from audiogen.audio.channel_layout import ChannelLayout, vorbis_order
from audiogen.audio.sample_formats import BITS

SYSTEM_ERROR = 2  # libsndfile's code of an error that the system has raised
PROBE = 1 << 16  # bytes: more than an encoder writes at once


class SoundfileWriter:
    """A FLAC, OGG, Opus or MP3 file under construction.

    Args:
        path: the file, which is overwritten.
        sample_rate: Hz.
        channels: samples per frame.
        container, subtype: in libsndfile's terms.
        layout: loudspeaker positions of the channels; None for the default.
        tags: name, of those that libsndfile knows, -> text.

    Raises:
        RuntimeError: libsndfile does not support the combination.
    """

    def __init__(
        self,
        path: Path,
        sample_rate: int,
        channels: int,
        container: str,
        subtype: str,
        layout: ChannelLayout | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        import soundfile

        self._path, self._length = path, 0
        self._file = soundfile.SoundFile(
            os.fspath(path), "w", samplerate=sample_rate, channels=channels, format=container, subtype=subtype
        )
        for name, text in (tags or {}).items():
            setattr(self._file, name, text)
        self._shift = 32 - BITS.get(subtype, 32)  # libsndfile takes the most significant bits of an int32
        # Vorbis and Opus have an order of channels of their own, which libsndfile leaves to its caller.
        order = vorbis_order(channels, layout) if container == "OGG" else None
        self._order = None if order is None else np.argsort(order)

    def write(self, values: np.ndarray) -> None:
        """Append ``[time, channels]``: integer codes of the subtype's width, or floats.

        Raises:
            OSError: the system's, such as that the disk is full.
            RuntimeError: any other of libsndfile's.
        """
        integral = np.issubdtype(values.dtype, np.integer)
        values = values if self._order is None else np.ascontiguousarray(values[:, self._order])
        try:
            self._file.write(np.left_shift(values, self._shift) if integral else values)
        except AssertionError as error:  # soundfile's, unless everything was written
            raise OSError(errno.ENOSPC, "writing failed (the disk may be full)") from error
        except RuntimeError as error:
            if getattr(error, "code", None) == SYSTEM_ERROR:
                self._require_room()
            raise
        self._length += len(values)

    def _require_room(self) -> None:
        """Raise the system's own error of a write to the file, which is lost: libsndfile does not say which it was."""
        with self._path.open("ab") as file:
            file.write(bytes(PROBE))

    def close(self, complete: bool = True) -> None:
        """Close the file and, if it is ``complete``, check that all of it was written."""
        self._file.close()
        if complete and self._length:
            self._require_end()

    def _require_end(self) -> None:
        """Decode the end of the file: on a full disk, libsndfile's encoders fail without an error."""
        import soundfile

        start = max(0, self._length - 2048)
        try:
            with soundfile.SoundFile(os.fspath(self._path)) as file:
                file.seek(start)
                length = start + len(file.read(2048))
        except RuntimeError:
            length = 0
        if length < self._length:
            raise OSError(errno.ENOSPC, "writing failed (the end of the file is missing: the disk may be full)")
