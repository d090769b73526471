"""`audiogen evaluate`: the table, the verdicts, where the join is found, and what is refused."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from audiogen.__main__ import main
from audiogen.audio import AudioWarning, Recording, read, write
from audiogen.cli.evaluate import evaluate
from audiogen.errors import InputError
from audiogen.experiment import Experiment
from audiogen.metrics.waveform_baselines import BASELINES, noise
from audiogen.sound.control_predictors import CONTROLS
from audiogen.training.trainer import train
from tests.metrics.signals import RATE, impacts, modulated, recording


def invoke(*arguments: object) -> str:
    result = CliRunner().invoke(evaluate, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prompt, its real continuation, another continuation with the prompt, and shaped noise without it."""
    folder = tmp_path_factory.mktemp("evaluate")
    whole = modulated(18, 1, 1.5) + impacts(18, 2)
    prompt, real, other = (recording(part) for part in np.split(whole, [8 * RATE, 13 * RATE], axis=1))
    tails = {"good": np.concatenate([prompt.samples, other.samples], axis=1), "noise": noise(prompt, 4, 3).samples}
    for name, samples in {"prompt": prompt.samples, "real": real.samples, **tails}.items():
        write(folder / f"{name}.wav", Recording(samples, RATE), "FLOAT")
    return folder


