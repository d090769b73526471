"""The ReaScript runs in Lua, as REAPER would run it, and audiogen's own command line does the work."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from tests.reaper_stand_in import SIGNATURES, Item, Reaper

lua54 = pytest.importorskip("lupa.lua54", reason="lupa, a Lua interpreter, is not installed")
FOLDER = Path(__file__).parents[1] / "integrations" / "reaper"
RATE = 48000
Open = Callable[..., Reaper]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / 'it\'s a "project" & more $HOME'
    folder.mkdir()
    return folder


@pytest.fixture
def opened(project: Path, tmp_path: Path) -> Open:
    """REAPER with a project whose folder has every character that a command line could stumble over."""
    command = tmp_path / "a program's folder" / "audiogen"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m audiogen "$@"\n')
    command.chmod(0o755)

    def open_reaper(**settings: Any) -> Reaper:
        lua = lua54.LuaRuntime(unpack_returned_tuples=True)
        reaper = Reaper(lua, project, FOLDER / "audiogen_continue.lua")
        reaper.states["audiogen/command"] = str(command)
        for name, value in settings.items():
            setattr(reaper, name, value)
        return reaper

    return open_reaper


def run(action: str, reaper: Reaper) -> None:
    """Run an action's file."""
    reaper.script = FOLDER / f"audiogen_{action}.lua"
    reaper.lua.globals()["reaper"] = reaper.table()
    reaper.lua.execute(reaper.script.read_text())
    reaper.require_tidy()


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    samples = 0.1 * np.random.default_rng(seed).standard_normal((round(seconds * RATE), 2))
    return samples.astype(np.float32)


def words(reaper: Reaper) -> list[str]:
    """The words of the last command."""
    return shlex.split(reaper.commands[-1])


def new_item(reaper: Reaper) -> Item:
    (item,) = [each for each in reaper.track.items if each not in reaper.selected]
    return item


