"""Finding recordings and splitting them."""

from __future__ import annotations

from pathlib import Path

import pytest

from audiogen.data.recordings import SplitFractions, find_recordings, split_recordings
from audiogen.errors import InputError

NAMES = [f"day {day}/take {take}.wav" for day in range(10) for take in range(10)]


def test_audio_files_are_found_in_a_fixed_order_and_hidden_ones_left_out(tmp_path: Path):
    for name in ("b.WAV", "a.mp3", "sub/c.Flac", ".hidden.wav", ".cache/d.wav", "notes.txt", "sub/x.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = [path.relative_to(tmp_path).as_posix() for path in find_recordings(tmp_path)]
    assert found == ["a.mp3", "b.WAV", "sub/c.Flac"]


def test_a_hidden_parent_hides_nothing(tmp_path: Path):
    folder = tmp_path / ".work" / "rain"
    folder.mkdir(parents=True)
    (folder / "a.wav").touch()
    assert len(find_recordings(folder)) == 1


def test_a_missing_folder_and_an_empty_one_are_named(tmp_path: Path):
    with pytest.raises(InputError, match=r"missing: there is no such folder"):
        find_recordings(tmp_path / "missing")
    with pytest.raises(InputError, match="there is no audio file in it"):
        find_recordings(tmp_path)


def count(parts: dict[str, str], part: str) -> int:
    return sum(found == part for found in parts.values())


def test_each_recording_is_in_one_split_of_the_given_size():
    parts = split_recordings(NAMES, SplitFractions(0.2, 0.1))
    assert list(parts) == NAMES
    assert [count(parts, part) for part in ("train", "validation", "test")] == [70, 20, 10]


def test_the_split_depends_on_names_and_seed_alone():
    parts = split_recordings(NAMES, SplitFractions())
    assert dict(split_recordings(NAMES[::-1], SplitFractions())) == dict(parts)
    other = split_recordings(NAMES, SplitFractions(), seed=1)
    assert sum(parts[name] != other[name] for name in NAMES) > 10


def test_adding_recordings_moves_few_others():
    parts = split_recordings(NAMES, SplitFractions())
    more = split_recordings([*NAMES, *(f"new {index}.wav" for index in range(10))], SplitFractions())
    assert sum(parts[name] != more[name] for name in NAMES) <= 6
    fewer = split_recordings(NAMES[1:], SplitFractions())
    assert sum(parts[name] != fewer[name] for name in NAMES[1:]) <= 3


@pytest.mark.parametrize(
    ("recordings", "expected"),
    [(0, (0, 0, 0)), (1, (1, 0, 0)), (2, (1, 1, 0)), (3, (1, 1, 1)), (4, (2, 1, 1))],
)
def test_few_recordings_train_first(recordings: int, expected: tuple[int, int, int]):
    parts = split_recordings(NAMES[:recordings], SplitFractions(0.1, 0.1))
    assert tuple(count(parts, part) for part in ("train", "validation", "test")) == expected


def test_fractions_of_zero_hold_out_nothing():
    assert set(split_recordings(NAMES, SplitFractions(0, 0)).values()) == {"train"}


def test_fractions_must_leave_some_to_train_on():
    with pytest.raises(ValueError, match="together below 1"):
        SplitFractions(0.5, 0.5)
