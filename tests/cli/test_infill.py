"""`audiogen infill` and `audiogen accompany`."""

from __future__ import annotations

import json
from pathlib import Path

import mido
import numpy as np
import pytest
from click.testing import CliRunner, Result

from audiogen.audio import AudioWarning, read
from audiogen.cli.accompany import accompany
from audiogen.cli.infill import bar_range, infill
from audiogen.errors import InputError
from audiogen.experiment import read_experiment
from audiogen.training.trainer import train
from audiogen.tunes import infilling as infilling
from audiogen.tunes.given_notes import GivenNotes
from audiogen.tunes.midi.reader import read_midi
from audiogen.tunes.midi.writer import write_midi
from tests.tune_fixtures import melody, overlaps, wandering

TINY = (
    "representation={kind: midi, scheme: events}",
    "model={kind: tokens, embedding: 8, voices: 2, match_length: 32, backbone: {kind: gru, hidden: 16, layers: 1}}",
    "training={steps: 3, batch_size: 2, window: 32, warmup: 1, validate_every: 3, log_media_every: 0}",
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


def test_bars_are_regenerated(tune: Path, run: Path, tmp_path: Path):
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


def test_without_a_run_a_markov_chain_is_estimated(tmp_path: Path):
    whole = melody([60, 62, 64, 65, 67, 65, 64, 62] * 3)
    write_midi(tmp_path / "whole.mid", whole)
    done = invoke(infill, tmp_path / "whole.mid", "-o", tmp_path / "out.wav", "--bars", "4", "--candidates", 4)
    assert "in place of 4" in done.stdout
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
    invoke(accompany, prompt, "-o", tmp_path / "mixed.wav", "--run", run, "--parts", 1, *FEW)
    assert read(tmp_path / "mixed.wav").seconds >= given.seconds


def test_bar_ranges_are_parsed():
    assert bar_range("9-12") == (9, 12)
    assert bar_range("9") == (9, 9)


def test_impossible_requests_are_refused(tune: Path, run: Path, tmp_path: Path):
    out = tmp_path / "refused.mid"
    for bars, match in (
        ("x", "is not a range of bars"),
        ("3-", "is not a range of bars"),
        ("0", "it has"),
        ("4-3", "ends before it begins"),
        ("2-999", "it has"),
    ):
        with pytest.raises(InputError, match=match):
            invoke(infill, tune, "-o", out, "--run", run, "--bars", bars)
    with pytest.raises(InputError, match="the Run distinguishes"):
        invoke(accompany, tune, "-o", out, "--run", run, "--parts", 15)
    with pytest.raises(InputError, match=r"missing\.mid"):
        invoke(accompany, tmp_path / "missing.mid", "-o", out, "--run", run)
    write_midi(tmp_path / "many.mid", wandering(3, 4, parts=20))
    with pytest.raises(InputError, match=r"many\.mid: it has 20 parts and the Run distinguishes 16"):
        invoke(accompany, tmp_path / "many.mid", "-o", out, "--run", run)
    write_midi(tmp_path / "one.mid", melody([60]))
    with pytest.raises(InputError, match=r"one\.mid: without --run, only the other bars are learned from"):
        invoke(infill, tmp_path / "one.mid", "-o", out, "--bars", "1")
    assert not out.exists()


def test_a_markov_chain_of_the_context_does_not_predict_the_gap(tmp_path: Path):
    write_midi(tmp_path / "tune.mid", melody([67, 69, 71, 72, 74, 71, 69, 66] * 8))
    found = []
    for seed in range(3):
        out = tmp_path / f"{seed}.mid"
        assert invoke(infill, tmp_path / "tune.mid", "-o", out, "--bars", "4-5", "--seed", seed).exit_code == 0
        filled = json.loads(out.with_suffix(".json").read_text())["filled"]
        found.append(filled["notes"] / filled["removed"])
    assert min(found) > 0.7


def dressed(path: Path, kind: int = 1) -> Path:
    """Eight bars of quarter notes with everything that a file holds beside notes, on two channels."""
    lead: list[mido.Message | mido.MetaMessage] = [
        mido.MetaMessage("track_name", name="Café 歌".encode().decode("latin1")),
        mido.MetaMessage("key_signature", key="D"),
        mido.Message("sysex", data=(0x7E, 0x7F, 9, 1)),
        mido.Message("control_change", control=0, value=1),
        mido.Message("control_change", control=7, value=60),
        mido.Message("program_change", program=48),
    ]
    for index in range(32):
        if index % 4 == 0:
            lead.append(mido.MetaMessage("marker", text=f"bar {index // 4 + 1}"))
            lead.append(mido.Message("control_change", control=64, value=127))
        lead.append(mido.MetaMessage("lyrics", text="la"))
        lead.append(mido.Message("control_change", control=11, value=90 + index))
        lead.append(mido.Message("pitchwheel", pitch=100 * (31 - index)))
        pitch = (60, 62, 64, 65, 67, 65, 64, 62)[index % 8]
        lead.append(mido.Message("note_on", note=pitch, velocity=80))
        lead.append(mido.Message("note_off", note=pitch, velocity=3, time=24))
        if index % 4 == 2:
            lead.append(mido.Message("control_change", control=64, value=0))
    lead.append(mido.MetaMessage("end_of_track", time=500))
    clock = [mido.MetaMessage("set_tempo", tempo=400_000), mido.MetaMessage("copyright", text="by me")]
    tracks = [mido.MidiTrack([*clock, *lead])] if kind == 0 else [mido.MidiTrack(clock), mido.MidiTrack(lead)]
    mido.MidiFile(type=kind, ticks_per_beat=24, tracks=tracks).save(path)
    return path


def events(path: Path) -> list[tuple[int, int, mido.Message | mido.MetaMessage]]:
    """(track, tick, message) of a file."""
    found = []
    for index, track in enumerate(mido.MidiFile(path).tracks):
        now = 0
        for message in track:
            now += message.time
            found.append((index, now, message.copy(time=0)))
    return found


@pytest.mark.parametrize("kind", [0, 1])
def test_everything_but_the_notes_of_the_bars_is_kept(kind: int, tmp_path: Path):
    prompt, out, first, stop = dressed(tmp_path / "tune.mid", kind), tmp_path / "out.mid", 2 * BAR, 4 * BAR
    invoke(infill, prompt, "-o", out, "--bars", "3-4", *FEW)
    of_notes = {"note_on", "note_off", "pitchwheel"}

    def stays(event: tuple[int, int, mido.Message | mido.MetaMessage]) -> bool:
        _, tick, message = event
        gesture = message.type in of_notes or message.is_cc(64)
        ends_in_time = message.type == "note_off" and tick == first
        ends_later = message.type == "note_off" and tick == stop
        return not gesture or (not first <= tick < stop and not ends_later) or ends_in_time

    given, found = events(prompt), events(out)
    kept = [event for event in given if stays(event)]
    rest = list(found)
    for event in kept:  # each is there, once
        rest.remove(event)
    assert {message.type for _, _, message in rest} <= {"note_on", "note_off", "pitchwheel", "control_change"}
    assert all(first <= tick <= stop for _, tick, _ in rest)
    order = [event for event in found if event in kept and event[1] >= stop]
    assert order == [event for event in kept if event[1] >= stop]
    # Inside, the bend is as in most of the tune, the pedal up; behind, both are as they were.
    anew = {(tick, message.type): message for _, tick, message in rest if message.type in ("pitchwheel",)}
    assert anew[first, "pitchwheel"].pitch == 1500
    assert anew[stop, "pitchwheel"].pitch == 1600
    assert not [message for _, _, message in rest if message.is_cc(64)]
    new = [tick for _, tick, message in rest if message.type == "note_on"]
    assert new
    tunes = [read_midi(path) for path in (prompt, out)]
    outside = [tune.notes[(tune.notes["start"] < first) | (tune.notes["start"] >= stop)] for tune in tunes]
    assert np.array_equal(*outside)
    assert overlaps(tunes[1]) == 0


def test_filled_bars_sound_with_the_tune_s_controllers(tmp_path: Path):
    prompt = dressed(tmp_path / "tune.mid")
    levels = []
    for volume in (60, 1):
        data = prompt.read_bytes().replace(b"\xb0\x00\x01\x00\x07\x3c", bytes((0xB0, 0, 1, 0, 7, volume)))
        (tmp_path / "other.mid").write_bytes(data)
        invoke(infill, tmp_path / "other.mid", "-o", tmp_path / "out.wav", "--bars", "3-4", *FEW, "--force")
        levels.append(float(np.abs(read(tmp_path / "out.wav").samples).max()))
    assert levels[1] < 0.05 * levels[0]


def test_accompany_keeps_all_events_and_gives_new_parts_an_unused_channel(run: Path, tmp_path: Path):
    prompt, out = dressed(tmp_path / "tune.mid"), tmp_path / "out.mid"
    midi = mido.MidiFile(prompt)
    midi.tracks[1][:0] = [mido.Message("control_change", channel=channel, control=7, value=0) for channel in (1, 2)]
    midi.save(prompt)
    invoke(accompany, prompt, "-o", out, "--run", run, "--parts", 1, *FEW)
    given, found = events(prompt), events(out)
    assert [event for event in found if event[0] < 2] == given
    assert {message.channel for track, _, message in found if track == 2 and message.type == "note_on"} == {3}


def test_a_run_that_adds_nothing_is_reported(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_midi(tmp_path / "melody.mid", wandering(2, 12))
    monkeypatch.setattr(GivenNotes, "_is_free", lambda self, tick: np.zeros(len(self.free), bool))
    with pytest.warns(AudioWarning, match="no note was added; this Run seems to have been trained on tunes"):
        done = invoke(accompany, tmp_path / "melody.mid", "-o", tmp_path / "out.mid", "--run", run, *FEW)
    assert done.stdout.endswith("no notes added: the Run predicts silence here\n")
    assert "tunes of 4 parts" in json.loads((tmp_path / "out.json").read_text())["warnings"][0]


def test_progress_reaches_its_end(run: Path, tune: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    shown = []

    class Bar:
        n = 0.0

        def __enter__(self) -> Bar:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def update(self, more: float) -> None:
            assert more >= 0
            self.n += more
            shown.append(self.n)

    def progress(total: float, label: str, unit: str) -> Bar:
        shown.append(-total)
        return Bar()

    monkeypatch.setattr(infilling, "progress", progress)
    invoke(infill, tune, "-o", tmp_path / "out.mid", "--run", run, "--bars", "2-3", *FEW)
    assert shown[-1] == -shown[0] > 0
    assert len(set(shown)) > 5


def test_more_parts_than_can_be_represented_are_kept_with_a_warning(tmp_path: Path):
    write_midi(tmp_path / "many.mid", wandering(3, 16, parts=20))
    with pytest.warns(AudioWarning, match="of its 20 parts, the first 16 are regenerated"):
        invoke(infill, tmp_path / "many.mid", "-o", tmp_path / "out.mid", "--bars", "2", *FEW)
    given, found = (read_midi(path) for path in (tmp_path / "many.mid", tmp_path / "out.mid"))
    later = [
        [tuple(note)[:4] for note in tune.notes.tolist() if tune.parts[note[4]].track >= 17] for tune in (given, found)
    ]
    assert later[0] == later[1]
