"""MIDI controllers: reset at the join, kept by files and tails, and rendered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import mido
import numpy as np
import pytest

from audiogen.audio import AudioWarning
from audiogen.tunes.midi.controller_reset import controller_resets, reset_rows
from audiogen.tunes.midi.controllers import state_rows, value_at
from audiogen.tunes.midi.editor import extend_midi, tail_midi
from audiogen.tunes.midi.reader import read_midi
from audiogen.tunes.rendering import render
from audiogen.tunes.tune import Tune, joined
from tests.tune_fixtures import melody

TICKS, NOTES = 96, 16
JOIN = TICKS * NOTES


def control(number: int, value: int, channel: int = 0) -> mido.Message:
    return mido.Message("control_change", channel=channel, control=number, value=value)


def bend(value: int, channel: int = 0) -> mido.Message:
    return mido.Message("pitchwheel", channel=channel, pitch=value)


def master(value: int) -> mido.Message:
    return mido.Message("sysex", data=(0x7F, 0x7F, 4, 1, value % 128, value // 128))


def file_of(
    path: Path,
    at: dict[int, Sequence[mido.Message]],
    after: Sequence[mido.Message] = (),
    name: bytes = b"Lead",
    kind: int = 1,
    channel: int = 0,
) -> Path:
    """A scale of `NOTES` quarter notes, with messages before some of them."""
    midi = mido.MidiFile(type=kind, ticks_per_beat=TICKS)
    track = mido.MidiTrack([mido.MetaMessage("track_name", name=name.decode("latin1"))])
    track.append(mido.Message("program_change", channel=channel, program=48))
    for index in range(NOTES):
        track += [message.copy() for message in at.get(index, ())]
        pitch = (60, 62, 64, 65, 67, 65, 64, 62)[index % 8]
        track.append(mido.Message("note_on", channel=channel, note=pitch, velocity=80))
        track.append(mido.Message("note_off", channel=channel, note=pitch, velocity=0, time=TICKS))
    track += [message.copy() for message in after]
    if kind:
        midi.tracks.append(mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=500_000)]))
    midi.tracks.append(track)
    midi.save(path)
    return path


def tail_of(prompt: Tune) -> Tune:
    tail = melody([67, 65, 64, 62], TICKS, start=prompt.end, ticks=TICKS)
    return replace(tail, parts=prompt.parts, controllers=reset_rows(prompt))


def fade(number: int) -> dict[int, list[mido.Message]]:
    """100 for twelve notes, then down to 12."""
    return {0: [control(number, 100)], **{12 + step: [control(number, 76 - 21 * step)] for step in range(4)}}


FINAL = {  # messages before each note and after the last one: (name, final value, value after the reset)
    "volume faded out": (fade(7), [control(7, 0)], [("volume", 0, 100)]),
    "volume faded, not to 0": (fade(7), [], [("volume", 13, 100)]),
    "expression faded out": (fade(11), [control(11, 0)], [("expression", 0, 100)]),
    "faded from what it is by itself": ({13: [control(11, 50)]}, [control(11, 0)], [("expression", 0, 127)]),
    "fine volume": ({0: [control(39, 64)], 15: [control(39, 3)]}, [], [("volume (fine)", 3, 64)]),
    "faded by master volume": ({14: [master(2000)]}, [master(0)], [("master volume", 0, 16383)]),
    "bend held": ({15: [bend(-4096)]}, [], [("pitch bend", -4096, 0)]),
    "bend at the very end": ({}, [bend(8191)], [("pitch bend", 8191, 0)]),
    "detuned throughout, then bent": ({0: [bend(300)], 15: [bend(-4096)]}, [], [("pitch bend", -4096, 300)]),
    "sustain": ({12: [control(64, 127)]}, [], [("sustain pedal", 127, 0)]),
    "sustain from the start": ({0: [control(64, 127)]}, [], [("sustain pedal", 127, 0)]),
    "sostenuto": ({15: [control(66, 127)]}, [], [("sostenuto pedal", 127, 0)]),
    "soft pedal": ({15: [control(67, 127)]}, [], [("soft pedal", 127, 0)]),
    "portamento": ({15: [control(65, 127)]}, [], [("portamento", 127, 0)]),
    "legato": ({15: [control(68, 127)]}, [], [("legato", 127, 0)]),
    "modulation": ({14: [control(1, 90)]}, [], [("modulation", 90, 0)]),
    "pressure": ({14: [mido.Message("aftertouch", value=99)]}, [], [("channel pressure", 99, 0)]),
    "key pressure": ({14: [mido.Message("polytouch", note=62, value=9)]}, [], [("pressure of key 62", 9, 0)]),
    "brightness closed": ({0: [control(74, 80)], 14: [control(74, 0)]}, [], [("brightness", 0, 80)]),
    "quiet throughout": ({0: [control(7, 20)]}, [], []),
    "soft pedal throughout": ({0: [control(67, 127)]}, [], []),
    "a fade that is over": ({0: [control(7, 100)], 8: [control(7, 10)], 10: [control(7, 100)]}, [], []),
    "reset all": ({8: [control(1, 90), control(64, 127)], 9: [control(121, 0)]}, [], []),
    "pan and reverb": ({0: [control(10, 64)], 15: [control(10, 0), control(91, 0)]}, [], []),
    "nothing": ({}, [], []),
}


@pytest.mark.parametrize("kind", FINAL)
def test_controllers_are_reset_at_the_join(kind: str, tmp_path: Path) -> None:
    at, after, expected = FINAL[kind]
    path = file_of(tmp_path / "prompt.mid", at, after)
    prompt = read_midi(path)
    assert [(each.name, each.final, each.value) for each in controller_resets(prompt)] == expected
    extend_midi(path, tail_of(prompt), tmp_path / "out.mid", prompt)
    out = read_midi(tmp_path / "out.mid")
    for each in controller_resets(prompt):
        first = prompt.end  # from the tail's first note to its last
        for tick in (first, out.end):
            assert value_at(out, each.channel, each.controller, tick) == each.value
        assert value_at(joined(prompt, tail_of(prompt)), each.channel, each.controller, first) == each.value
    # The file begins with the prompt's events; resets precede the tail's notes.
    old, new = (list(mido.MidiFile(file).tracks[1])[:-1] for file in (path, tmp_path / "out.mid"))
    assert new[: len(old)] == old
    assert [message.type for message in new[len(old) + len(expected) :]] == ["note_on", "note_off"] * 4


def test_only_channels_with_notes_are_reset(tmp_path: Path) -> None:
    path = file_of(tmp_path / "prompt.mid", {0: [control(7, 100, channel=5)], 15: [control(7, 0, channel=5)]})
    assert controller_resets(read_midi(path)) == []


def test_settings_after_the_last_note_are_dropped(tmp_path: Path) -> None:
    late = [
        control(7, 0).copy(time=TICKS),
        mido.MetaMessage("set_tempo", tempo=900_000),
        mido.MetaMessage("marker", text="end"),
        mido.Message("program_change", program=3),
        mido.Message("note_off", note=65, velocity=0, time=10),
    ]
    path = file_of(tmp_path / "prompt.mid", {0: [control(64, 127)]}, [*late, control(64, 0)])
    prompt = read_midi(path)
    with pytest.warns(AudioWarning, match=r"5 events after .*volume, set tempo, program change, note off, sustain"):
        extend_midi(path, tail_of(prompt), tmp_path / "out.mid", prompt)
    out = read_midi(tmp_path / "out.mid")
    assert value_at(out, 0, 7, out.end) == 100
    assert len(out.tempos) == 1
    assert out.seconds == pytest.approx((NOTES + 4) / 2)
    assert {part.program for part in out.parts} == {48}
    assert any(message.type == "marker" for message in mido.MidiFile(tmp_path / "out.mid").tracks[1])
    whole = joined(prompt, tail_of(prompt))
    assert whole.seconds == out.seconds
    assert whole.pedals.tolist() == [[0, JOIN, 0]]
    assert out.pedals.tolist() == [[0, JOIN, 0]]


def test_a_hanging_note_ends_at_the_join_and_its_new_channel_is_set_up(tmp_path: Path) -> None:
    hanging = mido.Message("note_on", note=48, velocity=80)
    path = file_of(tmp_path / "prompt.mid", {0: [control(0, 3), control(7, 55), control(10, 9)], 4: [hanging]})
    with pytest.warns(AudioWarning, match="never end"):
        prompt = read_midi(path)
    extend_midi(path, tail_of(prompt), tmp_path / "out.mid", prompt)
    with pytest.warns(AudioWarning, match="never end"):
        out = read_midi(tmp_path / "out.mid")
    channel = next(part.channel for part in out.parts if part.channel)
    assert [value_at(out, channel, number, out.end) for number in (0, 7, 10)] == [3, 55, 9]
    stops = [m for m in mido.MidiFile(tmp_path / "out.mid").tracks[1] if m.is_cc(123)]
    assert [message.channel for message in stops] == [0]


NAMES = {"UTF-8": "Café 歌".encode(), "Shift-JIS": "笛".encode("shift_jis"), "Latin-1": "Flöte".encode("latin1")}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", [0, 1])
def test_a_tail_alone_begins_in_the_state_of_its_prompt(name: str, kind: int, tmp_path: Path) -> None:
    setup = [control(0, 1), control(32, 3), control(7, 60), control(10, 20), control(91, 90)]
    setup += [control(101, 0), control(100, 0), control(6, 12), control(101, 127), control(100, 127)]
    setup += [mido.MetaMessage("key_signature", key="D"), mido.Message("sysex", data=(0x7E, 0x7F, 9, 1))]
    at = {0: setup, 4: [control(10, 100), mido.MetaMessage("key_signature", key="Em")], 15: [bend(-4096)]}
    path = file_of(tmp_path / "prompt.mid", at, [control(7, 0)], NAMES[name], kind)
    prompt = read_midi(path)
    tail_midi(path, tail_of(prompt), tmp_path / "tail.mid", prompt)
    extend_midi(path, tail_of(prompt), tmp_path / "whole.mid", prompt)
    for out in ("tail.mid", "whole.mid"):
        raw = b"\xff\x03" + bytes([len(NAMES[name])]) + NAMES[name]
        assert (tmp_path / out).read_bytes().count(raw) == 1
    tail = read_midi(tmp_path / "tail.mid")
    assert [tuple(note)[:3] for note in tail.notes.tolist()] == [
        (TICKS * i, TICKS * (i + 1), pitch) for i, pitch in enumerate((67, 65, 64, 62))
    ]
    assert [value_at(tail, 0, number, 0) for number in (0, 32, 7, 10, 91, 128)] == [1, 3, 60, 100, 90, 0]
    assert tail.parts == prompt.parts
    messages = list(mido.MidiFile(tmp_path / "tail.mid").tracks[-1])
    numbers = [(m.control, m.value) for m in messages if m.type == "control_change"]
    assert numbers[:2] == [(0, 1), (32, 3)]  # banks before programs
    assert [pair for pair in numbers if pair[0] in (6, 100, 101)] == [
        (101, 0),
        (100, 0),
        (6, 12),
        (101, 127),
        (100, 127),
    ]
    types = [message.type for message in messages]
    assert types.index("control_change") < types.index("program_change") < types.index("note_on")
    assert [message.key for message in messages if message.type == "key_signature"] == ["Em"]
    assert "sysex" in types


def test_names_are_decoded(tmp_path: Path) -> None:
    for coding, expected in (("UTF-8", "Café 歌"), ("Latin-1", "Flöte")):
        assert read_midi(file_of(tmp_path / "named.mid", {}, name=NAMES[coding])).parts[0].name == expected


def level(sound: np.ndarray, first: float, last: float) -> np.ndarray:
    """RMS of each channel between two seconds."""
    return np.sqrt((sound[:, round(first * 44100) : round(last * 44100)] ** 2).mean(axis=1))


def test_rendering_applies_volume_expression_pan_and_bend(tmp_path: Path) -> None:
    def sound(at: dict[int, list[mido.Message]], **more) -> np.ndarray:
        return render(read_midi(file_of(tmp_path / "rendered.mid", at, **more))).samples

    plain = sound({})
    for number in (7, 11):
        quieter = sound({8: [control(number, 0)]})
        assert level(quieter, 1, 3.5) == pytest.approx(level(plain, 1, 3.5), rel=0.01)
        assert level(quieter, 5, 8).max() < 0.01 * level(plain, 5, 8).max()
    left = level(sound({0: [control(10, 0)]}), 1, 7)
    assert left[0] > 1.7 * left[1]  # reverberation comes from both sides
    bent = sound({0: [bend(8191)]})  # two semitones up
    up = np.argmax(np.abs(np.fft.rfft(bent[0, 4410:22050]))) / np.argmax(np.abs(np.fft.rfft(plain[0, 4410:22050])))
    assert up == pytest.approx(2 ** (2 / 12), abs=0.02)


def test_a_tail_after_a_fade_out_is_rendered_at_the_typical_volume(tmp_path: Path) -> None:
    prompt = read_midi(file_of(tmp_path / "fade.mid", fade(7), [control(7, 0), bend(-4096)]))
    sound = render(joined(prompt, tail_of(prompt))).samples
    assert level(sound, 7.5, 8).max() < 0.3 * level(sound, 1, 6).max()  # the prompt fades out
    assert level(sound, 8, 10).max() == pytest.approx(level(sound, 1, 6).max(), rel=0.3)


def test_controllers_follow_changes_of_the_tune(tmp_path: Path) -> None:
    prompt = read_midi(file_of(tmp_path / "prompt.mid", {0: [control(7, 90)], 8: [control(7, 30), bend(5)]}))
    rows = [[0, 0, 7, 90], [8 * TICKS, 0, 7, 30], [8 * TICKS, 0, 128, 5]]
    assert prompt.controllers.tolist() == rows
    assert prompt.rescaled(24).controllers[:, 0].tolist() == [0, 192, 192]
    assert prompt.shifted(-TICKS * 10).controllers.tolist() == [[0, *row[1:]] for row in rows]
    assert prompt.at_constant_tempo().controllers.tolist() == rows
    assert state_rows(prompt, JOIN).tolist() == [[0, 0, 7, 30], [0, 0, 128, 5]]
