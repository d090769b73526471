"""`audiogen infill` and `audiogen accompany`: what is written, what is kept, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import mido
import numpy as np
import pytest
from click.testing import CliRunner, Result

from audiogen.audio import read
from audiogen.cli.accompany import accompany
from audiogen.cli.infill import bars_of, infill
from audiogen.errors import InputError
from audiogen.experiment import read_experiment
from audiogen.representation.midi import read_midi, write_midi
from audiogen.training.fit import train
from tests.tunes import melody, overlaps, wandering

TINY = (
    "representation={kind: midi, scheme: events}",
    "model={kind: tokens, embedding: 8, voices: 2, recall: 32, backbone: {kind: gru, hidden: 16, layers: 1}}",
    "training={steps: 3, batch: 2, window: 32, warmup: 1, validate_every: 3, listen_every: 0}",
)
BAR = 96
FEW = ("--candidates", 2)


def invoke(command: object, *arguments: object) -> Result:
    texts = [str(argument) for argument in arguments]
    return CliRunner().invoke(command, texts, catch_exceptions=False)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    return train(read_experiment(None, TINY), wandering(5, 60, parts=2), folder).path or folder


@pytest.fixture
def tune(tmp_path: Path) -> Path:
    write_midi(tmp_path / "tune.mid", wandering(1, 20, parts=2))
    return tmp_path / "tune.mid"


def test_bars_are_played_anew(tune: Path, run: Path, tmp_path: Path):
    out = tmp_path / "out.mid"
    done = invoke(infill, tune, "-o", out, "--run", run, "--bars", "2-3", *FEW)
    assert done.exit_code == 0
    given, found = read_midi(tune), read_midi(out)
    inside = [(notes["start"] >= BAR) & (notes["start"] < 3 * BAR) for notes in (given.notes, found.notes)]
    assert np.array_equal(given.notes[~inside[0]], found.notes[~inside[1]])
    new = found.notes[inside[1]]
    assert len(new) > 0
    assert set(new.tolist()) != set(given.notes[inside[0]].tolist())
    assert new["end"].max() <= 3 * BAR
    assert overlaps(found) == 0
    sidecar = json.loads((tmp_path / "out.json").read_text())
    assert sidecar["bars"] == [2, 3]
    assert sidecar["filled"] == {"notes": len(new), "removed": int(inside[0].sum())}
    assert sidecar["settings"]["candidates"] == 2
    with pytest.raises(InputError, match="exists already"):
        invoke(infill, tune, "-o", out, "--run", run, "--bars", "2-3")


def test_without_a_run_the_other_bars_teach(tmp_path: Path):
    whole = melody([60, 62, 64, 65, 67, 65, 64, 62] * 3)
    write_midi(tmp_path / "whole.mid", whole)
    done = invoke(infill, tmp_path / "whole.mid", "-o", tmp_path / "out.wav", "--bars", "4", "--candidates", 4)
    assert "instead of 4" in done.stdout
    assert abs(read(tmp_path / "out.wav").seconds - whole.seconds) < 4
    assert json.loads((tmp_path / "out.json").read_text())["settings"]["model"]["kind"] == "markov"


def test_parts_join_a_melody(run: Path, tmp_path: Path):
    prompt, out = tmp_path / "melody.mid", tmp_path / "out.mid"
    write_midi(prompt, wandering(2, 12))
    done = invoke(accompany, prompt, "-o", out, "--run", run, "--parts", 2, "--program", 32, *FEW)
    assert "in 2 parts added" in done.stdout
    old, new = ([list(track) for track in mido.MidiFile(path).tracks] for path in (prompt, out))
    for before, after in zip(old, new, strict=False):
        assert [message for message in after if message.type != "end_of_track"] == [
            message for message in before if message.type != "end_of_track"
        ]
    given, found = read_midi(prompt), read_midi(out)
    assert np.array_equal(found.notes[found.notes["part"] == 0], given.notes)
    assert len(found.notes) > len(given.notes)
    assert found.end <= given.end
    assert {part.program for part in found.parts[1:]} == {32}
    assert overlaps(found) == 0
    invoke(accompany, prompt, "-o", tmp_path / "out.wav", "--run", run, "--parts", 1, *FEW, "--force")
    assert read(tmp_path / "out.wav").seconds >= given.seconds


def test_bars_are_read():
    assert bars_of("9-12") == (9, 12)
    assert bars_of("9") == (9, 9)


def test_what_makes_no_sense_is_refused(tune: Path, run: Path, tmp_path: Path):
    out = tmp_path / "refused.mid"
    for bars, match in (
        ("x", "names no bars"),
        ("3-", "names no bars"),
        ("0", "it has"),
        ("4-3", "ends before it begins"),
        ("2-999", "it has"),
    ):
        with pytest.raises(InputError, match=match):
            invoke(infill, tune, "-o", out, "--run", run, "--bars", bars)
    with pytest.raises(InputError, match="no place for 15"):
        invoke(accompany, tune, "-o", out, "--run", run, "--parts", 15)
    with pytest.raises(InputError, match=r"missing\.mid"):
        invoke(accompany, tmp_path / "missing.mid", "-o", out, "--run", run)
    assert not out.exists()


def test_a_chain_counted_around_the_gap_does_not_expect_it(tmp_path: Path):
    write_midi(tmp_path / "tune.mid", melody([67, 69, 71, 72, 74, 71, 69, 66] * 8))
    found = []
    for seed in range(3):
        out = tmp_path / f"{seed}.mid"
        assert invoke(infill, tmp_path / "tune.mid", "-o", out, "--bars", "4-5", "--seed", seed).exit_code == 0
        filled = json.loads(out.with_suffix(".json").read_text())["filled"]
        found.append(filled["notes"] / filled["removed"])
    assert min(found) > 0.7
