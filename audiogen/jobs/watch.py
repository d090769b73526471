"""Continue each recording that appears in a folder, into another folder."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from audiogen.data.recordings import SUFFIXES
from audiogen.errors import InputError

OUTPUT_SUFFIX = ".wav"


class Stamp(NamedTuple):
    """Size in bytes and time of the last change of a file: while either moves, it is still being written."""

    size: int
    changed: int


@dataclass
class Watcher:
    """Which recordings of a folder are complete and have no output yet.

    Looks at the folder itself, not at its subfolders, by polling: that works on network drives and needs no library.
    A recording whose output exists is done, so a watcher that is started again continues where it stopped. One that
    failed is tried again when it changes.

    Args:
        folder: of recordings.
        outputs: folder of the outputs.

    Raises:
        InputError: a folder is missing, or both are the same.
    """

    folder: Path
    outputs: Path
    _stamps: dict[Path, Stamp] = field(default_factory=dict)
    _failed: dict[Path, Stamp] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for folder in (self.folder, self.outputs):
            if not folder.is_dir():
                raise InputError(folder, "there is no such folder", "create it first")
        if self.folder.samefile(self.outputs):
            raise InputError(self.outputs, "outputs would be continued again", "name another folder")

    def output_of(self, recording: Path) -> Path:
        """Output of a recording; that of IN/rain.flac beside IN/rain.wav is OUT/rain-flac.wav."""
        twins = [path for path in self.folder.glob(f"{_escaped(recording.stem)}.*") if _is_recording(path)]
        suffix = f"-{recording.suffix[1:].lower()}" if len(twins) > 1 else ""
        return self.outputs / f"{recording.stem}{suffix}{OUTPUT_SUFFIX}"

    def ready(self) -> list[Path]:
        """Recordings to continue: without an output, and unchanged since the last call."""
        ready, stamps = [], {}
        for path in sorted(self.folder.iterdir()):
            stamp = _stamp(path) if _is_recording(path) else None
            if stamp is None:
                continue
            stamps[path] = stamp
            settled = self._stamps.get(path) == stamp and stamp.size > 0
            if settled and self._failed.get(path) != stamp and not self.output_of(path).exists():
                ready.append(path)
        self._stamps = stamps
        return ready

    def failed(self, recording: Path) -> None:
        """Leave a recording alone until it changes."""
        stamp = _stamp(recording)
        if stamp is not None:
            self._failed[recording] = stamp


def watch(
    watcher: Watcher,
    make: Callable[[Path, Path], None],
    interval: float,
    once: bool = False,
    wait: Callable[[float], None] = time.sleep,
) -> Iterator[tuple[Path, Path, Exception | None]]:
    """Continue recordings as they appear.

    Args:
        watcher: of the folder.
        make: writes the output of a recording.
        interval: seconds between two looks at the folder.
        once: end when all recordings that are there have been tried.
        wait: sleeps.

    Yields:
        Each recording, its output, and the error if it could not be continued, which stops nothing.
    """
    watcher.ready()  # remembers the sizes
    while True:
        wait(interval)
        ready = watcher.ready()
        for recording in ready:
            out = watcher.output_of(recording)
            try:
                make(recording, out)
            except Exception as error:
                watcher.failed(recording)
                yield recording, out, error
            else:
                yield recording, out, None
        if once and not ready:
            return


def _is_recording(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def _stamp(path: Path) -> Stamp | None:
    try:
        status = path.stat()
    except OSError:  # moved away
        return None
    return Stamp(status.st_size, status.st_mtime_ns) if path.is_file() else None


def _escaped(name: str) -> str:
    import glob

    return glob.escape(name)
