"""Rows of job files, and their validation before anything is rendered."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from audiogen.audio import Recording, write
from audiogen.errors import InputError
from audiogen.jobs.batch.clips import RowValidator
from audiogen.jobs.batch.rows import read_rows


def jobs_of(folder: Path, rows: list[dict[str, Any]]) -> Path:
    path = folder / "jobs.yaml"
    path.write_text(yaml.safe_dump(rows))
    return path


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    """A folder with two prompts, a file that is not audio, a configuration, and files named like those of a Run."""
    for channels, name in ((1, "a.wav"), (3, "wide.wav")):
        write(tmp_path / name, Recording(np.full((channels, 100), 0.1, "f4"), 22050))
    (tmp_path / "bad.wav").write_text("no audio")
    (tmp_path / "tiny.yaml").write_text("training: {steps: 3}")
    (tmp_path / "run").mkdir()
    for name in ("config.yaml", "model.safetensors", "statistics.safetensors"):
        (tmp_path / "run" / name).write_text("read when the Run is opened")
    return tmp_path


def test_all_formats_are_equivalent(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('prompt, seconds,loop,name\n"b, c.wav",2.5,yes,x\nd.wav,,,\n\n')
    lines = ['{"prompt": "b, c.wav", "seconds": 2.5, "loop": true, "name": "x"}', '{"prompt": "d.wav"}']
    (tmp_path / "a.jsonl").write_text("\n".join(lines) + "\n\n")
    (tmp_path / "a.yml").write_text("- {prompt: 'b, c.wav', seconds: 2.5, loop: true, name: x}\n- prompt: d.wav\n")
    for suffix in ("csv", "jsonl", "yml"):
        first, second = read_rows(tmp_path / f"a.{suffix}")
        assert (first.number, first.name, second.number, second.name) == (1, "x.wav", 2, "d-2.wav")
        assert second.values == {"prompt": "d.wav"}
        assert first.folder == tmp_path


def test_a_list_makes_a_row_of_each(tmp_path: Path) -> None:
    rows = read_rows(jobs_of(tmp_path, [{"prompt": ["a.wav", "b.wav"], "seed": [3, 4]}, {"prompt": "c.flac"}]))
    assert [(row.name, row.values.get("seed")) for row in rows] == [
        ("a-1.wav", 3),
        ("a-2.wav", 4),
        ("b-3.wav", 3),
        ("b-4.wav", 4),
        ("c-5.wav", None),
    ]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "a.csv",
            "prompt,second\na.wav,1\n",
            r"column 'second'.*did you mean seconds\? choose from name, prompt",
        ),
        ("a.csv", "prompt,seed\na.wav,1,2\n", "column '.beyond the last.'"),
        ("a.csv", "prompt,seed\n", "it has no rows"),
        ("a.csv", "prompt,name\na.wav,x\nb.wav,\nc.wav,X.flac\n", "rows 1, 3 share the name x"),
        ("a.jsonl", '{"prompt": "a.wav"\n', "not valid JSONL"),
        ("a.jsonl", "[1, 2]\n", "a row must map columns to values"),
        ("a.yaml", "prompt: a.wav\n", "it must be a list of rows"),
        ("a.yaml", "- {prompt: a.wav, 5: x}\n", "column 5"),
        ("a.yaml", "- [", "not valid YAML"),
        ("a.txt", "", "unknown suffix '.txt'; choose from .csv"),
        ("none.csv", None, "cannot be read"),
    ],
)
def test_an_unusable_job_file_is_one_clear_error(tmp_path: Path, name: str, text: str | None, message: str) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=message):
        read_rows(tmp_path / name)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "prompt: it is missing"),
        ({"prompt": "none.wav"}, "no such file"),
        ({"prompt": "bad.wav"}, "bad.wav: "),
        ({"prompt": "a.wav", "seconds": "long"}, "seconds.*'long'"),
        ({"prompt": "a.wav", "seconds": "4:5"}, "^seconds: a duration is written as .*, not '4:5'"),
        ({"prompt": "a.wav", "temperature": -1}, "temperature"),
        ({"prompt": "a.wav", "vocoder": "x"}, "vocoder x.*choose from"),
        ({"prompt": "a.wav", "name": "x.mp3", "subtype": "FLOAT"}, "cannot have subtype FLOAT"),
        ({"prompt": "a.wav", "name": "../x"}, "no folders"),
        ({"prompt": "a.wav", "run": "."}, "not a Run: config.yaml is missing"),
        ({"prompt": "a.wav", "run": "run", "config": "tiny.yaml"}, "already trained"),
        ({"prompt": "a.wav", "config": "none.yaml"}, "there is no such file, and no shipped"),
        ({"prompt": "a.wav", "level": 41}, "level: 41 is out of range"),
        ({"prompt": "a.wav", "morph": "bad.wav"}, "bad.wav: "),
        ({"prompt": "a.wav", "morph": "wide.wav", "loop": True}, "morph: .*cannot loop"),
        ({"prompt": "a.wav", "run": "run; ."}, "not a Run: config.yaml is missing"),
        ({"prompt": "a.wav", "run": "run", "weights": 1}, "weights: .*several Runs only"),
        ({"prompt": "a.wav", "run": "run;run", "weights": "1; x"}, "weights: .*'x'.*separated by ;"),
        ({"prompt": "a.wav", "run": "run;run", "weights": "1;2;3"}, "weights: 3 weights for 2 Runs"),
    ],
)
def test_an_invalid_value_is_found_before_anything_starts(inputs: Path, values: dict[str, Any], message: str) -> None:
    (row,) = read_rows(jobs_of(inputs, [values]))
    with pytest.raises(InputError, match=message):
        RowValidator().clip(row)


def test_clock_times_in_every_format(inputs: Path) -> None:
    (inputs / "a.csv").write_text("prompt,seconds\na.wav,4:00\na.wav,1:02:03.5\na.wav,0:30\na.wav,30.5\n")
    rows = [{"prompt": "a.wav", "seconds": written} for written in ("4:00", "1:02:03.5", "0:30", 30.5)]
    (inputs / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    # Unquoted, the first two are numbers of base 60 to YAML already.
    (inputs / "a.yaml").write_text("- {prompt: a.wav, seconds: [4:00, 1:02:03.5, 0:30, 30.5]}\n")
    for name in ("a.csv", "a.jsonl", "a.yaml"):
        seconds = [RowValidator().clip(row).request.seconds for row in read_rows(inputs / name)]
        assert seconds == [240, 3723.5, 30, 30.5]


def test_the_digest_covers_prompt_run_and_request(inputs: Path, tmp_path: Path) -> None:
    rows = [
        {"prompt": "a.wav", "run": "run"},
        {"prompt": "a.wav"},
        {"prompt": "a.wav", "config": "tiny.yaml"},
    ]
    rows += [{"prompt": "wide.wav"}, {"prompt": "a.wav", "seed": 1}, {"prompt": "a.wav", "name": "same"}]
    digests = [RowValidator().clip(row).digest for row in read_rows(jobs_of(inputs, rows))]
    assert len(set(digests)) == 5
    assert digests[1] == digests[5]


@pytest.mark.parametrize(("listed", "stored"), [("NFD", "NFC"), ("NFC", "NFD")])
def test_accents_of_another_unicode_form_name_the_file_that_there_is(inputs: Path, listed: str, stored: str) -> None:
    (inputs / unicodedata.normalize(stored, "Über.wav")).write_bytes((inputs / "a.wav").read_bytes())
    (row,) = read_rows(jobs_of(inputs, [{"prompt": unicodedata.normalize(listed, "Über.wav")}]))
    assert RowValidator().clip(row).prompt.exists()


def test_the_label_of_a_row_is_one_line(inputs: Path) -> None:
    (row,) = read_rows(jobs_of(inputs, [{"prompt": "a.wav", "name": "two\nlines"}]))
    assert row.label == "row 1 (two\\nlines)"


def test_a_shipped_configuration_is_found_by_its_name(inputs: Path) -> None:
    (clip,) = [
        RowValidator().clip(row) for row in read_rows(jobs_of(inputs, [{"prompt": "a.wav", "config": "mel/hmm"}]))
    ]
    assert clip.experiment is not None
    assert clip.experiment.model.kind == "hmm"


def test_the_digest_covers_morph_runs_and_weights(inputs: Path) -> None:
    two = {"prompt": "a.wav", "run": "run; run"}
    rows = [{"prompt": "a.wav"}, {"prompt": "a.wav", "morph": "wide.wav"}, {"prompt": "a.wav", "run": "run"}, two]
    rows += [{**two, "weights": "1; 2"}, {**two, "weights": "1;2.0", "name": "same"}, {**two, "brightness": 1}]
    clips = [RowValidator().clip(row) for row in read_rows(jobs_of(inputs, rows))]
    assert len({clip.digest for clip in clips}) == 6
    assert clips[4].digest == clips[5].digest
    assert clips[5].runs == (inputs / "run", inputs / "run")
    assert clips[5].weights == (1.0, 2.0)
    assert clips[1].morph == inputs / "wide.wav"
