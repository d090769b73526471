"""Evaluation: verdicts, JSON, CSV and errors."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from audiogen.audio import AudioWarning
from audiogen.errors import InputError
from audiogen.metrics.copying import RepetitionDetector
from audiogen.metrics.evaluation import evaluate
from audiogen.metrics.waveform_baselines import BASELINES, noise
from tests.metrics import signals
from tests.metrics.signals import RATE, impacts, modulated, recording


@pytest.fixture(scope="module")
def audio():
    """Prompt, its real continuation, and other audio of the same kind."""
    whole = modulated(30, 1, 1.5) + impacts(30, 2)
    return recording(whole[:, : 12 * RATE]), recording(whole[:, 12 * RATE : 18 * RATE]), whole[:, 18 * RATE :]


@pytest.fixture(scope="module")
def good(audio):
    prompt, held_out, other = audio
    return evaluate(recording(np.concatenate([prompt.samples, other], axis=1)), held_out, prompt)


def test_audio_of_the_same_kind_beats_the_baselines(good):
    assert good.output.overall == pytest.approx(1, abs=0.2)
    assert good.repeats(good.output) == []
    fair = [b for b in good.baselines if not good.repeats(b)]
    assert {b.name for b in fair} >= {"grains", "noise"}
    assert all(good.beats(b) for b in fair)
    assert good.verdicts()[-1] == f"beats {len(fair)} of the {len(fair)} baselines that do not repeat"


def test_baselines_that_repeat_are_shown_but_not_counted(good):
    loop = next(b for b in good.baselines if b.name == "loop")
    assert good.beats(loop) is None
    line = next(line for line in good.verdicts() if "loop" in line)
    assert line.startswith("not compared with loop: ")
    assert "repeats itself" in line


def test_the_join_is_found_after_the_prompt_or_given(audio, good):
    prompt, held_out, other = audio
    assert good.measures["seconds"] == other.shape[1] / RATE
    alone = evaluate(recording(other), held_out, prompt, baselines=())
    assert alone.measures["seconds"] == other.shape[1] / RATE
    assert alone.output == good.output
    given = evaluate(recording(other), held_out, prompt, join_sample=3 * RATE, baselines=())
    assert given.measures["seconds"] == other.shape[1] / RATE - 3


def test_each_sound_is_searched_once(audio, monkeypatch):
    prompt, held_out, other = audio
    searched = []
    for kind in ("copying", "looping"):
        search = getattr(RepetitionDetector, kind)

        def counted(self, tail, kind=kind, search=search):
            searched.append((kind, tail.length))
            return search(self, tail)

        monkeypatch.setattr(RepetitionDetector, kind, counted)
    evaluate(recording(other), held_out, prompt, baselines=())
    lengths = (other.shape[1], held_out.length)
    assert sorted(searched) == sorted((kind, length) for kind in ("copying", "looping") for length in lengths)


def test_a_reference_that_begins_with_the_prompt_is_cut(audio, good):
    prompt, held_out, other = audio
    whole = recording(np.concatenate([prompt.samples, held_out.samples], axis=1))
    assert evaluate(recording(other), whole, prompt, baselines=()).output == good.output


def test_verdict_of_a_tail_worse_than_a_baseline(audio):
    prompt, held_out, _ = audio
    found = evaluate(noise(prompt, 6, 5), held_out, prompt, baselines=["grains"])
    (grains,) = found.baselines
    assert found.beats(grains) is False
    assert any(line.startswith("does not beat grains: ") for line in found.verdicts())


def test_verdict_on_real_audio_that_repeats_its_samples(audio, good):
    assert good.repeat is not None
    assert not good.repeat.repeats
    prompt, _, other = audio
    again = recording(prompt.samples[:, 2 * RATE : 8 * RATE])
    found = evaluate(recording(other), again, prompt, baselines=())
    assert any("repeats the prompt's samples, 10.00 s later (correlation 1.00)" in line for line in found.verdicts())
    assert found.as_dict()["real_repeat"]["correlation"] == pytest.approx(1, abs=1e-6)


def test_copying_and_looping_come_first(audio):
    prompt, held_out, _ = audio
    found = evaluate(BASELINES["loop"](prompt, 12, 0), held_out, prompt, baselines=())
    first, second = found.verdicts()[:2]
    assert first.startswith("copies the prompt (")
    assert second.startswith("repeats itself (")
    assert "real audio: " in first
    assert len(found.marks["copied"]) > 20
    time, position, similarity = found.marks["copied"][3]
    assert 0 <= time < 12
    assert 6 <= position < 12
    assert similarity > 0.5


def test_without_a_prompt_the_reference_is_the_source(audio):
    _, held_out, other = audio
    found = evaluate(recording(other), held_out, baselines=["grains", "noise"])
    assert found.measures["join"] is None
    assert found.measures["texture"]["against"] == "prompt"
    assert found.real.copied is None
    assert [b.name for b in found.baselines] == ["grains", "noise"]


def test_rates_are_matched_but_channels_must_be_equal(audio):
    prompt, held_out, other = audio
    with pytest.warns(
        AudioWarning, match="its sample rate is 22050 Hz, that of the output 16000 Hz; textures are compared up to 7200"
    ):
        found = evaluate(recording(other), held_out.resampled(22050), prompt.resampled(22050), baselines=())
    assert found.output.overall == pytest.approx(1, abs=0.25)
    with pytest.raises(InputError, match="2 channels, the output 1"):
        evaluate(recording(other), recording(signals.noise(4, 1, channels=2)), prompt)
    with pytest.raises(InputError, match="choose from loop, grains"):
        evaluate(recording(other), held_out, prompt, baselines=["markov"])
    with pytest.raises(InputError, match="ends where"):
        evaluate(prompt, held_out, prompt, join_sample=prompt.length)


def test_short_sounds_are_evaluated_as_far_as_possible():
    sounds = (recording(signals.noise(seconds, seed)) for seconds, seed in ((0.3, 1), (0.6, 2), (0.8, 3)))
    with pytest.warns(AudioWarning, match=r"the output: 0\.30 s of continuation are too short for most measures; give"):
        found = evaluate(*sounds)
    assert found.output.overall is None
    assert "too short" in " ".join(found.verdicts())
    json.dumps(found.as_dict(), allow_nan=False)


def test_a_prompt_of_one_sample_is_refused():
    sound = recording(signals.noise(1, 1))
    with pytest.raises(InputError, match="single sample"):
        evaluate(sound, recording(signals.noise(1, 2)), sound.cut(0, 1))


def test_json_and_csv_files(good, tmp_path):
    good.write(tmp_path)
    tree = json.loads((tmp_path / "evaluation.json").read_text(encoding="utf-8"))
    assert tree == good.as_dict()
    assert tree["distances"]["kernel"]["caveat"]
    with (tmp_path / "evaluation.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["candidate"] for row in rows] == ["output", "real", *BASELINES]
    assert float(rows[0]["overall"]) == pytest.approx(good.output.overall)
    assert good.table().count("\n") == len(rows) + 1
    assert "| output | " in good.table()
