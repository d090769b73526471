"""File names: which can be created, which lead out of a folder, and how undecodable ones are printed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from audiogen.errors import InputError
from audiogen.file_names import is_inside, printable, representable, require_name, shortened
from audiogen.text_files import dump_json, write_text

LATIN = os.fsdecode(b"M\xfcnchen")


def test_bytes_that_are_not_utf8_are_written_as_text(tmp_path: Path):
    assert representable(f"{LATIN} é \ud800") == "M\\xfcnchen é \\ud800"
    assert json.loads(dump_json({LATIN: [LATIN]})) == {"M\\xfcnchen": ["M\\xfcnchen"]}
    write_text(tmp_path / LATIN, f"<p>{LATIN}")
    assert (tmp_path / LATIN).read_text("utf-8") == "<p>M\\xfcnchen"


def test_control_and_bidirectional_characters_do_not_reach_the_terminal():
    assert printable("a\x1b[2J\nb\x07\u202egpj.wav é") == "a\\x1b[2J\\nb\\x07\\u202egpj.wav é"


@pytest.mark.parametrize("letter", ["a", "é", "音"])
def test_a_name_has_at_most_the_length_that_the_file_system_allows(tmp_path: Path, letter: str):
    size = len(letter.encode())
    fits = tmp_path / (letter * (250 // size) + ".wav")
    require_name(fits, ".json")
    fits.write_bytes(b"")
    with pytest.raises(InputError, match=r"has 25[67] bytes; the file system allows 255; choose a shorter name"):
        require_name(tmp_path / ("a" * 251 + ".wav"), ".json")  # by its sidecar alone
    with pytest.raises(InputError, match="choose a shorter name") as caught:
        require_name(tmp_path / (letter * 300 + ".wav"))
    assert len(str(caught.value)) < 400


def test_a_text_file_with_a_name_of_maximum_length_is_written(tmp_path: Path):
    write_text(tmp_path / ("a" * 250 + ".json"), "whole")
    assert [path.name for path in tmp_path.iterdir()] == ["a" * 250 + ".json"]


@pytest.mark.parametrize(
    "name", ["con.wav", "NUL", "com1.flac", "lpt².wav", "a:b.wav", "a?.wav", "a.", "a ", "a\x01.wav"]
)
def test_reserved_names_are_refused_on_windows(name: str):
    require_name(Path(name), windows=False)
    with pytest.raises(InputError, match=r"(Windows|windows)"):
        require_name(Path(name), windows=True)


def test_impossible_names(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(InputError, match="cannot contain a NUL"):
        require_name(Path("a\0b.wav"))
    with pytest.raises(InputError, match="encoding"):
        require_name(Path("a\ud800.wav"), windows=False)


@pytest.mark.parametrize(
    ("path", "inside"),
    [
        ("a.wav", True),
        ("sub/a..b.wav", True),
        ("../a.wav", False),
        ("sub/../../a.wav", False),
        ("sub\\..\\..\\a.wav", False),
        ("/etc/passwd", False),
        ("\\\\host\\share\\a.wav", False),
        ("C:\\a.wav", False),
        ("C:a.wav", False),
        ("a\0.wav", False),
    ],
)
def test_which_paths_stay_inside(path: str, inside: bool):
    assert is_inside(path) is inside


def test_a_stem_is_cut_between_characters():
    assert shortened("short", 100) == "short"
    assert shortened("é" * 100, 101) == "é" * 50
