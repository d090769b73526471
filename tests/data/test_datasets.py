"""Readers on small copies of the published archives, made by tools/make_dataset_fixtures.py."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
from collections import Counter
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from audiogen.audio import AudioWarning
from audiogen.data.datasets import DATASETS, guess, maestro, musicnet, nottingham, verify
from audiogen.data.datasets import folder_of_files as plain
from audiogen.data.datasets.checksums import KNOWN
from audiogen.data.recordings import SplitFractions
from audiogen.errors import InputError
from audiogen.training.tunes.tune_data_module import readable
from audiogen.tunes.midi.writer import write_midi
from tests.tune_fixtures import wandering

REPOSITORY = Path(__file__).parents[2]
SHARED = REPOSITORY.parent / "shared" / "data" / "midi"


@pytest.fixture(scope="module")
def make() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fixtures", REPOSITORY / "tools" / "make_dataset_fixtures.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_maestro_keeps_the_official_split_and_pairs_audio(make: ModuleType, tmp_path: Path) -> None:
    make.make_maestro(tmp_path)
    items = maestro(tmp_path)
    assert Counter(item.split for item in items) == {"train": 6, "validation": 2, "test": 2}
    assert all(item.midi.with_suffix(".wav") == item.audio for item in items)
    assert items == maestro(tmp_path / "maestro-v3.0.0")
    tune = items[0].tune()
    assert len(tune.notes) > 5
    assert len(tune.pedals) > 0


def test_maestro_without_audio_is_the_midi_archive(make: ModuleType, tmp_path: Path) -> None:
    make.make_maestro(tmp_path, audio=False)
    assert {item.audio for item in maestro(tmp_path)} == {None}


def test_maestro_names_missing_files(make: ModuleType, tmp_path: Path) -> None:
    root = make.make_maestro(tmp_path)
    gone = sorted(root.rglob("*.wav"))[0]
    gone.unlink()
    with pytest.raises(InputError, match=rf"1 of 10 files are missing: .*{gone.stem}"):
        maestro(tmp_path)
    (root / "maestro-v3.0.0.csv").write_text("canonical_composer,split\nBach,train\n")
    with pytest.raises(InputError, match="no column midi_filename, audio_filename"):
        maestro(tmp_path)


def test_maestro_refuses_a_truncated_row(make: ModuleType, tmp_path: Path) -> None:
    root = make.make_maestro(tmp_path)
    table = root / "maestro-v3.0.0.csv"
    table.write_text(table.read_text().rsplit(",", 3)[0])
    with pytest.raises(InputError, match="line 11 is truncated"):
        maestro(tmp_path)


def test_musicnet_pairs_labels_scores_and_audio(make: ModuleType, tmp_path: Path) -> None:
    make.make_musicnet(tmp_path)
    items = musicnet(tmp_path, SplitFractions(0.25, 0))
    assert Counter(item.split for item in items) == {"train": 6, "validation": 2, "test": 2}
    assert [item.name for item in items if item.split == "test"] == ["1759", "1819"]
    item = items[0]
    assert (item.audio.stem, item.labels.stem, item.midi.name) == ("1727", "1727", "1727_score.mid")


def test_musicnet_labels_are_in_samples_of_the_recording(make: ModuleType, tmp_path: Path) -> None:
    make.make_musicnet(tmp_path)
    tune = musicnet(tmp_path)[0].tune()
    assert tune.notes["start"][:3].tolist() == [0, 500, 1000]
    assert float(tune.seconds_at(44100)) == pytest.approx(1.0)
    assert {part.program for part in tune.parts} <= {40, 41, 42}  # labels count General MIDI from 1


def test_musicnet_names_missing_files(make: ModuleType, tmp_path: Path) -> None:
    root = make.make_musicnet(tmp_path)
    (root / "train_data" / "1728.wav").unlink()
    with pytest.raises(InputError, match=r"1 of 10 files are missing: train_data/1728.wav"):
        musicnet(tmp_path)
    shutil.rmtree(root / "test_labels")
    with pytest.raises(InputError, match="no labels in test_labels"):
        musicnet(tmp_path)


@pytest.mark.parametrize("row", ["0,900,1,x", "0,0,1,60", "0,900,1,128"])
def test_musicnet_refuses_impossible_notes(make: ModuleType, tmp_path: Path, row: str) -> None:
    root = make.make_musicnet(tmp_path)
    (root / "train_labels" / "1727.csv").write_text(f"start_time,end_time,instrument,note\n{row}\n")
    with pytest.raises(InputError, match=r"1727\.csv"):
        musicnet(tmp_path)[0].tune()


def test_nottingham_midi_excludes_melody_and_chords_alone(make: ModuleType, tmp_path: Path) -> None:
    make.make_nottingham(tmp_path)
    items = nottingham(tmp_path)
    assert sorted(item.name for item in items) == sorted(
        f"{name}{index}" for name in ("jigs", "morris") for index in range(1, 7)
    )
    assert {len(item.tune().parts) for item in items} == {2}


def test_nottingham_abc_is_read_tune_by_tune(make: ModuleType, tmp_path: Path) -> None:
    make.make_nottingham(tmp_path, midi=False)
    items = nottingham(tmp_path)
    assert len(items) == 12
    assert items[0].name == "ABC_cleaned/jigs/1 Jigs number 0"
    assert Counter(item.split for item in items) == {"train": 10, "validation": 1, "test": 1}
    tune = items[0].tune()
    melody = tune.notes[tune.notes["part"] == 0]
    assert melody["pitch"][:4].tolist() == [69, 74, 78, 74]  # A, then d f d in D major
    assert tune.meters.tolist() == [[0, 6, 8]]
    assert len(tune.parts) > 1  # the chord symbols play


def test_nottingham_official_split(make: ModuleType, tmp_path: Path) -> None:
    root = make.make_nottingham_split(tmp_path)
    items = nottingham(tmp_path)
    assert Counter(item.split for item in items) == {"train": 6, "validation": 2, "test": 2}
    shutil.rmtree(root / "valid")
    with pytest.raises(InputError, match="no MIDI file in valid"):
        nottingham(tmp_path)


def test_a_folder_pairs_files_by_name_and_splits_by_piece(make: ModuleType, tmp_path: Path) -> None:
    for index in range(8):
        make.write_tune(tmp_path / "a" / f"{index}.mid")
    make.write_wav(tmp_path / "a" / "3.wav")
    make.write_wav(tmp_path / "b" / "rain.wav")
    shutil.copy(tmp_path / "a" / "3.mid", tmp_path / "copy of 3.mid")
    (tmp_path / ".hidden.mid").write_bytes(b"")
    items = {item.name: item for item in plain(tmp_path, SplitFractions(0.2, 0.2))}
    assert len(items) == 10
    assert items["a/3"].audio is not None
    assert items["a/3"].split == items["copy of 3"].split
    assert items["b/rain"].tune() is None
    assert {item.split for item in items.values()} == {"train", "validation", "test"}


def test_splits_are_the_same_each_time_and_differ_by_seed(make: ModuleType, tmp_path: Path) -> None:
    for index in range(20):
        make.write_tune(tmp_path / f"{index}.mid")
    splits = [[item.split for item in plain(tmp_path, SplitFractions(0.2, 0.2), seed)] for seed in (0, 0, 1)]
    assert splits[0] == splits[1] != splits[2]


@pytest.mark.parametrize("name", sorted(DATASETS))
def test_an_empty_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=re.escape(str(tmp_path))):
        DATASETS[name](tmp_path, None, 0)
    with pytest.raises(InputError, match="no such folder"):
        DATASETS[name](tmp_path / "nowhere", None, 0)


def test_layouts_are_recognised(make: ModuleType, tmp_path: Path) -> None:
    made = {
        "maestro": make.make_maestro,
        "musicnet": make.make_musicnet,
        "nottingham": make.make_nottingham,
    }
    for name, maker in made.items():
        maker(tmp_path / name)
        assert guess(tmp_path / name) == name
    assert guess(tmp_path / "maestro" / "maestro-v3.0.0") == "maestro"
    assert guess(make.make_nottingham_split(tmp_path / "split")) == "nottingham"
    make.write_tune(tmp_path / "tunes" / "1.mid")
    assert guess(tmp_path / "tunes") == "folder"


def test_known_archives_are_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = tmp_path / "musicnet_midis.tar.gz"
    archive.write_bytes(b"cut short")
    with pytest.raises(InputError, match="md5"):
        verify(archive)
    monkeypatch.setitem(KNOWN, archive.name, ("md5", hashlib.md5(b"cut short").hexdigest()))
    assert verify(archive)
    assert not verify(tmp_path / "mine.zip")


def test_the_shared_tunes_split_by_tune() -> None:
    if not SHARED.is_dir():
        pytest.skip("the shared MIDI tunes are not beside this checkout")
    items = plain(SHARED)
    assert len({item.name for item in items}) == len(items) == 398
    parts = [{item.midi.read_bytes() for item in items if item.split == split} for split in ("train", "test")]
    assert not parts[0] & parts[1]
    lengths = [len(item.tune().notes) for item in items[::40]]
    assert np.min(lengths) > 10


@pytest.mark.parametrize("named", ["../x.midi", "/etc/passwd", "C:\\x.midi", "a\\..\\..\\x.midi", "link/x.midi"])
def test_maestro_stays_in_its_folder(make: ModuleType, tmp_path: Path, named: str) -> None:
    root = make.make_maestro(tmp_path)
    (tmp_path / "x.midi").write_bytes(b"MThd")
    (root / "link").symlink_to(tmp_path)
    table = root / "maestro-v3.0.0.csv"
    midi = next(root.rglob("*.midi")).relative_to(root).as_posix()
    table.write_text(table.read_text().replace(midi, named, 1))
    with pytest.raises(InputError, match="names a file outside of its folder"):
        maestro(tmp_path)


def test_tunes_that_cannot_be_read_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is wrong with one tune of a folder, the others are used."""
    for number in range(3):
        write_midi(tmp_path / f"{number}.mid", wandering(number, 20))
    (tmp_path / os.fsdecode(b"M\xfc.mid")).write_bytes((tmp_path / "0.mid").read_bytes())
    (tmp_path / "bad.mid").write_bytes(b"MThd" + bytes(40))
    (tmp_path / "loose.abc").write_text("X:1\nT:a\nK:C\nCDEF|\n")
    os.mkfifo(tmp_path / "pipe.mid")
    read_bytes = Path.read_bytes

    def denied(path: Path) -> bytes:
        if path.suffix == ".abc" or path.name == "1.mid":
            raise PermissionError(13, "Permission denied")
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", denied)
    with pytest.warns(AudioWarning) as said:
        found = [item.name for item, _ in readable(plain(tmp_path))]
    assert sorted(found) == ["0", "2", os.fsdecode(b"M\xfc")]
    texts = [str(warning.message) for warning in said]
    assert all(text.startswith("left out: ") for text in texts)
    assert [sum(name in text for text in texts) for name in ("loose.abc", "bad.mid", "1.mid")] == [1, 1, 1]