def test_continue_lays_takes_behind_the_item(opened: Open, project: Path) -> None:
    reaper = opened(inputs="0,5\n2\n0")
    samples = noise(1.5)
    reaper.add(5.0, samples, RATE, "rain & wind.wav")
    run("continue", reaper)
    assert reaper.messages == []
    exported, rate = soundfile.read(project / "rain___wind-prompt-001.wav", dtype="float32")
    assert rate == RATE
    np.testing.assert_array_equal(exported, samples)
    item = new_item(reaper)
    assert (item.values["D_POSITION"], item.values["D_LENGTH"], item.values["B_LOOPSRC"]) == (6.5, 0.5, 0)
    assert [take.name for take in item.takes] == ["rain & wind continued 1", "rain & wind continued 2"]
    names = [f"rain___wind-continued-001-{number}.wav" for number in (1, 2)]
    assert [Path(take.source.path).name for take in item.takes if take.source] == names
    first, second = (soundfile.read(project / name)[0] for name in names)
    assert first.shape == second.shape == (RATE // 2, 2)
    assert not np.array_equal(first, second)
    assert reaper.GetActiveTake(item) is item.takes[0]
    assert (reaper.undo, reaper.actions) == (["audiogen: continue"], [40047])  # Peaks: Build any missing peaks


def test_loop_repeats_when_it_is_lengthened(opened: Open) -> None:
    reaper = opened(inputs="0.5\n1\n0")
    reaper.add(0.0, np.zeros((RATE, 1), np.float32), RATE)
    run("loop", reaper)
    assert reaper.messages == []
    item = new_item(reaper)
    assert (item.values["B_LOOPSRC"], item.values["D_LENGTH"]) == (1, 0.5)
    assert item.takes[0].source is not None
    with open(item.takes[0].source.path, "rb") as file:
        assert b"smpl" in file.read()


def test_fill_fits_the_gap_between_two_items_in_whatever_order(opened: Open) -> None:
    reaper = opened()
    for position, seed in ((4.25, 1), (1.0, 0)):
        reaper.add(position, 0 * noise(2.0, seed), RATE)
    run("fill", reaper)
    assert reaper.messages == []
    assert (new_item(reaper).values["D_POSITION"], new_item(reaper).values["D_LENGTH"]) == (3.0, 1.25)


def test_fill_replaces_the_time_selection_in_an_item(opened: Open) -> None:
    reaper = opened(time_selection=(1.5, 2.0), results=["2\n"])
    reaper.add(1.0, 0 * noise(2.0), RATE)
    run("fill", reaper)
    assert words(reaper)[3:8] == ["--from", "0.500000000", "--to", "1.000000000", "--gap-only"]


@pytest.mark.parametrize("with_errors", [True, False])
def test_what_the_command_says_of_an_error_is_shown(opened: Open, with_errors: bool) -> None:
    reaper = opened(with_errors=with_errors, inputs="0.5\n1\nsoon")
    reaper.add(0.0, noise(1.0), RATE)
    run("continue", reaper)
    assert reaper.messages == ["--budget: a duration is written as 30, 30.5, 4:00 or 1:02:03.5, not 'soon'"]
    assert (len(reaper.track.items), reaper.undo) == (1, [])


@pytest.mark.parametrize(("unreadable", "message"), [("files", "cannot open"), ("items", "cannot read the sound")])
def test_what_cannot_be_opened_is_said_and_changes_nothing(
    opened: Open, project: Path, unreadable: str, message: str
) -> None:
    reaper = opened(inputs="0.5\n1\n0", unreadable=unreadable, results=["0\n"])
    reaper.add(0.0, noise(0.1), RATE)
    run("continue", reaper)
    assert message in reaper.messages[0]
    assert (len(reaper.track.items), reaper.undo) == (1, [])
    assert bool(list(project.iterdir())) == (unreadable == "files")  # the prompt was exported


@pytest.mark.parametrize("taken", ["continued-001-2.wav", "continued-001-1.json"])
def test_takes_get_names_that_neither_files_nor_sidecars_have(opened: Open, project: Path, taken: str) -> None:
    (project / f"rain-{taken}").write_bytes(b"from an earlier call")
    reaper = opened(inputs="0.5\n2\n0", results=["2\n"])
    reaper.add(0.0, noise(0.1), RATE)
    run("continue", reaper)
    assert words(reaper)[-2] == str(project / "rain-continued-002.wav")


@pytest.mark.parametrize(
    ("action", "items", "message"),
    [
        ("continue", [], "select the item"),
        ("fill", [(0.0, 1.0)], "time selection inside"),
        ("fill", [(0.0, 1.0), (0.5, 1.0)], "with a gap between them"),
        ("loop", [(0.0, 0.0)], "the item is empty"),
    ],
)
def test_what_cannot_be_done_is_said(opened: Open, action: str, items: list[tuple[float, float]], message: str) -> None:
    reaper = opened()
    for position, seconds in items:
        reaper.add(position, noise(seconds), RATE)
    run(action, reaper)
    assert message in reaper.messages[0]
    assert reaper.commands == []


def test_midi_items_and_cancelled_dialogs_change_nothing(opened: Open, project: Path) -> None:
    reaper = opened(cancelled=True)
    item = reaper.add(0.0, noise(0.1), RATE)
    run("continue", reaper)
    assert (reaper.messages, reaper.undo) == ([], [])
    reaper.cancelled, item.takes[0].midi = False, True
    run("continue", reaper)
    assert reaper.messages == ["select an item with audio"]
    assert list(project.iterdir()) == []


@pytest.mark.parametrize(
    ("system", "shell"),
    [("Other", "/bin/sh"), ("OSX64", "/bin/zsh"), ("macOS-arm64", "/bin/zsh"), ("Win64", "cmd.exe")],
)
def test_the_command_is_looked_up_where_a_terminal_would(opened: Open, system: str, shell: str) -> None:
    reaper = opened(system=system, results=["0\r\n/opt/audiogen\r\n/bin/audiogen\r\n", "2\n", "1\n"])
    reaper.states.clear()
    reaper.add(0.0, noise(0.1), RATE)
    run("continue", reaper)
    assert shlex.split(reaper.commands[0])[0] == shell
    assert words(reaper)[0] == "/opt/audiogen"
    assert "audiogen/command" not in reaper.kept
    reaper.states.clear()
    run("continue", reaper)
    assert "does not find audiogen" in reaper.messages[-1]
    reaper.states["audiogen/command"], reaper.results = "/gone/audiogen", [None]
    run("continue", reaper)
    assert "/gone/audiogen could not be started" in reaper.messages[-1]


def test_what_was_typed_is_offered_the_next_time(opened: Open) -> None:
    reaper = opened(inputs="7\n4\n60", results=["1\n", "1\n"])
    reaper.add(0.0, noise(0.1), RATE)
    run("continue", reaper)
    run("continue", reaper)
    (_, names, defaults), (_, _, offered) = reaper.dialogs
    assert names == ["seconds", "takes", "training time limit (0: none)"]
    assert (defaults, offered) == (["30", "3", "0"], ["7", "4", "60"])
    assert reaper.messages == ["audiogen ended with code 1"] * 2


TEXTS = ["plain", "two words", 'a "quoted" word', "C:\\folder\\", 'back\\"slash', "it's", 'it\'s "both" $HOME `ls` \\']


def test_arguments_survive_the_command_line(opened: Open) -> None:
    """Of Windows by the rules of its C runtime, which `subprocess.list2cmdline` writes too; elsewhere by a shell's."""
    reaper = opened()
    reaper.lua.globals()["reaper"] = reaper.table()
    quoted = reaper.lua.execute((FOLDER / "audiogen.lua").read_text())["quoted"]
    for text in TEXTS:
        assert shlex.split(quoted(text)) == [text]
    for text in TEXTS[:-2]:
        assert "`" in text or "$" in text or quoted(text) == f"'{text}'"
    reaper.system = "Win64"
    for text in TEXTS:
        spaced = subprocess.list2cmdline([text + " "])  # with a space it is always quoted
        assert quoted(text + " ") == spaced
    assert quoted("C:\\folder\\") == '"C:\\folder\\\\"'


def test_the_script_calls_nothing_that_is_not_documented() -> None:
    text = "".join(path.read_text() for path in FOLDER.glob("*.lua"))
    called = {part.split("(")[0] for part in text.split("reaper.")[1:]}
    assert called - {"", "array"} == SIGNATURES.keys()
