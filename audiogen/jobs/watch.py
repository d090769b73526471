"""Continue each recording that appears in a folder, into another folder."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain, count
from pathlib import Path
from typing import NamedTuple

from audiogen.data.recordings import SUFFIXES
from audiogen.errors import InputError
from audiogen.output_names import sidecar_of

OUTPUT_SUFFIX = ".wav"


class Stamp(NamedTuple):
    """Size in bytes and time of the last change of a file: while either moves, it is still being written."""

    size: int
    changed: int


class Sidecar(NamedTuple):
    """What is read of a sidecar: the recording that was continued, and the name of the output; empty if unknown."""

    prompt: Path = Path()
    output: str = ""


@dataclass
class Watcher:
    """Which recordings of a folder are complete and have no output yet.

    Looks at the folder itself, not at its subfolders, by polling: that works on network drives and needs no library.
    A recording is done when there is an output whose sidecar names it, so a watcher that is started again continues
    where it stopped, whatever other recordings have come or gone since. One that changes after that, such as a copy
    that paused half way, is continued again; one that failed is tried again.

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
    _made: dict[Path, Stamp] = field(default_factory=dict)
    _sidecars: dict[Path, tuple[Stamp, Sidecar]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for folder in (self.folder, self.outputs):
            if not folder.is_dir():
                raise InputError(folder, "there is no such folder", "create it first")
        if self.folder.samefile(self.outputs):
            raise InputError(self.outputs, "outputs would be continued again", "name another folder")

    def output_of(self, recording: Path) -> Path:
        """Output of a recording: one that exists and continues it, or a free name.

        The output of IN/rain.flac is OUT/rain.wav; beside IN/rain.wav, or if that name is another recording's output,
        OUT/rain-flac.wav.
        """
        plain, own = recording.stem, f"{recording.stem}-{recording.suffix[1:].lower()}"
        known = [self.outputs / f"{stem}{OUTPUT_SUFFIX}" for stem in (plain, own)]
        for out in known:
            if out.exists() and self._sidecar(out).prompt.name == recording.name:
                return out
        twins = [path for path in self.folder.glob(f"{_escaped(plain)}.*") if _is_recording(path)]
        further = (self.outputs / f"{own}-{number}{OUTPUT_SUFFIX}" for number in count(2))
        for out in chain(known[1:] if len(twins) > 1 else known, further):
            if not out.exists() or self._sidecar(out).prompt.name in ("", recording.name):  # "": made by something else
                return out
        raise AssertionError("an endless series of names has ended")

    def _sidecar(self, out: Path) -> Sidecar:
        """What the sidecar of an output says, which is read when it has changed only."""
        path = sidecar_of(out)
        stamp = _stamp(path)
        if stamp is None:
            return Sidecar()
        if path not in self._sidecars or self._sidecars[path][0] != stamp:
            self._sidecars[path] = stamp, _read_sidecar(path)
        return self._sidecars[path][1]

    def _is_own_output(self, path: Path) -> bool:
        """Whether a file in the folder continues one beside it: both folders may be one, by two different paths."""
        sidecar = self._sidecar(path)
        if sidecar.output != path.name or not sidecar.prompt.name:
            return False
        parent = sidecar.prompt.parent
        return parent.is_dir() and parent.samefile(self.folder)

    def _is_done(self, recording: Path, stamp: Stamp) -> bool:
        """Whether a recording has an output that was made since it last changed."""
        out = self.output_of(recording)
        if not out.exists():
            return False
        if recording in self._made:
            return self._made[recording] == stamp
        sidecar = _stamp(sidecar_of(out))
        return sidecar is None or self._sidecar(out).prompt.name != recording.name or stamp.changed <= sidecar.changed

    def ready(self) -> list[Path]:
        """Recordings to continue: without an output since they changed, and unchanged since the last call.

        Raises:
            OSError: a folder cannot be read, such as one on a drive that was taken out.
        """
        ready, stamps = [], {}
        next(self.outputs.iterdir(), None)
        for path in sorted(self.folder.iterdir()):
            stamp = _stamp(path) if _is_recording(path) else None
            if stamp is None:
                continue
            stamps[path] = stamp
            settled = self._stamps.get(path) == stamp and stamp.size > 0
            if not settled or self._failed.get(path) == stamp:
                continue
            if not self._is_done(path, stamp) and not self._is_own_output(path):
                ready.append(path)
        self._stamps = stamps
        return ready

    def made(self, recording: Path) -> None:
        """Leave a recording alone until it is another than when it was last looked at."""
        self._made[recording] = self._stamps[recording]

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
        Each recording, its output, and the error if it could not be continued, which stops nothing. A folder that
        cannot be read is an error too, once; it is looked at again.

    Raises:
        InputError: with ``once``, a folder cannot be read.
    """
    watcher.ready()  # remembers the sizes
    gone = False
    while True:
        wait(interval)
        try:
            ready, gone = watcher.ready(), False
        except OSError as error:
            cause = f"the folder cannot be read now ({error.strerror})"
            problem = InputError(error.filename or watcher.folder, cause, "bring it back; it is still watched")
            if once:
                raise problem from error
            if not gone:
                yield watcher.folder, watcher.outputs, problem
            gone = True
            continue
        for recording in ready:
            out = watcher.output_of(recording)
            try:
                make(recording, out)
            except Exception as error:
                watcher.failed(recording)
                yield recording, out, error
            else:
                watcher.made(recording)
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


def _read_sidecar(path: Path) -> Sidecar:
    try:
        tree = json.loads(path.read_text("utf-8"))
        return Sidecar(Path(tree["prompt"]), str(tree["output"]))
    except (OSError, ValueError, KeyError, TypeError):  # not one of ours
        return Sidecar()


def _escaped(name: str) -> str:
    import glob

    return glob.escape(name)
