"""Tunes, training, evaluation and vocoding from Python, and what `import audiogen` offers."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
import typing
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import audiogen
from audiogen import Experiment, InputError, Recording
from audiogen.config.shipped import find_config
from tests.tune_fixtures import melody, wandering

Texture = Callable[..., Recording]
RATE = 44100


@pytest.mark.filterwarnings("ignore::audiogen.AudioWarning")  # of how little a tune teaches
def test_a_tune_is_continued_in_memory_and_into_files(tmp_path: Path) -> None:
    prompt = wandering(1)
    in_memory = audiogen.continue_tune(prompt, bars=2, seed=4)
    assert in_memory.path is None
    assert in_memory.tune.end > in_memory.join_tick
    assert in_memory.tail.notes["start"].min() >= 0
    assert len(in_memory.tail.notes) + len(prompt.notes) == len(in_memory.tune.notes)
    audiogen.write_midi(str(tmp_path / "prompt.mid"), prompt)
    written = audiogen.continue_tune(tmp_path / "prompt.mid", tmp_path / "out.mid", bars=2, seed=4)
    np.testing.assert_array_equal(written.tune.notes, in_memory.tune.notes)
    assert json.loads((tmp_path / "out.json").read_text()) == written.as_dict() == json.loads(written.to_json())
    assert len(audiogen.read_midi(tmp_path / "out.mid").notes) == len(written.tune.notes)
    assert written.sidecar["prompt"] == str(tmp_path / "prompt.mid")
    audiogen.continue_tune(prompt, tmp_path / "same.mid", bars=2, seed=4)
    assert (tmp_path / "same.mid").read_bytes() == (tmp_path / "out.mid").read_bytes()
    assert json.loads((tmp_path / "same.json").read_text())["prompt"] is None


def test_what_a_tune_cannot_be_asked_for(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="takes: 0 is out of range"):
        audiogen.continue_tune(melody([60, 62, 64]), takes=0)
    with pytest.raises(InputError, match=r"nowhere\.mid"):
        audiogen.continue_tune(tmp_path / "nowhere.mid")


def test_a_training_by_an_experiment_or_a_name(
    texture: Texture, tiny: Callable[..., Experiment], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels: set[str] = set()
    audiogen.write(tmp_path / "sound.wav", texture(3.0))
    run = audiogen.train(
        tiny("training.steps=4"),
        tmp_path / "sound.wav",
        tmp_path / "run",
        progress=lambda done, total, label: labels.add(label),
    )
    assert "training" in labels
    assert run.path == tmp_path / "run"
    again = audiogen.Run.open(tmp_path / "run")
    tuned = audiogen.train(tiny("training.steps=2"), texture(3.0), base=tmp_path / "run")
    assert tuned.experiment.model == again.experiment.model
    assert audiogen.read_experiment("mel/gru-mixture") == audiogen.read_experiment(find_config("mel/gru-mixture"))
    assert audiogen.read_experiment("mel/gru-mixture", ["training.steps=7"]).training.steps == 7
    with pytest.raises(InputError, match="did you mean"):
        audiogen.train("mel/gru-mixtur", texture(3.0))


def test_an_evaluation_of_recordings_and_of_files(texture: Texture, tmp_path: Path) -> None:
    whole = texture(6.0)
    prompt, real = whole.cut(0, 2 * RATE), whole.cut(2 * RATE, 6 * RATE)
    found = audiogen.evaluate(texture(4.0, seed=2), real, prompt)
    assert found.output.name == "output"
    assert len(found.baselines) > 1
    for name, recording in (("tail", texture(4.0, seed=2)), ("real", real), ("prompt", prompt)):
        audiogen.write(tmp_path / f"{name}.wav", recording, "FLOAT")
    files = [tmp_path / f"{name}.wav" for name in ("tail", "real", "prompt")]
    assert audiogen.evaluate(*files).measures == found.measures


def test_vocoding_keeps_length_rate_channels_and_silent_channels(texture: Texture) -> None:
    recording = texture(1.0, channels=2, rate=22050)
    recording.samples[1] = 0
    out = audiogen.vocode(recording, vocoder="griffin_lim")
    assert (out.samples.shape, out.sample_rate) == (recording.samples.shape, 22050)
    assert not out.samples[1].any()
    assert audiogen.vocode(texture(1.0), source=texture(1.0, seed=3)).length == RATE
    with pytest.raises(InputError, match="choose from griffin_lim, source"):
        audiogen.vocode(recording, vocoder="none")


def test_every_public_name_is_there_and_declared_for_type_checkers() -> None:
    source = Path(audiogen.__file__).read_text(encoding="utf-8")
    for name in set(audiogen.__all__) - {"__version__"}:
        assert getattr(audiogen, name) is not None
        assert f"import {name} as {name}" in source
        assert name in dir(audiogen)
    with pytest.raises(AttributeError, match="nothing"):
        _ = audiogen.nothing


def test_no_public_function_takes_or_returns_just_anything() -> None:
    for name in audiogen.__all__:
        function = getattr(audiogen, name)
        if not inspect.isfunction(function):
            continue
        signature = inspect.signature(function)
        hints = typing.get_type_hints(function)
        assert all(parameter.kind is not parameter.VAR_KEYWORD for parameter in signature.parameters.values()), name
        assert set(hints) == {*signature.parameters, "return"}, name
        assert typing.Any not in hints.values(), name
        assert "Example:" in (function.__doc__ or "") or name in ("read", "write", "read_midi", "write_midi"), name


def test_importing_audiogen_loads_no_library() -> None:
    assert loaded("", "numpy", "torch", "click") == set()


def test_continuing_a_recording_imports_nothing_of_tunes_and_training() -> None:
    assert loaded("audiogen.stream", "audiogen.tunes", "audiogen.training", "audiogen.vocoders.published") == set()


def loaded(statement: str, *modules: str) -> set[str]:
    """Those of the modules that a statement imports after ``import audiogen``."""
    code = f"import sys, audiogen\n{statement}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(modules) & set(done.stdout.split())
