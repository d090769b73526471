"""MIDI files: read (also damaged ones), written, extended and rendered."""

from __future__ import annotations

import io
import struct
import warnings
from collections import Counter
from dataclasses import replace
from pathlib import Path

import mido
import numpy as np
import pretty_midi
import pytest
import symusic

from audiogen.audio import AudioWarning
from audiogen.errors import InputError
from audiogen.tunes.abc_notation import abc_title, split_abc, tune_from_abc
from audiogen.tunes.midi.editor import extend_midi
from audiogen.tunes.midi.reader import read_midi
from audiogen.tunes.midi.track_events import assign_channels
from audiogen.tunes.midi.writer import write_midi
from audiogen.tunes.rendering import render
from audiogen.tunes.tokens.events_tokenizer import EventsTokenizer
from audiogen.tunes.tune import Part, Tune, joined
from tests.tune_fixtures import melody, overlaps, rich, same, tune, wandering

SHARED = Path(__file__).parents[2].parent / "shared" / "data" / "midi"


def on(pitch: int, time: int = 0, channel: int = 0, velocity: int = 64) -> mido.Message:
    return mido.Message("note_on", note=pitch, time=time, channel=channel, velocity=velocity)


def off(pitch: int, time: int = 0, channel: int = 0) -> mido.Message:
    return mido.Message("note_off", note=pitch, time=time, channel=channel)


def content(*tracks: list, kind: int = 1, ticks: int = 480) -> bytes:
    midi = mido.MidiFile(type=kind, ticks_per_beat=ticks, tracks=[mido.MidiTrack(track) for track in tracks])
    stream = io.BytesIO()
    midi.save(file=stream)
    return stream.getvalue()


@pytest.fixture
def read(tmp_path: Path):
    def reader(data: bytes) -> Tune:
        path = tmp_path / "tune.mid"
        path.write_bytes(data)
        return read_midi(path)

    return reader


def notes(tune: Tune) -> list[tuple[int, int, int]]:
    return [(int(note["start"]), int(note["end"]), int(note["pitch"])) for note in tune.notes]


def test_a_written_tune_is_read_back(tmp_path: Path) -> None:
    for number, one in enumerate([rich(), wandering(1, parts=4), melody([0, 127, 60])]):
        write_midi(tmp_path / f"{number}.mid", one)
        again = read_midi(tmp_path / f"{number}.mid")
        order = [part.channel for part in again.parts]
        assert order == sorted(order, key=order.index)
        assert same(again, one)


def test_two_other_libraries_read_the_same_notes(tmp_path: Path) -> None:
    one = rich()
    write_midi(tmp_path / "rich.mid", one)
    theirs = symusic.Score(str(tmp_path / "rich.mid"))
    assert Counter((n.start, n.end, n.pitch, n.velocity) for t in theirs.tracks for n in t.notes) == Counter(
        tuple(row)[:4] for row in one.notes.tolist()
    )
    pretty = pretty_midi.PrettyMIDI(str(tmp_path / "rich.mid"))
    starts = sorted(n.start for instrument in pretty.instruments for n in instrument.notes)
    assert starts == pytest.approx(sorted(one.seconds_at(one.notes["start"])))
    assert {(i.program, i.is_drum) for i in pretty.instruments} == {(40, False), (0, True), (0, False)}


def test_seconds_follow_the_tempos() -> None:
    one = rich()  # 120 BPM up to tick 50, 100 up to 96, then 60; 24 ticks per quarter note
    assert one.seconds_at(np.array([0, 50, 96, 120])) == pytest.approx([0, 50 / 48, 50 / 48 + 1.15, 50 / 48 + 2.15])
    ticks = np.arange(0, 400, 7)
    assert np.array_equal(one.ticks_at(one.seconds_at(ticks)), ticks)


def test_a_meter_within_a_bar_begins_a_bar() -> None:
    assert rich().bar_lines().tolist() == [0, 96, 150, 222, 222 + 1152]


