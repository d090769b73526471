"""ABC notation: text encodings, directives that are refused, and limits."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from audiogen.audio import AudioWarning
from audiogen.data.datasets import folder
from audiogen.data.datasets.folder import read_abc
from audiogen.errors import InputError
from audiogen.tunes import abc_notation
from audiogen.tunes.abc_notation import decode_abc, tune_from_abc

HEAD = "X:1\nT:One\nM:4/4\nL:1/4\nK:C\n"
TWO = HEAD + "CDEF|GABc|\n\n" + HEAD.replace("1\nT:One", "2\nT:Zweites Stück") + "cBAG|FEDC|\n"
CODINGS = {
    "UTF-8": TWO.encode(),
    "UTF-8 with mark": b"\xef\xbb\xbf" + TWO.encode(),
    "UTF-16 with mark": TWO.encode("utf-16"),
    "UTF-16 BE with mark": b"\xfe\xff" + TWO.encode("utf-16-be"),
    "UTF-16 LE": TWO.encode("utf-16-le"),
    "UTF-16 BE": TWO.encode("utf-16-be"),
    "UTF-32 with mark": TWO.encode("utf-32"),
    "joined files with marks": b"".join(b"\xef\xbb\xbf" + part for part in TWO.encode().split(b"\n\n")),
    "Windows line ends": b"\xef\xbb\xbf" + TWO.replace("\n", "\r\n").encode(),
    "old Macintosh line ends": TWO.replace("\n", "\r").encode(),
}


@pytest.mark.parametrize("coding", CODINGS)
def test_all_tunes_are_found_in_any_encoding(coding: str, tmp_path: Path) -> None:
    data = CODINGS[coding].replace(b"FX:", b"F\nX:").replace(b"c|\xef", b"c|\n\xef")
    (tmp_path / "tunes.abc").write_bytes(data)
    items = read_abc([tmp_path / "tunes.abc"], tmp_path, None, 0)
    assert [item.name for item in items] == ["tunes/1 One", "tunes/2 Zweites Stück"]
    assert [int(item.tune().notes["pitch"][0]) for item in items] == [60, 72]


def test_lines_that_are_not_utf_8_are_latin_1() -> None:
    assert decode_abc("X:1\nT:Stück\n".encode("latin1") + "C:Größe\n".encode()) == "X:1\nT:Stück\nC:Größe\n"


def test_invalid_utf_16_loses_one_character_only() -> None:
    assert decode_abc("\ufeffX:1\n".encode("utf-16-le") + b"\0\xd8") == "X:1\n\ufffd"


@pytest.mark.parametrize(
    "line",
    [
        "%%abc-include {}",
        " %%abc-include {}",
        "%%ABC-Include {}",
        "I:abc-include {}",
        "[I:abc-include {}]GGGG|",
        "%%MIDI ptstress {}",
        "I:MIDI ptstress {}",
        "[I:MIDI ptstress {}]GGGG|",
        "%%MIDIdef other ptstress {}",
    ],
)
def test_no_other_file_is_read(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "other.abc"
    other.write_text("cccc|cccc|\n")
    given: list[str] = []
    run = abc_notation._run

    def noted(command: list[str], made: Path) -> None:
        given.append(Path(command[1]).read_text())
        run(command, made)

    monkeypatch.setattr(abc_notation, "_run", noted)
    with pytest.warns(AudioWarning, match="tune: 1 lines that name other files"):
        tune = tune_from_abc(HEAD + line.format(other) + "\nCDEF|\n", "tune")
    assert tune.notes["pitch"].tolist() == [60, 62, 64, 65]
    assert str(other) not in given[0]


def test_output_size_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="long: 1048600 characters"):
        tune_from_abc("X" * 1_048_600, "long")
    with pytest.raises(InputError, match="quarter notes"):
        tune_from_abc(HEAD + "C99999999 D99999999|\n", "slow")
    monkeypatch.setattr(abc_notation, "MAX_BYTES", 100)
    with pytest.raises(InputError, match="repeats make it too long"):
        tune_from_abc(HEAD + "|:CDEF:|\n" * 20, "repeats")


@pytest.mark.parametrize("output", ["x" * 3000, ""], ids=["writes without end", "never ends"])
def test_a_program_that_does_not_end_is_killed(output: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(abc_notation, "MAX_BYTES", 2000)
    monkeypatch.setattr(abc_notation, "MAX_SECONDS", 1)
    made, began = tmp_path / "made", time.monotonic()
    command = ["sh", "-c", f"printf %s {output} > {made}; sleep 30 & wait"]
    try:
        abc_notation._run(command, made)
        assert output
    except abc_notation.subprocess.TimeoutExpired:
        assert not output
    assert time.monotonic() - began < 10


def test_huge_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "MAX_ABC_BYTES", 10)
    (tmp_path / "tunes.abc").write_text(TWO)
    with pytest.raises(InputError, match=r"tunes\.abc: 0 MiB of ABC notation are too many"):
        read_abc([tmp_path / "tunes.abc"], tmp_path, None, 0)
