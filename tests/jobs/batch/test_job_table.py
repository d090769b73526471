"""Dialects of job tables; ambiguous values are refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from audiogen.audio import AudioWarning
from audiogen.errors import InputError
from audiogen.jobs.batch.job_table import read_table
from audiogen.jobs.batch.rows import MAX_ROWS, read_rows

PLAIN = "prompt,seconds,temperature\nrain.wav,2.5,0.8\n"


@pytest.mark.parametrize(
    "content",
    [
        PLAIN.encode(),
        b"\xef\xbb\xbf" + PLAIN.encode(),
        PLAIN.replace("\n", "\r\n").encode(),
        PLAIN.replace("\n", "\r").encode(),
        PLAIN.encode("utf-16"),
        b"\xfe\xff" + PLAIN.encode("utf-16-be"),
        PLAIN.encode("utf-16-le"),
        PLAIN.encode("utf-32"),
        PLAIN.replace(",", "\t").encode("utf-16"),
        PLAIN.replace(",", ";").encode(),
        b"\xef\xbb\xbfprompt;seconds;temperature\r\nrain.wav;2,5;0,8\r\n",
        b"prompt\tseconds\ttemperature\r\nrain.wav\t2,5\t0,8\r\n",
        b'prompt,seconds,temperature\nrain.wav,"2,5","0,8"\n',
        b"prompt|seconds|temperature\nrain.wav|2.5|0.8\n",
        b"sep=,\r\n" + PLAIN.encode(),
        b'"sep=;"\r\n' + PLAIN.replace(",", ";").encode(),
        b"SEP=\t\r\n" + PLAIN.replace(",", "\t").encode(),
        b"sep=;,,\r\n" + PLAIN.encode(),  # the header decides
        b"# jobs.csv\n" + PLAIN.encode(),
        b'"# of today, and more",,\n,,\n\n' + PLAIN.encode(),
        b"prompt,seconds,temperature,,\nrain.wav,2.5,0.8,,\n",
        b",prompt,,seconds,temperature\n,rain.wav,,2.5,0.8\n",
        PLAIN.encode() + b",,\n\n , ,\n",
        b"prompt,seconds,temperature\nrain.wav,2.5,0.8,,,\n",
        b" Prompt , SECONDS,Temperature\n rain.wav , 2.5,0.8 \n",
        '\u00a0prompt,seconds\u00a0,temperature\nrain.wav\u00a0,2.5,"0.8 "\n'.encode(),
        b"Jobs for Monday\n" + PLAIN.encode(),
        b'"Jobs; all, of Monday",,\r\nMade by me,,\r\n' + PLAIN.replace("\n", "\r\n").encode(),
        b"Jobs;;\n\n" + PLAIN.replace(",", ";").encode(),
        b'"prompt\n",seconds,temperature\n"rain.wav",2.5,0.8\n',
    ],
)
def test_dialects_of_one_row(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    assert read_table(tmp_path / "a.csv") == [{"prompt": "rain.wav", "seconds": "2.5", "temperature": "0.8"}]


def test_a_minus_as_spreadsheets_set_it(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("prompt;level\nrain.wav;\N{MINUS SIGN}3,5\n", encoding="utf-8")
    assert read_table(tmp_path / "a.csv") == [{"prompt": "rain.wav", "level": "-3.5"}]


def test_a_tsv_is_a_table_too(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text(PLAIN.replace(",", "\t"))
    assert read_table(tmp_path / "a.tsv")[0]["seconds"] == "2.5"


def test_windows_1252_is_read_with_a_warning(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("prompt,name\nrain.wav,Straße – 1\n".encode("cp1252"))
    with pytest.warns(AudioWarning, match="read as Windows-1252"):
        assert read_table(tmp_path / "a.csv")[0]["name"] == "Straße – 1"
    (tmp_path / "b.csv").write_bytes(b"prompt,name\nrain.wav,\x81\n")
    with pytest.raises(InputError, match="neither Unicode nor Windows-1252; save it as UTF-8"):
        read_table(tmp_path / "b.csv")


def test_weights_and_clock_times_with_decimal_commas(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('prompt;weights;seconds\nrain.wav;"0,7; 0,3";1:02,5\n')
    assert read_table(tmp_path / "a.csv")[0] == {"prompt": "rain.wav", "weights": "0.7;0.3", "seconds": "1:02.5"}


def test_cells_keep_their_commas_lines_and_delimiters(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('prompt;name\n"a, b;c.wav";"one\ntwo"\n')
    assert read_table(tmp_path / "a.csv")[0] == {"prompt": "a, b;c.wav", "name": "one\ntwo"}


def test_columns_may_be_spelled_with_blanks_hyphens_and_capitals(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("Prompt,Tail Only,IMPOSE\na.wav,yes,no\n")
    assert read_table(tmp_path / "a.csv")[0] == {"prompt": "a.wav", "tail_only": "yes", "match_texture": "no"}
    (tmp_path / "a.jsonl").write_text('# a comment\n{"Prompt": "a.wav", "tail-only": true}\n')
    assert read_table(tmp_path / "a.jsonl")[0] == {"prompt": "a.wav", "tail_only": True}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", 'prompt,seconds\na.wav,1\nb.wav,"1,500"\n', r"row 2: seconds: 1,500 may mean 1\.5 or 1500"),
        ("a.csv", "prompt;seconds\na.wav;1.500\n", r"row 1: seconds: 1\.500 may mean 1\.5 or 1500"),
        ("a.csv", "prompt;seconds\na.wav;1.234,5\n", "row 1: seconds: .* thousands separators"),
        ("a.csv", 'prompt,seconds\na.wav,"1,234,567"\n', "row 1: seconds: .* thousands separators"),
        ("a.csv", "prompt,seconds,\na.wav,1,\nb.wav,1,x\n", r"column '\(without a name\)': row 2 has the value 'x'"),
        ("a.csv", "prompt,seconds\na.wav,1,x\n", r"column '\(beyond the last\)': row 1 has the value 'x'"),
        ("a.csv", "prompt,Prompt\na.wav,b.wav\n", "column prompt occurs twice"),
        ("a.jsonl", '{"prompt": "a.wav", "prompt": "b.wav"}\n', "prompt occurs twice"),
        ("a.jsonl", '{"prompt": "a.wav", "Prompt": "b.wav"}\n', "row 1: column prompt occurs twice"),
        ("a.yaml", "- {prompt: a.wav, prompt: b.wav}\n", "prompt occurs twice"),
        ("a.jsonl", '{"prompt": "a.wav", "name": false}\n', "row 1: name: False is not a valid value"),
        ("a.csv", "promt,seconds\nprompt,1\n", "column 'promt': there is no such column; did you mean prompt"),
        ("a.csv", "PK\x03\x04abc", "it is a workbook of a spreadsheet.*; export the sheet as CSV"),
        ("a.jsonl", '{"prompt": {"a": 1}}\n', "row 1: prompt: .* is not a valid value"),
        ("a.jsonl", "[" * 100_000, "it is not valid JSONL"),
        ("a.yaml", "[" * 1000, "it is not valid YAML .*nested more than"),
    ],
)
def test_ambiguous_values_are_refused_in_one_line(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        read_rows(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_yaml_keeps_text_as_written(tmp_path: Path) -> None:
    names = ["007", "no", "1e3", "12:30", "2024-01-01", "0x10", "1.50", "Off", "~x"]
    rows = "".join(f"- {{prompt: rain.wav, name: {name}, seconds: 4:00, loop: no, seed: 010}}\n" for name in names)
    (tmp_path / "a.yaml").write_text(rows)
    found = read_rows(tmp_path / "a.yaml")
    assert [row.name for row in found] == [f"{name}.wav" for name in names]
    assert {(row.values["seconds"], row.values["loop"], row.values["seed"]) for row in found} == {(240, False, "010")}
    (tmp_path / "b.yaml").write_text("- {prompt: [no, 08.wav], name: }\n")
    assert [row.name for row in read_rows(tmp_path / "b.yaml")] == ["no-1.wav", "08-2.wav"]
    (tmp_path / "c.jsonl").write_text('{"prompt": "a.wav", "name": 0}\n')
    assert read_rows(tmp_path / "c.jsonl")[0].name == "0.wav"


def test_yaml_merges_and_aliases_still_work(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("- &a {prompt: rain.wav, seconds: 2, name: no}\n- {<<: *a, name: 007}\n")
    assert [row.values for row in read_rows(tmp_path / "a.yaml")] == [
        {"prompt": "rain.wav", "seconds": 2, "name": "no"},
        {"prompt": "rain.wav", "seconds": 2, "name": "007"},
    ]


@pytest.mark.parametrize("suffix", ["yaml", "jsonl"])
def test_lists_are_bounded_before_they_are_multiplied(tmp_path: Path, suffix: str) -> None:
    many = list(range(1000))
    row = {"prompt": "a.wav", "seed": many, "seconds": many, "level": many, "temperature": many}
    (tmp_path / f"a.{suffix}").write_text(json.dumps([row] if suffix == "yaml" else row))
    with pytest.raises(InputError, match=rf"its lists make 1,000,000,000,000 rows; .* at most {MAX_ROWS:,}"):
        read_rows(tmp_path / f"a.{suffix}")


def test_an_alias_bomb_is_refused(tmp_path: Path) -> None:
    levels = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10))
    (tmp_path / "a.yaml").write_text(f"a0: &a0 [x, y]\n{levels}")
    with pytest.raises(InputError, match="more than 1,000,000 values"):
        read_rows(tmp_path / "a.yaml")


def test_a_file_that_is_too_large_or_a_pipe_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    monkeypatch.setattr("audiogen.jobs.batch.job_table.MAX_BYTES", 100)
    (tmp_path / "a.csv").write_text(PLAIN + "x" * 100)
    with pytest.raises(InputError, match="more than 100 bytes"):
        read_rows(tmp_path / "a.csv")
    os.mkfifo(tmp_path / "b.csv")
    with pytest.raises(InputError, match="not a regular file"):
        read_rows(tmp_path / "b.csv")
