"""`audiogen compare`: audio and MIDI on the same pieces, resumption after a kill, and the page."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from audiogen.audio import AudioWarning, read, write
from audiogen.cli.compare import beside_text, compare
from audiogen.errors import InputError
from audiogen.experiment import Experiment, dump_yaml, read_experiment
from audiogen.jobs.compare import candidates as comparing_candidates
from audiogen.jobs.compare import comparison as comparing
from audiogen.jobs.compare.candidates import BASELINES, CandidateTail, with_detected_notes
from audiogen.jobs.compare.pieces import Prompt, make_prompts, read_pieces
from audiogen.jobs.compare.summary import measure_tail, note_distance, raw_beside_finished, summarise
from audiogen.metrics.registry import open_metrics
from audiogen.metrics.tail_evaluator import TailEvaluator
from audiogen.reports.piano_rolls import WIDTH, draw_roll, piano_rolls
from audiogen.tunes.midi.reader import read_midi
from audiogen.tunes.midi.writer import write_midi
from audiogen.tunes.rendering import render
from audiogen.tunes.tune import Part, Tune
from tests.conftest import synthetic
from tests.training.test_tune_data_module import SMALL
from tests.tune_fixtures import melody, wandering

CONTROLLED = ("loop", "random-patches", "context-walk", "factor-oracle")
Tiny = Callable[..., Experiment]


@pytest.fixture
def tunes(tmp_path: Path) -> Path:
    folder = tmp_path / "tunes"
    folder.mkdir()
    for index in range(10):
        write_midi(folder / f"{index}.mid", wandering(index, 24))
    return folder


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(compare, [str(argument) for argument in arguments], catch_exceptions=False)


@pytest.fixture
def configs(tmp_path: Path, tiny: Tiny) -> list[Path]:
    for name, experiment in {"sound": tiny("training.steps=2"), "notes": read_experiment(None, SMALL)}.items():
        (tmp_path / f"{name}.yaml").write_text(dump_yaml(experiment))
    return [tmp_path / "sound.yaml", tmp_path / "notes.yaml"]


SHORT = ("--budget", 60, "--seeds", 2, "--prompts", 1, "--prompt-seconds", 3, "--seconds", 2, "--minutes", 0.3)


def test_audio_and_midi_configurations_are_compared(
    configs: list[Path], tunes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    out = tmp_path / "report"

    class Killed(Exception):
        pass

    def kill(self: object, done: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(comparing._Comparison, "baselines", kill)
        with pytest.raises(Killed):
            invoke(*configs, "--data", tunes, "-o", out, *SHORT)
    with (out / "rows.jsonl").open("a") as file:
        file.write('{"candidate": "half a li')
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.safetensors")}
    done = invoke(*configs, "--data", tunes, "-o", out, *SHORT)
    assert done.exit_code == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before  # nothing is trained twice
    found = json.loads((out / "results.json").read_text())
    assert [result["candidate"] for result in found["summary"]] == ["sound", "notes", *CONTROLLED, "repeat", "markov"]
    assert [result["domain"] for result in found["summary"]] == [
        *("sound", "notes", "sound", "sound", "sound", "sound", "notes", "notes")
    ]
    for result in found["summary"]:
        assert result["seeds"] == 2
        assert (result["nats_per_note"]["mean"] is not None) == (result["candidate"] in ("notes", "markov"))
        assert (result["parameters"]["mean"] is not None) == (result["candidate"] in ("sound", "notes"))
    rows = list(csv.DictReader((out / "results.csv").read_text().splitlines()))
    assert len(rows) == 8 * 2
    assert {row["prompt"] for row in rows} == {item.name for item in read_pieces(tunes).test}
    for row in rows:
        tail = read(out / "tails" / f"{row['candidate']}-{row['seed']}" / f"{row['prompt']}.wav")
        assert tail.seconds == pytest.approx(2.0)
    # No training uses a test piece.
    test = {item.name for item in read_pieces(tunes).test}
    for run in ("sound-0", "notes-1"):
        split = json.loads((out / "runs" / run / "metrics.json").read_text())["split"]
        assert not test & {Path(name).stem for name in split}
    page = (out / "index.html").read_text()
    assert page.count("<audio") == 2 + 8 + 1, "the Model of sound is heard raw as well"
    assert "As the Model draws it, and finished" in page
    assert page.count('class="roll"') >= 2 + 2  # the real ones, the repetition, the chain, and mostly the network
    assert not re.search(r"(?:src|href)=\"(?!data:)", page)  # self-contained
    with pytest.raises(InputError, match="another comparison"):
        invoke(*configs[:1], "--data", tunes, "-o", out, *SHORT)


def test_recordings_without_notes_are_compared_as_sound(configs: list[Path], tmp_path: Path):
    folder = tmp_path / "recordings"
    folder.mkdir()
    for index in range(4):
        write(folder / f"{index}.wav", synthetic(6.0, index), "PCM_16")
    short = (*SHORT[:3], 1, *SHORT[4:])
    with pytest.raises(InputError, match="no notes"):
        invoke(configs[1], "--data", folder, "-o", tmp_path / "a", *short)
    assert not (tmp_path / "a").exists(), "nothing is trained first, and the folder stays free for a better try"
    baseline = tmp_path / "mel" / "loop.yaml"
    baseline.parent.mkdir()
    baseline.write_text("model: {kind: loop}\nrepresentation: {latents: 8, patch: 4}\n")
    invoke(configs[0], baseline, "--data", folder, "-o", tmp_path / "b", *short)
    found = json.loads((tmp_path / "b" / "results.json").read_text())
    assert [result["candidate"] for result in found["summary"]] == ["sound", "mel-loop", *CONTROLLED]
    copied = {row["candidate"]: row["copied"] for row in found["rows"]}
    assert min(copied["mel-loop"], copied["loop"]) > 0.7 > copied["sound"]  # of its prompt, whatever it was trained on


def test_unsuitable_configurations_and_data_are_refused(configs: list[Path], tunes: Path, tmp_path: Path):
    with pytest.raises(InputError, match="two candidates would have this name"):
        invoke(configs[0], configs[0], "--data", tunes, "-o", tmp_path / "report")
    with pytest.raises(InputError, match="no test piece lasts"):
        invoke(configs[1], "--data", tunes, "-o", tmp_path / "report", "--seconds", 5000)
    assert not (tmp_path / "report").exists()
    earlier = tmp_path / "earlier" / "settings.json"
    earlier.parent.mkdir()
    earlier.write_text("{}")
    with pytest.raises(InputError, match="no test piece lasts"):
        invoke(configs[1], "--data", tunes, "-o", earlier.parent, "--seconds", 5000, "--force")
    assert earlier.read_text() == "{}", "what is to be replaced stays until there is something better"
    with pytest.raises(InputError, match="it exists and is not a comparison"):
        invoke(configs[1], "--data", tunes, "-o", tunes)


def test_prompt_and_real_continuation_make_up_the_piece(tunes: Path):
    [prompt] = make_prompts(read_pieces(tunes).test, 1, 3.0, 2.0)
    whole = read_midi(tunes / f"{prompt.name}.mid")
    sound = render(whole)
    joined = np.concatenate([prompt.sound.samples, prompt.real.samples], axis=1)
    assert np.array_equal(joined, sound.samples[:, : joined.shape[1]])
    assert prompt.tune is not None
    assert prompt.rest is not None
    assert float(whole.seconds_at(prompt.tune.end)) <= 3.01
    assert prompt.rest.notes["start"].min() >= prompt.tune.notes["start"].max()


def test_a_small_data_set_yields_the_requested_prompts(tunes: Path):
    few, many = read_pieces(tunes, 3), read_pieces(tunes, 9)
    assert (len(few.test), len(few.training)) == (3, 7)
    assert (len(many.test), len(many.training)) == (3, 7)  # most are for training
    with pytest.warns(AudioWarning, match="3 prompts instead of 9"):
        assert len(make_prompts(many.test, 9, 3.0, 2.0)) == 3


def test_piano_rolls_share_keys_and_time_axis():
    """Quarter notes at 120 bpm last 0.5 s: each takes an eighth of a picture of 4 s."""
    given = melody([60, 64], length=24)
    drawn = draw_roll(given, -1.0, 4.0, 58, 66)
    assert drawn.shape == (9, WIDTH)
    begun, end = (np.flatnonzero(drawn[2])[[0, -1]] + [0, 1]).tolist()
    assert (begun, end) == (WIDTH // 4 + 1, WIDTH // 4 + WIDTH // 8)
    assert not drawn[[0, 1, 3, 4, 5, 7, 8]].any()
    both = piano_rolls(
        {"low": (given, 0.0), "high": (given.transposed(12), 0.0), "none": (Tune(given.notes[:0], (), 24), 0.0)}, 4.0
    )
    assert set(both) == {"low", "high"}
    assert {(result["lowest"], result["highest"]) for result in both.values()} == {("B♭3", "F♯5")}


def test_the_repeat_baseline_repeats_the_second_half_of_the_bars():
    given = melody([60, 62, 64, 65, 67, 69, 71, 72])  # two bars
    sound = render(given).cut(0, 4 * 44100)
    made = BASELINES["repeat"](Prompt("a", sound, sound, given, given), 4.0, 0)
    assert made.tune is not None
    assert made.tune.notes["pitch"].tolist() == [67, 69, 71, 72] * 2
    assert made.tune.notes["start"].tolist() == [24 * index for index in range(8, 16)]
    assert made.sound.seconds == pytest.approx(4.0)


def test_single_voices_and_pianos_are_transcribed(monkeypatch: pytest.MonkeyPatch):
    line = melody([60, 62, 64, 65])
    sound = render(line).cut(0, 2 * 44100)
    found = with_detected_notes(CandidateTail(sound), Prompt("a", sound, sound, line, line))
    assert found.tune is not None
    assert set(found.tune.notes["pitch"].tolist()) >= {60, 62, 64}
    assert found.tune.notes["start"].min() >= line.end - 6  # behind the join
    both = wandering(0, 10, parts=2)
    flutes = replace(both, parts=(Part(73), Part(0)))
    monkeypatch.setattr(comparing_candidates, "can_transcribe_piano", lambda: False)
    assert with_detected_notes(CandidateTail(sound), Prompt("a", sound, sound, both, both)).tune is None
    monkeypatch.setattr(comparing_candidates, "can_transcribe_piano", lambda: True)
    monkeypatch.setattr(comparing_candidates, "transcribe_piano", lambda sound, clock, since: (clock, since))
    assert with_detected_notes(CandidateTail(sound), Prompt("a", sound, sound, both, both)).tune == (both, 2.0)
    assert with_detected_notes(CandidateTail(sound), Prompt("a", sound, sound, flutes, both)).tune is None
    assert with_detected_notes(CandidateTail(sound), Prompt("a", sound, sound)).tune is None
    predicted = CandidateTail(sound, line)
    assert with_detected_notes(predicted, Prompt("a", sound, sound, line, line)) is predicted


def test_the_loop_baseline_loops():
    whole = synthetic(20.0)
    prompt = Prompt("a", whole.cut(0, 12 * 44100), whole.cut(12 * 44100, 20 * 44100))
    evaluator = TailEvaluator(prompt.sound, prompt.real)
    looped = measure_tail(BASELINES["loop"](prompt, 8.0, 0), evaluator, None)
    assert looped["copied"] is not None
    assert looped["copied"] > 0.5
    assert looped["longest_run"] is None


def test_what_the_model_drew_is_measured_beside_the_finished_tail():
    whole = synthetic(20.0)
    prompt, real = whole.cut(0, 12 * 44100), whole.cut(12 * 44100, 20 * 44100)
    evaluator, metrics = TailEvaluator(prompt, real), open_metrics(real, prompt)
    raw = prompt.cut(0, real.length)
    others = measure_tail(CandidateTail(real, raw=raw), evaluator, None, metrics)["others"]
    assert others["raw.texture"] == pytest.approx(evaluator.texture(raw).overall, abs=1e-4)
    assert {name.removeprefix("raw.") for name in others if name.startswith("raw.")} >= {"texture", "order.forecast"}
    assert not any(name.startswith("raw.") for name in measure_tail(CandidateTail(real), evaluator, None)["others"])


def test_raw_and_finished_stand_side_by_side_and_a_model_without_density_says_so():
    def tail(name: str, **others: float) -> dict[str, Any]:
        return {"candidate": name, "domain": "sound", "seed": 0, "texture": 1.0, "others": others}

    rows = [
        tail("hmm", **{"raw.texture": 3.0, "raw.likelihood": -2.0, "likelihood": -1.5, "real.likelihood": -1.0}),
        tail("gan", **{"raw.texture": 2.0, "raw.order": 1.8, "order": 1.2}),
        tail("loop", order=1.1),
    ]
    beside = raw_beside_finished(summarise(rows, {f"{name}/0": {} for name in ("hmm", "gan", "loop")}))
    assert beside == {
        "hmm": {"texture": (3.0, 1.0, None), "order": (None, None, None), "likelihood": (-2.0, -1.5, -1.0)},
        "gan": {"texture": (2.0, 1.0, None), "order": (1.8, 1.2, None), "likelihood": (None, None, None)},
    }
    assert beside_text(beside["hmm"]) == "texture 3.00 to 1.00, no order, likelihood -2.00 to -1.50 (real -1.00)"
    assert beside_text(beside["gan"]) == "texture 2.00 to 1.00, order 1.80 to 1.20, no likelihood"


def test_means_and_deviations_over_seeds():
    rows = [
        {
            "candidate": "a",
            "domain": "sound",
            "seed": seed,
            "texture": value,
            "copied": None,
            "looped": 0.0,
            "longest_run": 1,
            "others": {} if value is None else {"roughness": -value},
        }
        for seed, values in ((0, (1.0, 3.0)), (1, (4.0, None)))
        for value in values
    ]
    [result] = summarise(rows, {"a/0": {"parameters": 5}, "a/1": {"parameters": 5}})
    assert result["texture"] == {"mean": 3.0, "deviation": pytest.approx(2**0.5, abs=1e-4)}
    assert result["roughness"] == {"mean": -3.0, "deviation": pytest.approx(2**0.5, abs=1e-4)}
    assert result["copied"] == {"mean": None, "deviation": None}
    assert result["parameters"] == {"mean": 5.0, "deviation": 0.0}


def test_note_distance_of_real_and_of_different_tails():
    real = [wandering(index, 40) for index in range(12)]
    near = note_distance([wandering(100 + index, 40) for index in range(6)], real)
    far = note_distance([melody([40, 90] * 20) for _ in range(6)], real)
    assert near is not None
    assert far is not None
    assert near < 2 < far
    assert note_distance(real[:2], real[:2]) is None