@pytest.fixture(scope="module")
def report(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """What is printed of the good continuation, and the folder of its report."""
    out = tmp_path_factory.mktemp("report")
    good, real, prompt = (folder / f"{name}.wav" for name in ("good", "real", "prompt"))
    return invoke(good, "--reference", real, "--prompt", prompt, "-o", out), out


def cells(text: str, name: str) -> list[str]:
    return next(line for line in text.splitlines() if line.startswith(name)).split()[1:]


@pytest.mark.parametrize(("model", "known"), [("{kind: hmm, states: 4}", True), ("{kind: gan}", False)])
def test_what_the_model_draws_and_how_likely_it_finds_each_stand_beside(
    folder: Path, tmp_path: Path, tiny: Callable[..., Experiment], model: str, known: bool
) -> None:
    real, prompt, raw = (folder / f"{name}.wav" for name in ("real", "prompt", "noise"))
    train(tiny(f"model={model}", "training.steps=2"), read(prompt)).save(tmp_path / "run")
    good = folder / "good.wav"
    text = invoke(
        good, "--reference", real, "--prompt", prompt, "--raw", raw, "--run", tmp_path / "run", "-o", tmp_path / "o"
    )
    assert cells(text, " ")[:2] == ["raw", "real"]
    assert "as its Model draws it (raw): texture" in text
    assert (f"{tmp_path / 'run'}: its model (gan) has no likelihood" in text) != known
    assert ("log likelihood under its Model, nats per latent coordinate: output" in text) == known
    found = json.loads((tmp_path / "o" / "evaluation.json").read_text())["candidates"]
    assert [each["candidate"] for each in found][:3] == ["output", "raw", "real"]
    assert all(("likelihood" in each) == known for each in found[:3])
    if known:
        assert len({each["likelihood"] for each in found[:3]}) == 3
    assert "as the Model draws it" in (tmp_path / "o" / "report.html").read_text()


def test_the_table_and_the_verdicts(folder: Path, report: tuple[str, Path]) -> None:
    text, out = report
    assert text.splitlines()[0].startswith(f"{folder / 'good.wav'}: 5.00 s compared with ")
    assert cells(text, " ") == ["real", *BASELINES, *CONTROLS]
    assert float(cells(text, "overall")[0]) == pytest.approx(1, abs=0.35)
    assert cells(text, "copied")[0] == "0%"
    assert int(cells(text, "copied")[2].rstrip("%")) > 80  # of the loop
    for label in ("Spectral change at the join", "Level drift", "Silence"):
        assert label in text
    assert "beats noise: " in text
    assert "not compared with loop: " in text
    lines = text.splitlines()[:-3]
    assert lines[-1].startswith("beats ")
    assert text.splitlines()[-3:] == [
        "",
        f"report: {out / 'report.html'}",
        f"blind test: {out / 'blind.html'}",
    ]
    tree = json.loads((out / "evaluation.json").read_text("utf-8"))
    assert tree["verdicts"] == lines[-len(tree["verdicts"]) :]
    with (out / "evaluation.csv").open(encoding="utf-8") as file:
        assert [row["candidate"] for row in csv.DictReader(file)] == ["output", "real", *BASELINES, *CONTROLS]


def test_a_worse_model_gets_a_worse_verdict(folder: Path) -> None:
    text = invoke(
        folder / "noise.wav", "--reference", folder / "real.wav", "--prompt", folder / "prompt.wav", "--seed", 1
    )
    assert "does not beat grains: " in text
    assert float(cells(text, "overall")[0]) > 1.5


def test_the_join_is_read_from_the_sidecar(folder: Path, tmp_path: Path, report: tuple[str, Path]) -> None:
    out = tmp_path / "good.wav"
    out.write_bytes((folder / "good.wav").read_bytes())
    out.with_suffix(".json").write_text(json.dumps({"join_sample": 8 * RATE}))
    beside = invoke(out, "--reference", folder / "real.wav")
    given = report[0].splitlines()[1:-3]  # without the paths of the report
    assert beside.splitlines()[1:] == given


@pytest.mark.parametrize("content", ["{}", "not JSON", "[]", '{"join_sample": "8"}', '{"join_sample": -1}'])
def test_a_sidecar_without_a_join_is_refused(folder: Path, tmp_path: Path, content: str) -> None:
    out = tmp_path / "good.wav"
    out.write_bytes((folder / "noise.wav").read_bytes())
    out.with_suffix(".json").write_text(content)
    with pytest.raises(InputError, match=r"good\.json"):
        invoke(out, "--reference", folder / "real.wav")


def test_the_prompt_as_reference_is_warned_of(folder: Path) -> None:
    with pytest.warns(AudioWarning, match=r"prompt\.wav: it is the prompt itself"):
        invoke(folder / "noise.wav", "--reference", folder / "prompt.wav", "--prompt", folder / "prompt.wav")


def test_a_report_is_not_overwritten(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "evaluation.json").write_text("mine")
    with pytest.raises(InputError, match="--force"):
        invoke(folder / "good.wav", "--reference", folder / "real.wav", "-o", tmp_path)
    assert (tmp_path / "evaluation.json").read_text() == "mine"


def test_an_error_is_one_line_and_exit_code_2(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(folder / "stereo.wav", Recording(np.zeros((2, RATE), "f4"), RATE), "PCM_16")
    for reference in ("missing.wav", "stereo.wav"):
        arguments = ["audiogen", "evaluate", str(folder / "good.wav"), "--reference", str(folder / reference)]
        monkeypatch.setattr("sys.argv", arguments)
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        assert ended.value.code == 2
        assert captured.out == ""
        assert captured.err.count("\n") == 1
        assert captured.err.startswith("audiogen: error: ")


@pytest.mark.parametrize("name", ["real", "prompt"])
def test_a_file_compared_with_itself_is_refused(folder: Path, name: str) -> None:
    path = folder / f"{name}.wav"
    with pytest.raises(
        InputError, match=rf"{name}\.wav: it is also the {'reference' if name == 'real' else 'prompt'}; "
    ):
        invoke(path, "--reference", folder / "real.wav", "--prompt", folder / "prompt.wav")


def test_a_copy_of_the_reference_is_refused_and_too_short_an_output_warned_of(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "copy.wav").write_bytes((folder / "real.wav").read_bytes())
    with pytest.raises(InputError, match=r"real\.wav: it is the output itself; "):
        invoke(tmp_path / "copy.wav", "--reference", folder / "real.wav", "--prompt", folder / "prompt.wav")
    write(tmp_path / "short.wav", recording(modulated(0.7, 5, 1.5)), "FLOAT")
    with pytest.warns(
        AudioWarning, match=r"short\.wav: 0\.70 s of continuation are too short for most measures; give 1 s"
    ):
        text = invoke(tmp_path / "short.wav", "--reference", folder / "real.wav", "--prompt", folder / "prompt.wav")
    assert text.startswith(f"{tmp_path / 'short.wav'}: 0.70 s compared with ")


def test_a_wrong_reference_gets_no_verdict(folder: Path, tmp_path: Path) -> None:
    write(tmp_path / "hiss.wav", recording(np.random.default_rng(1).standard_normal((1, 6 * RATE)) * 0.05), "FLOAT")
    with pytest.warns(AudioWarning, match=r"hiss\.wav: it is not the prompt's kind of sound: "):
        text = invoke(folder / "good.wav", "--reference", tmp_path / "hiss.wav", "--prompt", folder / "prompt.wav")
    assert "as close as another real segment" not in text
    assert "beats " not in text
    assert text.splitlines()[-1].startswith(
        "not comparable with the baselines: of the real audio, it is not the prompt's"
    )
    assert float(cells(text, "overall")[0]) > 1.5
