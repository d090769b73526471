"""Commands carry the metadata of recordings over to their outputs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from audiogen.audio import read_metadata
from tests.audio.metadata.wave_files import RATE, everything, write_wav
from tests.cli.conftest import Shell

LENGTH = RATE  # of digital silence, which is continued without a Model


@pytest.fixture
def prompt(tmp_path: Path) -> Path:
    return write_wav(tmp_path / "prompt.wav", np.zeros(LENGTH), *everything(LENGTH))


def test_continue_keeps_what_holds_and_marks_the_join(shell: Shell, prompt: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.wav"
    code, _, errors = shell("continue", prompt, "-o", out, "--seconds", 0.5)
    assert code == 0
    metadata = read_metadata(out)
    assert [(marker.position, marker.label) for marker in metadata.markers] == [
        (1000, b"door"),
        (LENGTH // 2, b"gust"),
        (LENGTH, b"join"),
    ]
    assert metadata.broadcast is not None
    assert metadata.broadcast.time_reference == 172_800_000
    assert metadata.broadcast.history.splitlines()[-1].startswith(b"A=PCM,F=48000,W=24,M=mono,T=audiogen ")
    assert "1 marker of the prompt" in errors
    assert any("minf" in text for text in json.loads((tmp_path / "out.json").read_text())["warnings"])


def test_a_tail_alone_starts_where_the_prompt_ends(shell: Shell, prompt: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.wav"
    assert shell("continue", prompt, "-o", out, "--seconds", 0.5, "--tail-only", "--loop")[0] == 0
    metadata = read_metadata(out)
    assert metadata.broadcast is not None
    assert metadata.broadcast.time_reference == 172_800_000 + LENGTH
    assert list(metadata.markers) == []
    assert metadata.sampler is not None
    assert metadata.sampler.loops == ((0, RATE // 2 - 1),)


def test_no_metadata_leaves_nothing_but_samples(shell: Shell, prompt: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.wav"
    code, _, errors = shell("continue", prompt, "-o", out, "--seconds", 0.5, "--no-metadata")
    assert (code, errors) == (0, "")
    assert out.stat().st_size == 44 + 36 + 3 * (LENGTH + RATE // 2)


def test_loops_of_several_lengths_each_with_a_sample_exact_loop(shell: Shell, prompt: Path, tmp_path: Path) -> None:
    options = ("--tail-only", "--loop-lengths", "0.5,0.25,1")
    code, output, _ = shell("continue", prompt, "-o", tmp_path / "bed.wav", *options)
    assert code == 0
    assert "bed-0.25s.wav: 0.25 s" in output
    for seconds in ("0.5", "0.25", "1"):
        metadata = read_metadata(tmp_path / f"bed-{seconds}s.wav")
        assert metadata.sampler is not None
        assert metadata.sampler.loops == ((0, round(float(seconds) * RATE) - 1),)
        assert json.loads((tmp_path / f"bed-{seconds}s.json").read_text())["settings"]["loop"] is True


@pytest.mark.parametrize("option", [("--seconds", 3), ("--variations", 2), ("--set",)])
def test_loop_lengths_alone_decide_how_many_files_there_are(
    shell: Shell, prompt: Path, tmp_path: Path, option: tuple[object, ...]
) -> None:
    code, _, errors = shell("continue", prompt, "-o", tmp_path / "bed.wav", "--loop-lengths", "1,2", *option)
    assert code == 2
    assert f"{option[0]} contradicts it" in errors


def test_takes_are_named_by_a_template(shell: Shell, prompt: Path, tmp_path: Path) -> None:
    options = ("--seconds", 0.1, "--variations", 2, "--template", "{prompt} {take:03}")
    assert shell("continue", prompt, "-o", tmp_path / "any.flac", *options)[0] == 0
    assert sorted(path.name for path in tmp_path.glob("*.flac")) == ["prompt 001.flac", "prompt 002.flac"]
    fields = [f"--field={field}" for field in ("CatID=RAINConc", "FXName=Roof", "CreatorID=AB", "SourceID=LIB")]
    assert shell("continue", prompt, "-o", tmp_path / "any.wav", "--seconds", 0.1, "--ucs", *fields)[0] == 0
    assert (tmp_path / "RAINConc_Roof_AB_LIB.wav").exists()
    fields.append("--field=UserData=wet")
    assert shell("continue", prompt, "-o", tmp_path / "any.wav", "--seconds", 0.1, "--ucs", *fields)[0] == 0
    assert (tmp_path / "RAINConc_Roof_AB_LIB_wet.wav").exists()


def test_two_outputs_of_one_stem_do_not_share_a_sidecar(shell: Shell, prompt: Path, tmp_path: Path) -> None:
    seconds = ("--seconds", 0.1)
    assert shell("continue", prompt, "-o", tmp_path / "out.wav", *seconds)[0] == 0
    assert shell("continue", prompt, "-o", tmp_path / "out.wav", *seconds, "--force")[0] == 0
    code, _, errors = shell("continue", prompt, "-o", tmp_path / "out.flac", *seconds, "--force")
    assert code == 2
    assert "out.json: it describes out.wav; choose another name than out.flac, or remove out.wav" in errors
    (tmp_path / "out.wav").unlink()
    assert shell("continue", prompt, "-o", tmp_path / "out.flac", *seconds, "--force")[0] == 0


def test_a_set_is_numbered_with_leading_zeros(shell: Shell, prompt: Path, tmp_path: Path) -> None:
    options = ("--seconds", 1, "--variations", 3, "--set")
    assert shell("continue", prompt, "-o", tmp_path / "set.wav", *options)[0] == 0
    assert sorted(path.name for path in tmp_path.glob("set*.wav")) == ["set-01.wav", "set-02.wav", "set-03.wav"]
    assert json.loads((tmp_path / "set-02.json").read_text())["join_sample"] == 0


def test_watch_continues_a_folder_and_reports_bad_files(shell: Shell, prompt: Path, tmp_path: Path) -> None:
    incoming, out = tmp_path / "in", tmp_path / "out"
    incoming.mkdir()
    out.mkdir()
    prompt.rename(incoming / "rain.wav")
    (incoming / "text.wav").write_text("no audio at all")
    (tmp_path / "short.yaml").write_text("seconds: 0.5\n")
    options = ("--preset", tmp_path / "short.yaml", "--interval", 0.05, "--once", "--budget", 0)
    code, output, errors = shell("watch", incoming, out, *options)
    assert code == 1
    assert "rain.wav: continues rain.wav" in output
    assert "text.wav: " in errors
    assert sorted(path.name for path in out.iterdir()) == ["rain.json", "rain.wav"]
    assert [marker.label for marker in read_metadata(out / "rain.wav").markers][-1] == b"join"
    (incoming / "text.wav").unlink()
    assert shell("watch", incoming, out, *options)[:2] == (0, f"watching {incoming}; Ctrl-C ends\n")


def test_fill_and_backward_as_commands(shell: Shell, prompt: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.wav"
    code, output, _ = shell("fill", prompt, "-o", out, "--from", 0.25, "--to", 0.5)
    assert (code, output) == (0, f"{out}: filled from 0.250 to 0.500 s; details in out.json\n")
    code, output, _ = shell("fill", prompt, "-o", out, "--from", 0.25, "--to", 0.5, "--gap-only", "--force")
    assert (code, output) == (0, f"{out}: fills from 0.250 to 0.500 s of {prompt.name}; details in out.json\n")
    code, output, _ = shell("fill", prompt, prompt, "-o", out, "--seconds", 0.5, "--gap-only", "--force")
    assert (code, output) == (0, f"{out}: fills the 0.500 s after {prompt.name}; details in out.json\n")
    assert shell("fill", prompt, prompt, "-o", out, "--seconds", 0.5, "--force")[0] == 0
    assert read_metadata(out).broadcast is not None
    code, output, _ = shell("continue", prompt, "-o", out, "--backward", "--seconds", 0.5, "--force")
    assert code == 0
    assert f"{out}: 1.50 s, 0.50 s of it new" in output
    assert json.loads((tmp_path / "out.json").read_text())["prompt_sample"] == RATE // 2


def test_a_loop_says_what_loops(shell: Shell, prompt: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.wav"
    code, output, _ = shell("continue", prompt, "-o", out, "--loop", "--seconds", 0.5)
    assert code == 0
    assert "0.50 s of it new; it loops as a whole (--tail-only: the new part alone); details" in output
    code, output, _ = shell("continue", prompt, "-o", out, "--loop", "--tail-only", "--seconds", 0.50001, "--force")
    assert code == 0
    assert f"{out}: 0.50 s, 0.50 s of it new, which loops; details" in output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--seconds", 1), "needs the segment"),
        (("--from", 0.2), "needs the segment"),
        (("AFTER",), "length of the gap"),
        (("AFTER", "--seconds", 1, "--from", 0.2), "length of the gap"),
        (("--from", 0.2, "--to", 7), "does not lie inside"),
    ],
)
def test_fill_explains_what_it_needs(
    shell: Shell, prompt: Path, tmp_path: Path, arguments: tuple[object, ...], words: str
) -> None:
    given = [prompt if word == "AFTER" else word for word in arguments]
    code, _, errors = shell("fill", prompt, *given, "-o", tmp_path / "out.wav")
    assert code == 2
    assert words in errors


def test_info_shows_metadata(shell: Shell, prompt: Path) -> None:
    _, output, _ = shell("info", prompt)
    lines = {name: value.strip() for name, _, value in (line.partition(":") for line in output.splitlines())}
    assert lines["time stamp"] == "01:00:00.000"
    assert lines["markers"] == "0.021 s door, 0.500 s gust, 1.000 s past the end"
    assert (lines["loops"], lines["title"]) == ("samples 100 to 2000", "Rain")
    assert lines["other chunks"] == "axml, chna, inst, iXML, minf"
    assert json.loads(shell("info", prompt, "--json")[1])["metadata"]["time_reference"] == 172_800_000
