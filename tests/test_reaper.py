"""The ReaScript runs in a real Lua (lupa) against a stand-in for REAPER's functions."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

FOLDER = Path(__file__).parents[1] / "integrations" / "reaper"
RATE = 48000


class Reaper:
    """What the script calls of REAPER: one track with items, each a dictionary; commands are recorded, not run."""

    def __init__(self, lua: Any, folder: Path, items: list[dict[str, Any]], inputs: str = "12,2,0") -> None:
        self.lua, self.folder, self.items, self.inputs = lua, folder, items, inputs
        self.commands: list[str] = []
        self.messages: list[str] = []
        self.new: list[dict[str, Any]] = []
        self.time_selection = (0.0, 0.0)
        self.exit = "0\n"

    def table(self) -> Any:
        names = [name for name in dir(type(self)) if name[0].isupper() or name in ("file_exists", "new_array")]
        return self.lua.table_from({name: getattr(self, name) for name in names if name != "Reaper"})

    def GetExtState(self, section: str, name: str) -> str:
        return ""

    def SetExtState(self, *values: object) -> None: ...

    def GetOS(self) -> str:
        return "Other"

    def ExecProcess(self, command: str, timeout: int) -> str:
        self.commands.append(command)
        return self.exit

    def ShowMessageBox(self, text: str, title: str, kind: int) -> None:
        self.messages.append(text)

    def GetUserInputs(self, title: str, count: int, names: str, values: str) -> tuple[bool, str]:
        return True, self.inputs

    def GetProjectPath(self, ignored: str) -> str:
        return str(self.folder)

    def file_exists(self, path: str) -> bool:
        return Path(path).exists()

    def GetSelectedMediaItem(self, project: int, index: int) -> Any:
        return self.items[index] if index < len(self.items) else None

    def GetActiveTake(self, item: Any) -> Any:
        return item

    def TakeIsMIDI(self, take: Any) -> bool:
        return False

    def GetMediaItemTake_Source(self, take: Any) -> Any:
        return take

    def GetMediaSourceSampleRate(self, source: Any) -> int:
        return RATE

    def GetMediaSourceNumChannels(self, source: Any) -> int:
        return 2

    def GetMediaSourceLength(self, source: Any) -> tuple[float, bool]:
        return 12.0, False

    def GetMediaItemInfo_Value(self, item: Any, name: str) -> float:
        return item[name]

    def SetMediaItemInfo_Value(self, item: Any, name: str, value: float) -> None:
        item[name] = value

    def GetTakeName(self, take: Any) -> str:
        return "rain & wind.wav"

    def CreateTakeAudioAccessor(self, take: Any) -> Any:
        return take

    def DestroyAudioAccessor(self, accessor: Any) -> None: ...

    def new_array(self, size: int) -> Any:
        array: dict[str, Any] = {"values": [0.0] * size}
        methods = {
            "clear": lambda: None,
            "table": lambda start, count: self.lua.table_from(array["values"][start - 1 : start - 1 + count]),
        }
        array["lua"] = self.lua.table_from(methods)
        self.array = array
        return array["lua"]

    def GetAudioAccessorSamples(
        self, accessor: Any, rate: int, channels: int, start: float, count: int, buffer: Any
    ) -> int:
        first = round(start * rate) * channels
        self.array["values"][: count * channels] = [(first + k) / 1e6 for k in range(count * channels)]
        return 1

    def AddMediaItemToTrack(self, track: Any) -> Any:
        self.new.append({"takes": []})
        return self.new[-1]

    def AddTakeToMediaItem(self, item: Any) -> Any:
        item["takes"].append({})
        return item["takes"][-1]

    def PCM_Source_CreateFromFile(self, path: str) -> str:
        return path

    def SetMediaItemTake_Source(self, take: Any, source: str) -> None:
        take["path"] = source

    def GetSetMediaItemTakeInfo_String(self, take: Any, name: str, value: str, setting: bool) -> None:
        take[name] = value

    def GetMediaItemTrack(self, item: Any) -> str:
        return "track"

    def GetSet_LoopTimeRange(self, *ignored: object) -> tuple[float, float]:
        return self.time_selection

    def Undo_BeginBlock(self) -> None: ...

    def Undo_EndBlock(self, title: str, flags: int) -> None: ...

    def UpdateArrange(self) -> None: ...


def item(position: float, length: float) -> dict[str, Any]:
    return {"D_POSITION": position, "D_LENGTH": length}


def act(action: str, folder: Path, *items: dict[str, Any], **settings: Any) -> Reaper:
    lupa = pytest.importorskip("lupa")
    lua = lupa.LuaRuntime(unpack_returned_tuples=True)
    reaper = Reaper(lua, folder, list(items))
    for name, value in settings.items():
        setattr(reaper, name, value)
    lua.globals()["reaper"] = reaper.table()
    script = lua.execute((FOLDER / "audiogen.lua").read_text())
    script[action]()
    return reaper


def test_continue_exports_the_item_and_lays_its_takes_behind_it(tmp_path: Path) -> None:
    reaper = act("continue", tmp_path, item(5.0, 1.5))
    assert reaper.messages == []
    (command,) = reaper.commands
    prompt, out = (tmp_path / f"rain___wind-{kind}-001.wav" for kind in ("prompt", "continued"))
    words = f'"audiogen" "continue" "{prompt}" "--tail-only" "--seconds" "12" "--variations" "2" "--budget" "0"'
    assert command == words + f' "-o" "{out}" "--quiet"'
    content = prompt.read_bytes()
    assert struct.unpack_from("<HHI", content, 20) == (3, 2, RATE)
    samples = np.frombuffer(content[44:], "<f4")
    np.testing.assert_allclose(samples, np.arange(2 * 1.5 * RATE) / 1e6, rtol=1e-6)
    (new,) = reaper.new
    assert (new["D_POSITION"], new["D_LENGTH"], new["B_LOOPSRC"]) == (6.5, 12.0, 0)
    assert [Path(take["path"]).name for take in new["takes"]] == [
        "rain___wind-continued-001-1.wav",
        "rain___wind-continued-001-2.wav",
    ]


@pytest.mark.parametrize("taken", ["continued-001-2.wav", "continued-001-1.json"])
def test_takes_get_names_that_neither_files_nor_sidecars_have(tmp_path: Path, taken: str) -> None:
    (tmp_path / f"rain___wind-{taken}").write_bytes(b"from an earlier call")
    reaper = act("continue", tmp_path, item(5.0, 1.5))
    assert "rain___wind-continued-002.wav" in reaper.commands[0]
    assert [Path(take["path"]).name for take in reaper.new[0]["takes"]] == [
        "rain___wind-continued-002-1.wav",
        "rain___wind-continued-002-2.wav",
    ]


def test_loop_repeats_when_it_is_lengthened(tmp_path: Path) -> None:
    reaper = act("loop", tmp_path, item(0.0, 1.0), inputs="20,1,0")
    assert '"--tail-only" "--seconds" "20" "--variations" "1" "--budget" "0" "--loop"' in reaper.commands[0]
    assert reaper.new[0]["B_LOOPSRC"] == 1


def test_fill_fits_the_gap_between_two_items(tmp_path: Path) -> None:
    reaper = act("fill", tmp_path, item(1.0, 2.0), item(4.25, 1.0))
    assert '"--seconds" "1.250000000" "--gap-only" "--budget" "0"' in reaper.commands[0]
    assert reaper.new[0]["D_POSITION"] == 3.0


def test_fill_replaces_the_time_selection_in_an_item(tmp_path: Path) -> None:
    reaper = act("fill", tmp_path, item(1.0, 2.0), time_selection=(1.5, 2.0))
    assert '"--from" "0.500000000" "--to" "1.000000000" "--gap-only"' in reaper.commands[0]
    assert reaper.new[0]["D_POSITION"] == 1.5


@pytest.mark.parametrize(
    ("action", "items", "words"),
    [
        ("continue", [], "select the item"),
        ("fill", [item(0.0, 1.0)], "time selection inside"),
        ("fill", [item(0.0, 1.0), item(0.5, 1.0)], "with a gap between them"),
    ],
)
def test_what_cannot_be_done_is_said(tmp_path: Path, action: str, items: list[dict[str, Any]], words: str) -> None:
    reaper = act(action, tmp_path, *items)
    assert words in reaper.messages[0]
    assert reaper.commands == []


def test_an_error_of_the_command_is_shown(tmp_path: Path) -> None:
    reaper = act("continue", tmp_path, item(0.0, 1.0), exit="2\naudiogen: error: too short")
    assert reaper.messages == ["audiogen: error: too short"]
    assert reaper.new == []


@pytest.mark.parametrize("action", ["continue", "loop", "fill"])
def test_each_action_is_a_file_that_loads_the_script(action: str) -> None:
    assert f'"audiogen.lua").{action}()' in (FOLDER / f"audiogen_{action}.lua").read_text()
