"""What the page plays and draws: a recording, a tune, or a take of one, opened once and kept open."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path
from typing import Any

import numpy as np

from audiogen.audio import SegmentReader
from audiogen.errors import InputError
from audiogen.file_names import is_midi
from audiogen.studio.peaks import Peaks
from audiogen.studio.spectrogram import Spectrogram

MAX_OPEN = 64
PEAKS_DELAY = 1.0  # seconds after opening: the first screen comes first


class Source:
    """Samples, peaks and spectrogram of one file; a tune is rendered once, and has notes besides.

    Args:
        path: the file.
        cache: folder for what is computed from it.
    """

    def __init__(self, path: Path, cache: Path) -> None:
        status = path.stat()
        stamp = f"{path.name}-{status.st_size}-{status.st_mtime_ns}"
        key = hashlib.sha256(stamp.encode("utf-8", "surrogatepass")).hexdigest()[:16]
        cache.mkdir(parents=True, exist_ok=True)
        self.path, self.notes = path, None
        audible = path
        if is_midi(path):
            audible = cache / f"{key}.wav"
            self.notes = _rendered(path, audible)
        self.reader = SegmentReader(audible, cache / f"{key}.f32")
        self.peaks = Peaks(self.reader, cache / f"{key}.npy")
        self.spectrogram = Spectrogram(self.reader)
        self._computing: threading.Thread | None = None
        self.stamp = key

    def start_peaks(self) -> None:
        """Compute the peaks in the background, once."""
        if not self.peaks.complete and self._computing is None:
            self._computing = threading.Timer(PEAKS_DELAY, self.peaks.compute)
            self._computing.daemon = True
            self._computing.start()

    def describe(self) -> dict[str, Any]:
        """Format and length, and the notes of a tune."""
        reader = self.reader
        facts = {"sample_rate": reader.sample_rate, "channels": reader.channels, "length": reader.length}
        return facts | {"stamp": self.stamp, "notes": self.notes, "contrast": list(self.spectrogram.contrast)}


def _rendered(path: Path, audible: Path) -> dict[str, Any]:
    """Notes of a tune in seconds, which is rendered unless that was done before."""
    from audiogen.jobs.tune_results import write_audio
    from audiogen.tunes.midi.reader import read_midi

    tune = read_midi(path)
    if not audible.exists():
        write_audio(audible, tune, 0, "PCM_16")
    starts, ends = (np.round(tune.seconds_at(tune.notes[end]), 4).tolist() for end in ("start", "end"))
    columns = (starts, ends, *(tune.notes[name].tolist() for name in ("pitch", "velocity", "part")))
    return {
        "notes": [list(each) for each in zip(*columns, strict=True)],
        "bars": np.round(tune.seconds_at(tune.bar_lines()), 4).tolist(),
    }


class Sources:
    """Sources by their path, the latest `MAX_OPEN` of them."""

    def __init__(self) -> None:
        self._open: dict[tuple[Path, int], Source] = {}
        self._lock = threading.Lock()

    def get(self, path: Path, cache: Path) -> Source:
        """The source of a file, opened again if the file has changed.

        Raises:
            InputError: it cannot be read.
        """
        try:
            key = path, path.stat().st_mtime_ns
        except OSError as error:
            raise InputError(path.name, "it is no longer there", "make it again") from error
        with self._lock:
            source = self._open.pop(key, None) or Source(path, cache)
            self._open[key] = source
            while len(self._open) > MAX_OPEN:
                self._open.pop(next(iter(self._open))).reader.close()
            return source

    def close(self) -> None:
        """Close all files."""
        with self._lock:
            for source in self._open.values():
                source.reader.close()
            self._open.clear()