def test_format_0_is_split_by_channel_and_program(read) -> None:
    track = [mido.Message("program_change", channel=3, program=40), on(60, 0, 3), off(60, 100, 3)]
    track += [
        on(36, 0, 9),
        off(36, 50, 9),
        mido.Message("program_change", channel=3, program=41),
        on(62, 0, 3),
        off(62, 9, 3),
    ]
    one = read(content(track, kind=0))
    assert [(p.program, p.drums, p.channel) for p in one.parts] == [
        (40, False, 3),
        (41, False, 3),
        (0, True, 9),
    ]
    assert notes(one) == [(0, 100, 60), (100, 150, 36), (150, 159, 62)]


def test_a_program_set_by_another_track_counts(read) -> None:
    one = read(content([mido.Message("program_change", channel=2, program=56)], [on(60, 0, 2), off(60, 100, 2)]))
    assert one.parts[0].program == 56


def test_overlapping_notes_of_one_pitch_are_separated(read) -> None:
    one = read(content([on(60), on(60, 50), off(60, 50), off(60, 50)]))
    assert notes(one) == [(0, 50, 60), (50, 150, 60)]


def test_a_note_that_never_ends_lasts_a_beat(read) -> None:
    with pytest.warns(AudioWarning, match="1 notes never end"):
        one = read(content([on(60), on(62), off(62, 2000)]))
    assert notes(one) == [(0, 2000, 62), (0, 480, 60)]


def test_notes_of_zero_length_are_dropped(read) -> None:
    graces = [on(60), off(60), off(62), on(62), on(64), off(64, 240), on(60), off(60, 240)]
    assert notes(read(content(graces))) == [(0, 240, 64), (240, 480, 60)]
    assert notes(read(content([on(36, channel=9), off(36, channel=9)]))) == [(0, 1, 36)]


def test_pedal(read) -> None:
    def press(value: int, time: int) -> mido.Message:
        return mido.Message("control_change", control=64, value=value, time=time)

    one = read(content([press(127, 10), press(100, 10), on(60), press(20, 30), press(64, 10), off(60, 40)]))
    assert one.pedals.tolist() == [[10, 50, 0], [60, 100, 0]]


def test_smpte_ticks_are_real_time(read) -> None:
    data = bytearray(content([mido.MetaMessage("set_tempo", tempo=250_000), on(60, 1000), off(60, 500)]))
    data[12:14] = struct.pack(">bB", -25, 40)  # 25 frames of 40 ticks: milliseconds
    one = read(bytes(data))
    assert one.seconds_at(one.notes[0]["start"]) == pytest.approx(1.0)
    assert one.seconds == pytest.approx(1.5)


def test_absurd_tempos_and_meters_are_ignored(read) -> None:
    meta = [mido.MetaMessage("set_tempo", tempo=0), mido.MetaMessage("set_tempo", tempo=1, time=10)]
    one = read(
        content([*meta, mido.MetaMessage("time_signature", numerator=255, denominator=2)], [on(60), off(60, 100)])
    )
    assert one.tempos.tolist() == [[0, 500_000], [10, 1]]
    assert (
        EventsTokenizer(EventsTokenizer.Options())
        .decode(EventsTokenizer(EventsTokenizer.Options()).encode(one))
        .seconds
        > 0
    )


def test_a_riff_container_is_unwrapped(read) -> None:
    data = content([on(60), off(60, 100)])
    wrapped = b"RIFF" + struct.pack("<I", len(data) + 12) + b"RMIDdata" + struct.pack("<I", len(data)) + data
    assert notes(read(wrapped)) == [(0, 100, 60)]


