"""Watching a folder: complete files only, each once, and bad ones stop nothing."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from audiogen.errors import InputError
from audiogen.jobs.presets import PRESETS, find_preset
from audiogen.jobs.watch import Watcher, watch


@pytest.fixture
def watcher(tmp_path: Path) -> Watcher:
    for name in ("in", "out"):
        (tmp_path / name).mkdir()
    return Watcher(tmp_path / "in", tmp_path / "out")


def names(paths: list[Path]) -> list[str]:
    return [path.name for path in paths]


def test_a_file_is_ready_once_it_stops_growing(watcher: Watcher) -> None:
    rain, notes = watcher.folder / "rain.wav", watcher.folder / "notes.txt"
    rain.write_bytes(b"1")
    notes.write_bytes(b"1")
    (watcher.folder / ".hidden.wav").write_bytes(b"1")
    (watcher.folder / "empty.wav").touch()
    assert watcher.ready() == []
    rain.write_bytes(b"12")
    assert watcher.ready() == []
    assert names(watcher.ready()) == ["rain.wav"]
    watcher.output_of(rain).touch()
    assert watcher.ready() == []


def test_a_failed_file_is_tried_again_when_it_changes(watcher: Watcher) -> None:
    bad = watcher.folder / "bad.wav"
    bad.write_bytes(b"1")
    watcher.ready()
    watcher.failed(bad)
    assert watcher.ready() == []
    bad.write_bytes(b"12")
    watcher.ready()
    assert names(watcher.ready()) == ["bad.wav"]
    bad.unlink()
    assert watcher.ready() == []
    watcher.failed(bad)


def test_recordings_that_differ_in_their_suffix_have_outputs_of_their_own(watcher: Watcher) -> None:
    wav, flac = (watcher.folder / f"[a] rain{suffix}" for suffix in (".wav", ".FLAC"))
    wav.touch()
    assert watcher.output_of(wav).name == "[a] rain.wav"
    flac.touch()
    assert [watcher.output_of(path).name for path in (wav, flac)] == ["[a] rain-wav.wav", "[a] rain-flac.wav"]


def finish(watcher: Watcher, recording: Path) -> Path:
    """Write an output and its sidecar, as the command does."""
    out = watcher.output_of(recording)
    out.touch()
    out.with_suffix(".json").write_text(json.dumps({"prompt": str(recording), "output": out.name}))
    return out


def ready(folder: Path, outputs: Path) -> list[str]:
    """What a watcher that is started now would continue."""
    again = Watcher(folder, outputs)
    again.ready()
    return names(again.ready())


def test_a_recording_that_is_done_stays_so_whatever_comes_or_goes(watcher: Watcher) -> None:
    wav, flac = watcher.folder / "rain.wav", watcher.folder / "rain.flac"
    wav.write_bytes(b"1")
    assert finish(watcher, wav).name == "rain.wav"
    flac.write_bytes(b"2")  # a twin would have given the first another name
    assert ready(watcher.folder, watcher.outputs) == ["rain.flac"]
    assert finish(watcher, flac).name == "rain-flac.wav"
    wav.unlink()  # and without the twin, the second would have another name
    assert ready(watcher.folder, watcher.outputs) == []


def test_the_output_of_a_recording_that_is_gone_is_not_that_of_its_namesake(watcher: Watcher) -> None:
    wav, flac, other = (watcher.folder / name for name in ("rain.wav", "rain.flac", "rain-flac.wav"))
    for recording in (wav, other):
        recording.write_bytes(b"1")
        finish(watcher, recording)
    wav.unlink()
    flac.write_bytes(b"2")
    assert ready(watcher.folder, watcher.outputs) == ["rain.flac"]
    assert finish(watcher, flac).name == "rain-flac-2.wav"
    assert ready(watcher.folder, watcher.outputs) == []


def test_an_output_among_the_recordings_is_not_continued(watcher: Watcher) -> None:
    out = watcher.folder / "longer.wav"
    out.write_bytes(b"1")
    for prompt, expected in (("rain.wav", []), ("../elsewhere/rain.wav", ["longer.wav"])):
        text = json.dumps({"prompt": str(watcher.folder / prompt), "output": out.name})
        out.with_suffix(".json").write_text(text)
        assert ready(watcher.folder, watcher.outputs) == expected


def test_a_copy_that_paused_is_continued_again_when_it_is_complete(watcher: Watcher) -> None:
    rain = watcher.folder / "rain.wav"
    rain.write_bytes(b"half")
    watcher.ready()
    assert names(watcher.ready()) == ["rain.wav"]
    rain.write_bytes(b"half and more")  # while it is continued
    finish(watcher, rain)
    watcher.made(rain)
    assert watcher.ready() == []
    assert names(watcher.ready()) == ["rain.wav"]
    finish(watcher, rain)
    watcher.made(rain)
    assert watcher.ready() == []


def test_a_recording_that_changed_while_nobody_watched_is_continued_again(watcher: Watcher) -> None:
    rain = watcher.folder / "rain.wav"
    rain.write_bytes(b"1")
    sidecar = finish(watcher, rain).with_suffix(".json")
    assert ready(watcher.folder, watcher.outputs) == []
    later = sidecar.stat().st_mtime + 10
    os.utime(rain, (later, later))
    assert ready(watcher.folder, watcher.outputs) == ["rain.wav"]
    sidecar.unlink()  # and the file is of unknown origin
    assert ready(watcher.folder, watcher.outputs) == []


@pytest.mark.parametrize("folder", ["in", "out"])
def test_a_folder_that_goes_and_comes_back_is_named_once(watcher: Watcher, folder: str) -> None:
    (watcher.folder / "rain.wav").write_bytes(b"1")
    path, waits = watcher.folder.parent / folder, list[float]()

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 1:
            path.rename(path.with_name("elsewhere"))
        if len(waits) == 4:
            path.with_name("elsewhere").rename(path)

    results = watch(watcher, lambda recording, out: out.touch(), 0.5, wait=wait)
    _, _, error = next(results)
    assert str(error).startswith(f"{path}: the folder cannot be read now")
    assert [each.name for each in next(results)[:2]] == ["rain.wav", "rain.wav"]
    assert len(waits) in (4, 5)


def test_a_folder_that_is_gone_ends_a_single_look(watcher: Watcher) -> None:
    with pytest.raises(InputError, match="cannot be read now"):
        next(watch(watcher, lambda recording, out: None, 0.5, once=True, wait=lambda _: watcher.folder.rmdir()))


def test_errors_stop_nothing_and_ctrl_c_ends(watcher: Watcher) -> None:
    for name in ("a.wav", "b.wav"):
        (watcher.folder / name).write_bytes(b"1")
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            raise KeyboardInterrupt

    def make(recording: Path, out: Path) -> None:
        if recording.name == "a.wav":
            raise ValueError("bad")
        out.touch()

    results = watch(watcher, make, 0.25, wait=wait)
    assert [(path.name, str(error)) for path, _, error in (next(results), next(results))] == [
        ("a.wav", "bad"),
        ("b.wav", "None"),
    ]
    with pytest.raises(KeyboardInterrupt):
        next(results)
    assert waits == [0.25] * 3


def test_folders_must_exist_and_differ(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        Watcher(tmp_path, tmp_path / "none")
    with pytest.raises(InputError, match="continued again"):
        Watcher(tmp_path, tmp_path)


def test_presets(tmp_path: Path) -> None:
    assert all(find_preset(name) for name in PRESETS)
    assert find_preset("bed").loop
    path = tmp_path / "mine.yaml"
    path.write_text("seconds: 60\nloop: true\n")
    assert (find_preset(str(path)).seconds, find_preset(str(path)).loop) == (60.0, True)
    for text, words in (("secods: 60", "no such key"), ("- 1", "not a mapping"), ("a: [", "not valid YAML")):
        path.write_text(text)
        with pytest.raises(InputError, match=words):
            find_preset(str(path))
    with pytest.raises(InputError, match="no such preset"):
        find_preset("none")
