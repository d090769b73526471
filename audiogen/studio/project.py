"""A project: what has been tried on one recording, and what was decided, in a file beside it.

``rain.wav`` has the folder ``rain.wav.studio``: ``project.json``, the takes with their sidecars, and a cache that may
be removed. Every change is recorded with the value before it, so that it can be undone, in a later session as well.
"""

from __future__ import annotations

import json
import threading
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from audiogen.errors import InputError
from audiogen.text_files import dump_json, write_text

FILE = "project.json"
VERSION = 1
MAX_UNDO = 200
MAX_NOTE = 2000  # characters
MARKS = ("", "kept", "aside")
RUNNING = ("waiting", "making")


@dataclass
class Take:
    """One take.

    Args:
        id: number, counted from 1.
        file: name in the project's folder.
        request: options of the job, as in a sidecar, with ``morph`` and the ``region`` in seconds.
        state: "waiting", "making", "made", "failed" or "cancelled".
        mark: one of `MARKS`.
        note: of the user.
        facts: what the page shows of it: position, length, measures in words, warnings; the error if it failed.
    """

    id: int
    file: str
    request: dict[str, Any]
    state: str = "waiting"
    mark: str = ""
    note: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


class Project:
    """The decisions about one recording. Its methods may be called by several threads.

    Args:
        folder: of the project.
        recording: name of the recording, for messages.

    Raises:
        InputError: the file of the project is damaged.
    """

    def __init__(self, folder: Path, recording: str) -> None:
        self.folder, self.recording = folder, recording
        self.lock = threading.RLock()
        self.revision = 0
        self.settings: dict[str, Any] = {}
        self.takes: dict[int, Take] = {}
        self._undo: list[dict[str, Any]] = []
        self._redo: list[dict[str, Any]] = []
        if (folder / FILE).exists():
            self._load()

    def _load(self) -> None:
        path = self.folder / FILE
        try:
            content = json.loads(path.read_text("utf-8"))
            if content["version"] != VERSION:
                cause = f"it is of version {content['version']}, and this audiogen reads {VERSION}"
                raise InputError(path, cause, "use the audiogen that wrote it")
            self.settings = dict(content["settings"])
            takes = [Take(**each) for each in content["takes"]]
            self._undo, self._redo = list(content["undo"]), list(content["redo"])
            self.revision = int(content["revision"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(path, f"it is no project ({error})", "move it away to begin a new one") from error
        for take in takes:
            if Path(take.file).name != take.file:
                raise InputError(path, f"the take {take.file!r} lies outside its folder", "move it away")
            if take.state in RUNNING:  # the studio ended while it was made
                take.state = "cancelled"
            elif take.state == "made" and not (self.folder / take.file).exists():
                take.state, take.facts = "failed", {"error": f"{take.file} is no longer there"}
        self.takes = {take.id: take for take in takes}

    def save(self) -> None:
        """Write the file of the project, atomically."""
        with self.lock:
            self.revision += 1
            self.folder.mkdir(exist_ok=True)
            content = {
                "version": VERSION,
                "recording": self.recording,
                "revision": self.revision,
                "settings": self.settings,
                "takes": [asdict(take) for take in self.takes.values()],
                "undo": self._undo[-MAX_UNDO:],
                "redo": self._redo,
            }
            write_text(self.folder / FILE, dump_json(content))

    def add_take(self, suffix: str, request: dict[str, Any]) -> Take:
        """A new take that waits to be made."""
        with self.lock:
            number = max(self.takes, default=0) + 1
            while (self.folder / f"take-{number:03}{suffix}").exists():  # of a project whose file was moved away
                number += 1
            take = self.takes[number] = Take(number, f"take-{number:03}{suffix}", request)
            self.save()
            return take

    def take(self, number: int) -> Take:
        """The take of a number.

        Raises:
            InputError: there is none.
        """
        if number not in self.takes:
            raise InputError(f"take {number}", "there is no such take", f"{self.recording} has {len(self.takes)}")
        return self.takes[number]

    def update(self, number: int, state: str, facts: dict[str, Any]) -> None:
        """Note what became of a take; this is no decision, and cannot be undone."""
        with self.lock:
            take = self.take(number)
            take.state, take.facts = state, take.facts | facts
            self.save()

    def change(self, take: int | None, name: str, value: Any) -> None:
        """Change a field, as one step that can be undone.

        Args:
            take: number of a take, whose ``mark`` or ``note`` changes; None for a setting.
            name: of the field.
            value: the new one.

        Raises:
            InputError: there is no such field, or it cannot have this value.
        """
        with self.lock:
            before = self._get(take, name)
            if before == value:
                return
            self._set(take, name, value)
            self._undo.append({"take": take, "name": name, "before": before, "after": value})
            self._redo.clear()
            self.save()

    def _get(self, take: int | None, name: str) -> Any:
        return self.settings.get(name) if take is None else getattr(self.take(take), name, None)

    def _set(self, take: int | None, name: str, value: Any) -> None:
        if take is None:
            self.settings[name] = value
            return
        if name == "mark" and value in MARKS:
            self.take(take).mark = value
        elif name == "note" and isinstance(value, str) and len(value) <= MAX_NOTE:
            self.take(take).note = value
        else:
            raise InputError(f"take {take}", f"its {name} cannot be {str(value)[:40]!r}", "keep it, or set it aside")

    def undo(self) -> bool:
        """Take the latest change back; False if there is none."""
        return self._step(self._undo, self._redo, "before")

    def redo(self) -> bool:
        """Make the latest change again that was taken back; False if there is none."""
        return self._step(self._redo, self._undo, "after")

    def _step(self, source: list[dict[str, Any]], target: list[dict[str, Any]], which: str) -> bool:
        with self.lock:
            if not source:
                return False
            step = source.pop()
            self._set(step["take"], step["name"], step[which])
            target.append(step)
            self.save()
            return True

    def as_json(self) -> dict[str, Any]:
        """What the page shows."""
        with self.lock:
            return {
                "revision": self.revision,
                "settings": self.settings,
                "takes": [asdict(take) for take in self.takes.values()],
                "undo": len(self._undo),
                "redo": len(self._redo),
            }