GOOD = content([on(60), off(60, 100)])


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (b"", "not a Standard MIDI File"),
        (b"hello, this is text\n" * 9, "not a Standard MIDI File"),
        (GOOD[:-6], "cut short"),
        (GOOD[:16], "cut short"),
        (content(), "no note"),
        (content([mido.MetaMessage("set_tempo", tempo=9)]), "no note"),
        (content([on(60), off(60, 100)], [on(60), off(60, 100)], kind=2), "format 2"),
        (GOOD[:12] + b"\0\0" + GOOD[14:], "0 ticks"),
        (content([on(60, 2**28 - 1), off(60, 1)], ticks=1), "268435456 quarter notes"),
    ],
)
def test_unusable_files_raise_one_line(read, data: bytes, cause: str) -> None:
    with pytest.raises(InputError, match=cause) as caught:
        read(data)
    assert "\n" not in str(caught.value)


def test_missing_and_huge_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_midi(tmp_path / "none.mid")
    with (tmp_path / "huge.mid").open("wb") as file:
        file.truncate(65 * 2**20)
    with pytest.raises(InputError, match="65 MiB"):
        read_midi(tmp_path / "huge.mid")


def test_damaged_files_give_a_tune_or_one_line(tmp_path: Path, read) -> None:
    write_midi(tmp_path / "good.mid", replace(rich(), notes=rich().notes))
    good = (tmp_path / "good.mid").read_bytes()
    random = np.random.default_rng(0)
    outcomes: Counter[bool] = Counter()
    for _ in range(300):
        data = bytearray(good)
        for index in random.integers(0, len(data), random.integers(1, 9)):
            data[index] = random.integers(256)
        data = data[: random.integers(20, len(data))] if random.random() < 0.2 else data
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AudioWarning)
            try:
                one = read(bytes(data))
            except InputError:
                outcomes[False] += 1
                continue
        assert overlaps(one) == 0
        assert one.notes["end"].min() > 0
        assert np.isfinite(one.seconds)
        outcomes[True] += 1
    assert min(outcomes[True], outcomes[False]) > 30


def test_transposition_keeps_drums_and_range() -> None:
    one = rich()
    up = one.transposed(5)
    melodic = up.notes["part"] != 1
    assert np.array_equal(up.notes["pitch"][melodic], one.notes["pitch"][melodic] + 5)
    assert set(up.notes["pitch"][~melodic].tolist()) == {36}
    assert one.transposition_range() == (-40, 127 - 72)
    far = melody([120, 10]).transposed(20).notes["pitch"]
    assert far.tolist() == [116, 30]


def theirs(path: Path) -> tuple[Counter, Counter]:
    """The notes as symusic and pretty_midi read them."""
    score = symusic.Score(str(path))
    pretty = pretty_midi.PrettyMIDI(str(path))
    return (
        Counter(
            (t.program, t.is_drum, n.start, n.duration, n.pitch, n.velocity) for t in score.tracks for n in t.notes
        ),
        Counter((i.program, i.is_drum, round(n.start, 4), n.pitch) for i in pretty.instruments for n in i.notes),
    )


def test_a_prompt_keeps_all_its_events(tmp_path: Path) -> None:
    odd = [
        mido.Message("sysex", data=(1, 2)),
        mido.MetaMessage("lyrics", text="la"),
        mido.MetaMessage("marker", text="A"),
    ]
    lead = [
        mido.MetaMessage("track_name", name="Lead"),
        *odd,
        on(60, 5, 2),
        off(60, 475, 2),
        mido.Message("aftertouch", value=3),
    ]
    path = tmp_path / "prompt.mid"
    path.write_bytes(content([mido.MetaMessage("set_tempo", tempo=400_000)], lead, [on(36, 0, 9), off(36, 10, 9)]))
    prompt = read_midi(path)
    tail = replace(
        melody([62, 64], 240, start=480, ticks=480, tempos=[[0, 400_000], [720, 800_000]]), parts=prompt.parts
    )
    extend_midi(path, tail, tmp_path / "out.mid")
    before, after = mido.MidiFile(path), mido.MidiFile(tmp_path / "out.mid")
    assert len(after.tracks) == len(before.tracks)
    for old, new in zip(before.tracks, after.tracks, strict=True):
        assert list(new)[: len(old) - 1] == list(old)[:-1]  # all but the end of track
    out = read_midi(tmp_path / "out.mid")
    assert notes(out)[-2:] == [(480, 720, 62), (720, 960, 64)]
    assert out.parts == prompt.parts
    assert out.seconds == pytest.approx(0.6 + 0.4)


