"""`audiogen continue` on MIDI files."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import mido
import numpy as np
import pretty_midi
import pytest
import symusic
from click.testing import CliRunner, Result

from audiogen.audio import AudioWarning, read, write
from audiogen.cli.continue_ import continue_
from audiogen.errors import InputError
from audiogen.experiment import read_experiment
from audiogen.jobs import continue_tune as continuing_tunes
from audiogen.training.trainer import train
from audiogen.tunes.midi.reader import read_midi
from audiogen.tunes.midi.writer import write_midi
from tests.conftest import synthetic
from tests.tune_fixtures import melody, overlaps, wandering

TINY = (
    "representation={kind: midi, scheme: events}",
    "model={kind: tokens, embedding: 8, backbone: {kind: gru, hidden: 16, layers: 1}}",
    "training={steps: 3, batch_size: 2, window: 32, warmup: 1, validate_every: 3, log_media_every: 0}",
)


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(continue_, [str(argument) for argument in arguments], catch_exceptions=False)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    return train(read_experiment(None, TINY), wandering(5, 60, parts=2), folder).path or folder


@pytest.fixture
def prompt(tmp_path: Path) -> Path:
    write_midi(tmp_path / "tune.mid", wandering(1, 40, parts=2))
    return tmp_path / "tune.mid"


def messages(path: Path) -> list[list[mido.Message]]:
    return [[message for message in track if message.type != "end_of_track"] for track in mido.MidiFile(path).tracks]


def test_midi_is_continued_as_midi(prompt: Path, run: Path, tmp_path: Path):
    out = tmp_path / "out.mid"
    done = invoke(prompt, "-o", out, "--run", run, "--bars", 4, "--top-p", 0.95, "--temperature", 0.9)
    assert done.exit_code == 0
    assert "s added" in done.stdout
    # Event for event, each track begins as the prompt's does.
    for old, new in zip(messages(prompt), messages(out), strict=True):
        assert new[: len(old)] == old
    given, found = read_midi(prompt), read_midi(out)
    assert np.array_equal(found.notes[: len(given.notes)], given.notes)
    assert overlaps(found) == 0
    assert len(pretty_midi.PrettyMIDI(str(out)).instruments) == 2
    assert symusic.Score(out).note_num() == len(found.notes)
    sidecar = json.loads((tmp_path / "out.json").read_text())
    assert sidecar["join"]["tick"] == given.end
    assert sidecar["added"]["notes"] == len(found.notes) - len(given.notes)
    assert sidecar["settings"]["top_p"] == 0.95
    assert sidecar["settings"]["run"] == str(run)
    assert sidecar["measures"]["tail"].keys() == sidecar["measures"]["prompt"].keys()
    assert sidecar["warnings"] == []
    with pytest.raises(InputError, match="exists already"):
        invoke(prompt, "-o", out, "--run", run)


def test_midi_is_continued_as_audio(prompt: Path, run: Path, tmp_path: Path):
    invoke(prompt, "-o", tmp_path / "out.wav", "--run", run, "--seconds", 2)
    invoke(prompt, "-o", tmp_path / "tail.wav", "--run", run, "--seconds", 2, "--tail-only")
    whole, tail = read(tmp_path / "out.wav"), read(tmp_path / "tail.wav")
    join = json.loads((tmp_path / "out.json").read_text())["join_sample"]
    assert join == round(read_midi(prompt).seconds * 44100)
    assert whole.length > join + 44100
    assert tail.length < whole.length - join + 44100
    assert np.abs(whole.samples[:, :join]).max() > 0.01
    assert np.abs(whole.samples[:, join:]).max() > 0.01


def test_the_tail_alone_starts_at_zero(prompt: Path, run: Path, tmp_path: Path):
    invoke(prompt, "-o", tmp_path / "tail.mid", "--run", run, "--bars", 6, "--tail-only")
    invoke(prompt, "-o", tmp_path / "whole.mid", "--run", run, "--bars", 6)
    tail, whole, given = (read_midi(path) for path in (tmp_path / "tail.mid", tmp_path / "whole.mid", prompt))
    later = whole.notes[whole.notes["start"] >= given.end]
    assert np.array_equal(tail.notes["start"] + given.end, later["start"])
    assert np.array_equal(tail.notes["pitch"], later["pitch"])


def test_variations_differ_and_repeat(prompt: Path, run: Path, tmp_path: Path):
    done = invoke(prompt, "-o", tmp_path / "a.mid", "--run", run, "--seconds", 4, "--variations", 2, "--page")
    invoke(prompt, "-o", tmp_path / "b.mid", "--run", run, "--seconds", 4, "--seed", 1)
    assert (tmp_path / "a-1.mid").read_bytes() != (tmp_path / "a-2.mid").read_bytes()
    assert (tmp_path / "a-2.mid").read_bytes() == (tmp_path / "b.mid").read_bytes()
    assert f"page: {tmp_path / 'a.html'}" in done.stdout
    assert (tmp_path / "a.html").read_text("utf-8").count("<audio") == 3
    assert json.loads((tmp_path / "a-2.json").read_text())["page"] == "a.html"


def test_the_best_take_is_kept_at_temperature_1_only(prompt: Path, run: Path, tmp_path: Path):
    made = {}
    for name, options in {"plain": (), "eight": ("--takes", 8), "one": ("--takes", 1)}.items():
        for temperature in (1, 0.9):
            out = tmp_path / f"{name}-{temperature}.mid"
            invoke(prompt, "-o", out, "--run", run, "--bars", 4, "--temperature", temperature, *options)
            made[name, temperature] = out.read_bytes()
    assert made["plain", 1] == made["eight", 1] != made["one", 1]
    assert made["plain", 0.9] == made["eight", 0.9] == made["one", 0.9]


def test_training_on_the_prompt_ends_with_a_hint(prompt: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(continuing_tunes, "PROMPT_EXPERIMENT", TINY)
    done = invoke(prompt, "-o", tmp_path / "out.mid", "--bars", 2, "training.steps=2")
    assert "a Run has more ideas: audiogen train midi/lstm" in done.stdout
    sidecar = json.loads((tmp_path / "out.json").read_text())
    assert sidecar["settings"]["training"]["steps"] == 2


def test_without_a_run_a_markov_chain_is_estimated_from_the_prompt(tmp_path: Path):
    prompt = tmp_path / "scale.mid"
    write_midi(prompt, melody([60, 62, 64, 65, 67, 65, 64, 62] * 6))
    invoke(prompt, "-o", tmp_path / "out.mid", "--bars", 8)
    sidecar = json.loads((tmp_path / "out.json").read_text())
    assert sidecar["settings"]["model"] == {"kind": "markov", "order": 8}
    assert sidecar["settings"]["training"] is None
    assert sidecar["measures"]["longest_run_of_prompt_notes"] >= 4  # in the prompt's manner
    given, found = read_midi(prompt), read_midi(tmp_path / "out.mid")
    assert np.array_equal(found.notes[: len(given.notes)], given.notes)
    assert len(found.notes) > len(given.notes) + 8


def test_the_experiment_of_a_prompt(prompt: Path):
    experiment = continuing_tunes.prompt_experiment(None, ("training.seed=3",))
    assert experiment.representation.kind == "midi"
    assert experiment.training.seed == 3
    with pytest.raises(InputError, match="a MIDI prompt needs midi"):
        continuing_tunes.prompt_experiment(Path(__file__).parents[2] / "configs" / "base.yaml", ())


def test_options_that_do_not_apply_are_refused(prompt: Path, run: Path, tmp_path: Path):
    sound = tmp_path / "sound.wav"
    write(sound, synthetic(1.0), "PCM_16")
    out = tmp_path / "out.mid"
    for arguments, match in (
        ((prompt, "-o", out, "--loop"), "--loop: it does not apply to a MIDI prompt"),
        ((prompt, "-o", out, "--vocoder", "source"), "--vocoder: it does not apply to a MIDI prompt"),
        ((sound, "-o", tmp_path / "o.wav", "--bars", 3), "--bars: it does not apply to a recording"),
        ((sound, "-o", tmp_path / "o.wav", "--top-p", 0.5), "--top-p: it does not apply to a recording"),
        ((sound, "-o", tmp_path / "o.wav", "--run", run), "it predicts notes, not sound"),
        ((prompt, "-o", out, "--run", run, "--seconds", 1e-4), "seconds: 0.0001 is out of range"),
        ((prompt, "-o", tmp_path / "out.xyz", "--run", run), "xyz"),
        ((sound, "-o", out), "mid"),
    ):
        with pytest.raises(InputError, match=match):
            invoke(*arguments)
    assert not out.exists()


def broken(kind: str, data: bytes) -> bytes:
    return {
        "truncated": data[: len(data) // 2],
        "no tracks": b"MThd" + struct.pack(">IHHH", 6, 1, 0, 480),
        "text": b"X:1\nT:no tune\nK:C\nCDEF|\n",
        "empty": b"",
    }[kind]


@pytest.mark.parametrize("kind", ["truncated", "no tracks", "text", "empty"])
def test_bad_midi_is_named(kind: str, prompt: Path, run: Path, tmp_path: Path):
    bad = tmp_path / "bad.mid"
    bad.write_bytes(broken(kind, prompt.read_bytes()))
    with pytest.raises(InputError, match=r"bad\.mid: "):
        invoke(bad, "-o", tmp_path / "out.mid", "--run", run)
    assert not (tmp_path / "out.mid").exists()


@pytest.mark.parametrize("division", [(-25, 40), (-30, 80)])
def test_smpte_timing_is_continued(division: tuple[int, int], prompt: Path, run: Path, tmp_path: Path):
    data = bytearray(prompt.read_bytes())
    data[12:14] = struct.pack(">bB", *division)
    (tmp_path / "smpte.mid").write_bytes(data)
    invoke(tmp_path / "smpte.mid", "-o", tmp_path / "out.mid", "--run", run, "--seconds", 2)
    given, found = read_midi(tmp_path / "smpte.mid"), read_midi(tmp_path / "out.mid")
    assert np.array_equal(found.notes[: len(given.notes)], given.notes)
    assert given.seconds < found.seconds <= given.seconds + 2.1


def faded(path: Path) -> Path:
    """Four bars of which the last fades out by channel volume."""
    write_midi(path, melody([60, 62, 64, 65, 67, 65, 64, 62] * 2))
    midi = mido.MidiFile(path)
    for place, value in ((-3, 0), (-9, 40), (2, 100)):
        midi.tracks[1].insert(place, mido.Message("control_change", control=7, value=value))
    midi.save(path)
    return path


def test_controllers_are_reset_at_the_join(run: Path, tmp_path: Path):
    prompt = faded(tmp_path / "faded.mid")
    for out in ("out.mid", "tail.wav"):
        more = ("--tail-only",) if out == "tail.wav" else ()
        with pytest.warns(AudioWarning, match=r"faded\.mid: .* are reset: volume 0 to 100 \(channel 1\)"):
            invoke(prompt, "-o", tmp_path / out, "--run", run, "--bars", 2, *more)
        sidecar = json.loads((tmp_path / out).with_suffix(".json").read_text())
        assert sidecar["reset_at_join"] == [{"channel": 1, "controller": "volume", "from": 0, "to": 100}]
        assert "volume 0 to 100" in sidecar["warnings"][0]
    assert np.abs(read(tmp_path / "tail.wav").samples).max() > 0.01


def test_a_faulty_file_is_warned_of_once_and_continued(prompt: Path, run: Path, tmp_path: Path):
    data = bytearray(prompt.read_bytes())
    data[10:12] = struct.pack(">H", 9)
    (tmp_path / "faulty.mid").write_bytes(data)
    with pytest.warns(AudioWarning, match=r"faulty\.mid: .*announces 9 tracks and it has 3"):
        invoke(tmp_path / "faulty.mid", "-o", tmp_path / "out.mid", "--run", run, "--bars", 2)
    assert len(json.loads((tmp_path / "out.json").read_text())["warnings"]) == 1
    assert len(mido.MidiFile(tmp_path / "out.mid").tracks) == 3
