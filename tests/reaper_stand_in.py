"""A stand-in for REAPER: the functions that the ReaScript calls, with the documented types, on a project in memory.

Signatures and meanings are those of the ReaScript documentation (reaper.fm/sdk/reascript/reascripthelp.html); a call
with other types, or another number of arguments, fails the test.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import soundfile


@dataclass(eq=False)
class Source:
    """A PCM_source: an audio file."""

    path: str
    samples: np.ndarray  # [time, channels]
    rate: int

    @classmethod
    def open(cls, path: str) -> Source:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
        return cls(path, samples, rate)


@dataclass(eq=False)
class Take:
    """A MediaItem_Take."""

    source: Source | None = None
    name: str = ""
    midi: bool = False


@dataclass(eq=False)
class Track:
    """A MediaTrack."""

    items: list[Item] = field(default_factory=list)


@dataclass(eq=False)
class Item:
    """A MediaItem."""

    track: Track
    takes: list[Take] = field(default_factory=list)
    values: dict[str, float] = field(default_factory=dict)


class Accessor:
    """An AudioAccessor of a take; it must be destroyed."""

    def __init__(self, take: Take) -> None:
        self.take, self.open = take, True


def is_a(*kinds: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, kinds)


TYPES: dict[str, Callable[[Any], bool]] = {
    "string": is_a(str),
    "boolean": is_a(bool),
    "number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "integer": lambda value: not isinstance(value, bool) and isinstance(value, (int, float)) and value == int(value),
    "ReaProject": lambda value: value in (0, None),
    "MediaItem": is_a(Item),
    "MediaItem_Take": is_a(Take),
    "MediaTrack": is_a(Track),
    "PCM_source": is_a(Source),
    "AudioAccessor": is_a(Accessor),
    "reaper.array": lambda value: "number" in value,
}

SIGNATURES = {
    "AddMediaItemToTrack": ("MediaTrack",),
    "AddTakeToMediaItem": ("MediaItem",),
    "CreateTakeAudioAccessor": ("MediaItem_Take",),
    "DestroyAudioAccessor": ("AudioAccessor",),
    "ExecProcess": ("string", "integer"),
    "GetActiveTake": ("MediaItem",),
    "GetAudioAccessorSamples": ("AudioAccessor", "integer", "integer", "number", "integer", "reaper.array"),
    "GetExtState": ("string", "string"),
    "GetMediaItemInfo_Value": ("MediaItem", "string"),
    "GetMediaItemTake_Source": ("MediaItem_Take",),
    "GetMediaItemTrack": ("MediaItem",),
    "GetMediaSourceLength": ("PCM_source",),
    "GetMediaSourceNumChannels": ("PCM_source",),
    "GetMediaSourceSampleRate": ("PCM_source",),
    "GetOS": (),
    "GetProjectPath": ("string",),
    "GetSelectedMediaItem": ("ReaProject", "integer"),
    "GetSetMediaItemTakeInfo_String": ("MediaItem_Take", "string", "string", "boolean"),
    "GetSet_LoopTimeRange": ("boolean", "boolean", "number", "number", "boolean"),
    "GetTakeName": ("MediaItem_Take",),
    "GetUserInputs": ("string", "integer", "string", "string"),
    "Main_OnCommand": ("integer", "integer"),
    "PCM_Source_CreateFromFile": ("string",),
    "SetActiveTake": ("MediaItem_Take",),
    "SetExtState": ("string", "string", "string", "boolean"),
    "SetMediaItemInfo_Value": ("MediaItem", "string", "number"),
    "SetMediaItemTake_Source": ("MediaItem_Take", "PCM_source"),
    "ShowMessageBox": ("string", "string", "integer"),
    "TakeIsMIDI": ("MediaItem_Take",),
    "Undo_BeginBlock": (),
    "Undo_EndBlock": ("string", "integer"),
    "UpdateArrange": (),
    "file_exists": ("string",),
    "get_action_context": (),
    "new_array": ("integer",),
}


class Reaper:
    """A project with one track, and what was done to it.

    Args:
        lua: interpreter that calls these functions.
        folder: of the project's recordings.
        script: path of the action that runs.
    """

    def __init__(self, lua: Any, folder: Path, script: Path) -> None:
        self.lua, self.folder, self.script = lua, folder, script
        self.track = Track()
        self.selected: list[Item] = []
        self.states: dict[str, str] = {}
        self.kept: set[str] = set()  # states that outlive the session
        self.inputs: str | None = None  # as the user types them, a line each; None accepts the defaults
        self.cancelled = False
        self.time_selection = (0.0, 0.0)
        self.system = "Other"
        self.with_errors = False  # whether ExecProcess hands stderr on, which the documentation leaves open
        self.results: list[str | None] = []  # of ExecProcess, in place of running the command
        self.commands: list[str] = []
        self.messages: list[str] = []
        self.dialogs: list[tuple[str, list[str], list[str]]] = []
        self.undo: list[str] = []
        self.actions: list[int] = []
        self.unreadable = ""  # what cannot be read: "files" or "items"
        self._depth, self._accessors = 0, list[Accessor]()
        self._arrays: list[np.ndarray] = []  # which a script knows by number

    def table(self) -> Any:
        """The global ``reaper`` of a script."""
        return self.lua.table_from({name: self._checked(name) for name in SIGNATURES})

    def _checked(self, name: str) -> Callable[..., Any]:
        kinds, function = SIGNATURES[name], getattr(self, name)

        def call(*given: Any) -> Any:
            assert len(given) == len(kinds), f"{name} takes {len(kinds)} arguments, not {len(given)}"
            for value, kind in zip(given, kinds, strict=True):
                assert TYPES[kind](value), f"{name}: {value!r} is no {kind}"
            return function(*given)

        return call

    def require_tidy(self) -> None:
        """What a script has opened, it has closed."""
        assert self._depth == 0, "an undo block is still open"
        assert not [each for each in self._accessors if each.open], "an audio accessor is still there"

    def add(self, position: float, samples: np.ndarray, rate: int, name: str = "rain.wav") -> Item:
        """Put ``[time, channels]`` samples on the track and select them."""
        item = Item(self.track, [Take(Source("/library/" + name, samples, rate), name)])
        item.values = {"D_POSITION": position, "D_LENGTH": len(samples) / rate}
        self.track.items.append(item)
        self.selected.append(item)
        return item

    # --- the functions

    def AddMediaItemToTrack(self, track: Track) -> Item:
        track.items.append(Item(track))
        return track.items[-1]

    def AddTakeToMediaItem(self, item: Item) -> Take:
        item.takes.append(Take())
        item.values["I_CURTAKE"] = len(item.takes) - 1  # the documentation leaves open which one becomes active
        return item.takes[-1]

    def CreateTakeAudioAccessor(self, take: Take) -> Accessor:
        self._accessors.append(Accessor(take))
        return self._accessors[-1]

    def DestroyAudioAccessor(self, accessor: Accessor) -> None:
        assert accessor.open
        accessor.open = False

    def ExecProcess(self, line: str, timeout: int) -> str | None:
        """Runs the command without the shell's PATH, from a folder that is none of the project's."""
        self.commands.append(line)
        if self.results:
            return self.results.pop(0)
        words = shlex.split(line)
        if not os.path.isabs(words[0]) or not os.access(words[0], os.X_OK):
            return None
        errors = subprocess.STDOUT if self.with_errors else subprocess.DEVNULL
        done = subprocess.run(words, stdout=subprocess.PIPE, stderr=errors, cwd="/", text=True)
        return f"{done.returncode}\n{done.stdout}"

    def GetActiveTake(self, item: Item) -> Take | None:
        return item.takes[int(item.values.get("I_CURTAKE", 0))] if item.takes else None

    def GetAudioAccessorSamples(
        self, accessor: Accessor, rate: float, channels: float, start: float, count: float, array: Any
    ) -> int:
        assert accessor.open
        if self.unreadable == "items":
            return -1
        source = accessor.take.source
        assert source is not None
        assert (rate, channels) == (source.rate, source.samples.shape[1])
        first, values = round(start * rate), self._arrays[array["number"]]
        part = source.samples[first : first + int(count)].ravel()
        assert count * channels <= len(values)
        values[: len(part)] = part
        return 1 if len(part) else 0

    def GetExtState(self, section: str, key: str) -> str:
        return self.states.get(f"{section}/{key}", "")

    def GetMediaItemInfo_Value(self, item: Item, name: str) -> float:
        return item.values.get(name, 0.0)

    def GetMediaItemTake_Source(self, take: Take) -> Source | None:
        return take.source

    def GetMediaItemTrack(self, item: Item) -> Track:
        return item.track

    def GetMediaSourceLength(self, source: Source) -> tuple[float, bool]:
        return len(source.samples) / source.rate, False

    def GetMediaSourceNumChannels(self, source: Source) -> int:
        return int(source.samples.shape[1])

    def GetMediaSourceSampleRate(self, source: Source) -> int:
        return source.rate

    def GetOS(self) -> str:
        return self.system

    def GetProjectPath(self, ignored: str) -> str:
        return str(self.folder)

    def GetSelectedMediaItem(self, project: int | None, index: int) -> Item | None:
        return self.selected[index] if index < len(self.selected) else None

    def GetSetMediaItemTakeInfo_String(self, take: Take, name: str, value: str, setting: bool) -> tuple[bool, str]:
        assert name == "P_NAME"
        if setting:
            take.name = value
        return True, take.name

    def GetSet_LoopTimeRange(
        self, setting: bool, loop: bool, start: float, end: float, seek: bool
    ) -> tuple[float, float]:
        assert not setting
        return self.time_selection

    def GetTakeName(self, take: Take) -> str:
        return take.name

    def GetUserInputs(self, title: str, count: int, captions: str, values: str) -> tuple[bool, str]:
        assert captions.endswith(",separator=\n")
        names, defaults = captions.split(",")[:-1], values.split("\n")
        assert len(names) == len(defaults) == count <= 16
        self.dialogs.append((title, names, defaults))
        return not self.cancelled, values if self.inputs is None else self.inputs

    def Main_OnCommand(self, command: int, flag: int) -> None:
        self.actions.append(command)

    def PCM_Source_CreateFromFile(self, path: str) -> Source | None:
        return None if self.unreadable == "files" else Source.open(path)

    def SetActiveTake(self, take: Take) -> None:
        for item in self.track.items:
            if take in item.takes:
                item.values["I_CURTAKE"] = item.takes.index(take)

    def SetExtState(self, section: str, key: str, value: str, persist: bool) -> None:
        self.states[f"{section}/{key}"] = value
        if persist:
            self.kept.add(f"{section}/{key}")

    def SetMediaItemInfo_Value(self, item: Item, name: str, value: float) -> bool:
        item.values[name] = value
        return True

    def SetMediaItemTake_Source(self, take: Take, source: Source) -> bool:
        take.source = source
        return True

    def ShowMessageBox(self, text: str, title: str, kind: int) -> int:
        assert kind in range(6)
        self.messages.append(text)
        return 1

    def TakeIsMIDI(self, take: Take) -> bool:
        return take.midi

    def Undo_BeginBlock(self) -> None:
        self._depth += 1

    def Undo_EndBlock(self, title: str, flags: int) -> None:
        self._depth -= 1
        self.undo.append(title)

    def UpdateArrange(self) -> None: ...

    def file_exists(self, path: str) -> bool:
        return Path(path).is_file()

    def get_action_context(self) -> tuple[bool, str, int, int, int, int, float, str]:
        return True, str(self.script), 0, 0, -1, 0, 0.0, ""

    def new_array(self, size: int) -> Any:
        values = np.zeros(int(size))
        self._arrays.append(values)

        def clear() -> None:
            values[:] = 0

        def table(offset: int, count: int) -> Any:
            return self.lua.table_from(values[offset - 1 : offset - 1 + count].tolist())

        return self.lua.table_from({"number": len(self._arrays) - 1, "clear": clear, "table": table})