@pytest.mark.parametrize("kind", [0, 1])
def test_every_library_reads_all_notes_of_a_tail(tmp_path: Path, kind: int) -> None:
    # One note-off of 67 is missing: a later one on its channel would be taken for it.
    track = [on(60), off(60, 480), on(67), on(67, 100), off(67, 100)]
    path = tmp_path / "prompt.mid"
    path.write_bytes(content(track, kind=kind))
    with pytest.warns(AudioWarning, match="never end"):
        prompt = read_midi(path)
    tail = replace(melody([67, 60, 67], 240, start=prompt.end, ticks=480), parts=prompt.parts)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AudioWarning)
        extend_midi(path, tail, tmp_path / "out.mid")
    for old, new in zip(theirs(path), theirs(tmp_path / "out.mid"), strict=True):
        assert not old - new
        assert sum((new - old).values()) == 3


def test_a_new_part_gets_a_track_and_channel_of_its_own(tmp_path: Path) -> None:
    write_midi(tmp_path / "prompt.mid", melody([60, 62]))
    prompt = read_midi(tmp_path / "prompt.mid")
    tail = tune([(48, 72, 60, 80, 0), (48, 72, 60, 80, 1)], (*prompt.parts, Part(73, name="Flute")))
    extend_midi(tmp_path / "prompt.mid", tail, tmp_path / "out.mid")
    out = read_midi(tmp_path / "out.mid")
    assert [(p.program, p.name) for p in out.parts] == [(0, ""), (73, "Flute")]
    assert out.parts[0].channel != out.parts[1].channel


def test_parts_share_no_channel_while_there_are_free_ones() -> None:
    parts = [Part(index % 4, channel=0) for index in range(15)] + [Part(0, drums=True)]
    assert sorted(assign_channels(parts)) == list(range(16))
    assert 9 not in assign_channels([Part(index) for index in range(30)])


def test_rendering_has_the_pitch_tempo_and_decay() -> None:
    tone = render(tune([(0, 48, 69, 100)], (Part(19),), tempos=[[0, 1_000_000]]), 22050)
    assert tone.sample_rate == 22050
    assert tone.channels == 2
    assert 2.0 <= tone.seconds < 4.0
    spectrum = np.abs(np.fft.rfft(tone.samples[0, 11025:33075]))
    assert np.argmax(spectrum[300:600]) + 300 == pytest.approx(440, abs=3)
    rms = [float(np.sqrt(np.mean(tone.samples[:, at : at + 5000] ** 2))) for at in (30000, tone.length - 5000)]
    assert rms[1] < 0.1 * rms[0]


def test_rendering_applies_the_pedal_and_stays_within_full_scale() -> None:
    short = [(0, 6, 60, 120)]
    dry, wet = render(tune(short)), render(tune(short, pedals=[[0, 96, 0]]))
    after = slice(44100, 66150)
    assert np.abs(wet.samples[:, after]).max() > 20 * np.abs(dry.samples[:, after]).max(initial=1e-6)
    cluster = tune([(0, 48, pitch, 127) for pitch in range(30, 100)], (Part(62),))
    assert np.abs(render(cluster).samples).max() <= 1


def test_rendering_refuses_long_tunes_and_bad_soundfonts(tmp_path: Path) -> None:
    (tmp_path / "font.sf2").write_bytes(b"RIFF\0\0\0\0sfbk" + b"\0" * 99)
    with pytest.raises(InputError, match="synthesiser cannot use it"):
        render(melody([60]), soundfont=tmp_path / "font.sf2")
    with pytest.raises(InputError, match="not a SoundFont"):
        render(melody([60]), soundfont=Path(__file__))
    with pytest.raises(InputError, match="too long"):
        render(melody([60, 62], 24 * 4000))


