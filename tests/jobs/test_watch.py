"""Watching a folder: complete files only, each once, and bad ones stop nothing."""

from __future__ import annotations

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
