"""`audiogen continue` on recordings, and `audiogen demo`: exit codes, streams, files."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from audiogen.audio import AudioWarning, Recording, info, read, write
from audiogen.experiment import Experiment
from audiogen.run import Run
from audiogen.training.trainer import train
from tests.cli.conftest import Shell

Tiny = Callable[..., Experiment]
Texture = Callable[..., Recording]


def quietly_read(path: Path) -> Recording:
    """Read a file that may exceed full scale, as its prompt does."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AudioWarning)
        return read(path)


@pytest.fixture
def prompt(tmp_path: Path, texture: Texture) -> Path:
    path = tmp_path / "prompt.wav"
    write(path, texture(2.5, channels=2, rate=22050), "PCM_16")
    return path


def test_prompt_and_tail(shell: Shell, prompt: Path, config: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.wav"
    code, output, errors = shell(
        "continue", prompt, "-o", out, "--seconds", 1.7, "--config", config, "training.steps=8"
    )
    assert (code, errors) == (0, "")
    assert str(out) in output
    before, after = read(prompt), read(out)
    assert (after.sample_rate, after.channels, after.subtype) == (22050, 2, "PCM_24")
    assert after.length == before.length + round(1.7 * 22050)
    assert np.array_equal(after.samples[:, : before.length], before.samples)
    sidecar = json.loads(out.with_suffix(".json").read_text())
    assert {"join_sample", "seed", "settings", "versions", "timings", "measures", "warnings"} <= sidecar.keys()
    assert sidecar["join_sample"] == before.length
    assert sidecar["settings"]["training"]["steps"] == 8


def test_same_seed_same_bytes_and_variations_differ(shell: Shell, prompt: Path, config: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        options = ("--seconds", 1, "--variations", 2, "--seed", 5, "--config", config)
        assert shell("continue", prompt, "-o", tmp_path / f"{name}.wav", *options)[0] == 0
    first, second = ([tmp_path / f"{name}-{number}.wav" for number in (1, 2)] for name in ("a", "b"))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    assert not np.array_equal(read(first[0]).samples, read(first[1]).samples)
    assert [json.loads(path.with_suffix(".json").read_text())["seed"] for path in first] == [5, 6]


def test_a_part_is_continued_as_if_it_were_a_file(shell: Shell, prompt: Path, tmp_path: Path) -> None:
    whole = read(prompt)
    part = tmp_path / "part.wav"
    write(part, whole.cut(11025, 44100), "PCM_16", exact=True)
    options = ("--seconds", 0.5, "--no-metadata")
    assert shell("continue", part, "-o", tmp_path / "a.wav", *options)[0] == 0
    assert shell("continue", prompt, "-o", tmp_path / "b.wav", "--from", 0.5, "--to", "0:02", *options)[0] == 0
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()
    assert json.loads((tmp_path / "b.json").read_text())["prompt_start"] == 11025
    for given, reason in ((("--from", 9), "nothing from 9 s"), (("--from", 2, "--to", 1), "nothing from 2 s to 1 s")):
        code, _, errors = shell("continue", prompt, "-o", tmp_path / "c.wav", *given)
        assert (code, errors.count("\n")) == (2, 1)
        assert reason in errors


def test_tail_only_loop_and_flac(shell: Shell, prompt: Path, tmp_path: Path, tiny: Tiny, texture: Texture) -> None:
    run = tmp_path / "run"
    train(tiny(), texture(2.5, channels=2, rate=22050)).save(run)
    out = tmp_path / "bed.flac"
    assert shell("continue", prompt, "-o", out, "--seconds", 2, "--tail-only", "--loop", "--run", run)[0] == 0
    assert (info(out).length, info(out).sample_rate) == (2 * 22050, 22050)
    sidecar = json.loads(out.with_suffix(".json").read_text())
    assert sidecar["join_sample"] == 0
    assert sidecar["measures"]["loop_seam"]["flux_percentile"] <= 100
    assert sidecar["measures"]["join"] is None, "the tail does not start where the prompt ends"


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("--seconds", "-3"), "seconds"),
        (("--temperature", "99"), "temperature"),
        (("--vocoder", "tape"), "choose from"),
        (("--run", "no-such-run"), "no-such-run"),
        (("--config", "no-such.yaml"), "no-such.yaml"),
        (("model.head=magic",), "choose"),
        (("training.stps=3",), "training.stps"),
        (("--subtype", "PCM_99"), "PCM_99"),
        (("--bogus",), "--bogus"),
    ],
)
def test_wrong_options_are_one_line(
    shell: Shell, prompt: Path, tmp_path: Path, arguments: tuple[str, ...], part: str
) -> None:
    code, output, errors = shell("continue", prompt, "-o", tmp_path / "out.wav", *arguments)
    assert (code, output) == (2, "")
    assert errors.count("\n") == 1
    assert errors.startswith("audiogen: error: ")
    assert part in errors
    assert sorted(path.name for path in tmp_path.iterdir()) == ["prompt.wav"]