ABC = 'X:1\nT:A jig\nM:6/8\nL:1/8\nQ:3/8=120\nK:D\n|:"D"dfd ^g2_b:|\n\nX:2\nT:Another\nM:4/4\nL:1/4\nK:C\nCDEF|\n'


@pytest.mark.parametrize(
    "text",
    [
        ABC.replace("X:1", " X:1").replace("X:2", "\tX:2"),
        ABC.removeprefix("X:1\n"),
        "%abc-2.1\nM:4/4\n\n" + ABC,
    ],
)
def test_no_tune_of_an_abc_file_is_lost(text: str) -> None:
    pieces = split_abc(text)
    assert [abc_title(piece) for piece in pieces] == ["A jig", "Another"]
    for piece, whole in zip(pieces, split_abc(ABC), strict=True):
        np.testing.assert_array_equal(tune_from_abc(piece, "it").notes, tune_from_abc(whole, "it").notes)


def test_abc() -> None:
    pieces = split_abc("% a collection\n" + ABC)
    assert [abc_title(piece) for piece in pieces] == ["A jig", "Another"]
    jig = tune_from_abc(pieces[0], "jig")
    line = jig.notes[jig.notes["part"] == 0]
    assert line["pitch"].tolist() == [74, 78, 74, 80, 82] * 2
    assert line["start"][:6].tolist() == [0, 12, 24, 36, 60, 72]
    other = notes(tune_from_abc(pieces[1], "other"))
    assert other == [(24 * i, 24 * i + 24, p) for i, p in enumerate([60, 62, 64, 65])]
    for bad in ("", "this is no ABC\n", "X:1\nK:C\n"):
        with pytest.raises(InputError, match=r"^bad"):
            tune_from_abc(bad, "bad")


def test_the_shared_tunes_are_read_as_by_other_libraries() -> None:
    if not SHARED.is_dir():
        pytest.skip("the shared MIDI tunes are not beside this checkout")
    paths = sorted(SHARED.glob("bach*.mid"))[::9]  # the others have stray note-offs that each library reads differently
    assert len(paths) > 5
    for path in paths:
        one = read_midi(path)
        score = symusic.Score(str(path))
        assert len(one.notes) == score.note_num()
        assert one.end == score.end()


def test_a_shifted_tune_is_the_same_music():
    one = rich()
    later = one.shifted(480)
    assert np.array_equal(later.notes["start"], one.notes["start"] + 480)
    assert later.tempos[:, 0].tolist() == [0, 530, 576]
    assert same(later.shifted(-480), one)
    early = one.between(96, one.end).shifted(-96)  # its tempo and meter are set at its beginning
    assert early.tempos.tolist() == [[0, 1_000_000]]
    assert early.meters[0].tolist() == [0, 6, 8]
    assert early.notes["start"].min() == 0


def test_a_steady_tune_lasts_as_long_in_real_time():
    one = rich()
    steady = one.at_constant_tempo()
    assert len(steady.tempos) == 1
    assert len(steady.notes) == len(one.notes)
    tick = one.tempos[0, 1] / 1e6 / one.ticks_per_quarter
    for name in ("start", "end"):
        expected = np.sort(one.seconds_at(one.notes[name]))
        assert np.abs(np.sort(steady.seconds_at(steady.notes[name])) - expected).max() <= tick
    assert same(steady.at_constant_tempo(), steady)


def test_a_prompt_and_its_tail_are_one_tune():
    prompt, tail = melody([60, 62, 64, 65]), melody([67, 69], start=96, tempos=[[0, 500_000], [120, 400_000]])
    whole = joined(prompt, tail)
    assert whole.notes["pitch"].tolist() == [60, 62, 64, 65, 67, 69]
    assert whole.tempos.tolist() == [[0, 500_000], [120, 400_000]]
    assert whole.seconds == pytest.approx(5 * 0.5 + 0.4)