def test_nothing_is_overwritten_unless_forced(shell: Shell, prompt: Path, config: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.wav"
    out.write_text("dear")
    code, _, errors = shell("continue", prompt, "-o", out, "--seconds", 1, "--config", config)
    assert code == 2
    assert "--force" in errors
    assert out.read_text() == "dear"
    assert shell("continue", prompt, "-o", out, "--seconds", 1, "--config", config, "--force")[0] == 0
    assert read(out).seconds == pytest.approx(3.5)


def test_missing_and_too_short_prompts(shell: Shell, tmp_path: Path) -> None:
    assert shell("continue", tmp_path / "none.wav", "-o", tmp_path / "out.wav")[0] == 2
    write(tmp_path / "short.wav", Recording(np.full((1, 900), 0.1, np.float32), 44100), "PCM_16")
    code, _, errors = shell("continue", tmp_path / "short.wav", "-o", tmp_path / "out.wav")
    assert code == 2
    assert "short.wav" in errors


def test_a_folder_inside_a_file_is_bad_input(shell: Shell, prompt: Path, config: Path) -> None:
    code, _, errors = shell("train", config, "--data", prompt, "-o", prompt / "run")
    assert code == 2
    assert "Not a directory; choose another location" in errors
    assert errors.count("\n") == 1


def test_silence_is_continued_by_silence(shell: Shell, tmp_path: Path) -> None:
    write(tmp_path / "silence.wav", Recording(np.zeros((1, 44100), np.float32), 44100), "PCM_16", exact=True)
    assert shell("continue", tmp_path / "silence.wav", "-o", tmp_path / "out.wav", "--seconds", 2)[0] == 0
    assert not read(tmp_path / "out.wav").samples.any()
    assert read(tmp_path / "out.wav").seconds == 3


@pytest.mark.filterwarnings("ignore::audiogen.audio.AudioWarning")  # of the untrained Model's tail
def test_demo(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, untrained: Callable[..., Run], texture: Texture
) -> None:
    calls = []

    def untrained_run(recording: Recording, *options: object) -> Run:
        calls.append((recording.path, options[:3]))  # without the clock
        return untrained(texture(2.0))

    monkeypatch.setattr("audiogen.jobs.continuer_choice.choose_run", untrained_run)  # which would train for a minute
    code, output, err = shell("demo", "-o", tmp_path / "demo", "--seconds", 1)
    assert code == 0, err
    assert [(path.name, options) for path, options in calls] == [("waterfall.ogg", (None, None, "auto"))]
    wav, page = (Path(line.split(": ", 1)[1].strip()) for line in output.splitlines()[-2:])
    prompt = quietly_read(Path(__file__).parents[2] / "data" / "waterfall.ogg")
    assert quietly_read(wav).length == prompt.length + prompt.sample_rate
    assert "full scale" not in err  # the recording is lossy, and overshoots by nature
    text = page.read_text()
    assert text.count("<audio") == 3
    assert "http://" not in text.replace("http://www.w3.org", "")


# Files that must be refused, according to the manifest.
UNUSABLE = {"zero_length.wav", "header_only.wav", "text_renamed.wav", "one_sample.wav", "half_window_500samples.wav"}
UNUSABLE |= {"all_nan_float32.wav"}


def test_difficult_files(shell: Shell, shared_data: Path, tmp_path: Path, config: Path) -> None:
    found = {}
    for path in sorted((shared_data / "corrupt").iterdir()):
        out = tmp_path / "out.wav"
        options = ("--seconds", 1, "--config", config, "training.steps=2", "--force")
        code, _, errors = shell("continue", path, "-o", out, *options)
        found[path.name] = code
        if code:
            assert code == 2, (path.name, errors)
            assert [line for line in errors.splitlines() if "error:" in line] == [errors.splitlines()[-1]]
            assert path.name in errors
            assert not out.exists()
        else:
            made = quietly_read(out)
            assert np.isfinite(made.samples).all(), path.name
            out.unlink()
    assert {name for name, code in found.items() if code} == UNUSABLE
