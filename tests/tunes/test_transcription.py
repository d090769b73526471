"""Transcription of rendered tunes."""

from __future__ import annotations

import numpy as np
import pytest

from audiogen.audio import Recording
from audiogen.errors import InputError
from audiogen.tunes import piano_transcription
from audiogen.tunes.piano_transcription import is_piano, transcribe_piano
from audiogen.tunes.rendering import render
from audiogen.tunes.transcription import segment_notes, transcribe
from audiogen.tunes.tune import Part
from tests.tune_fixtures import TICKS, melody, tune

PITCHES = [60, 64, 67, 67, 72, 71, 67, 62]


@pytest.mark.parametrize("program", [0, 73], ids=["piano", "flute"])
def test_a_melody_is_transcribed(program: int):
    rows = [(TICKS * index, TICKS * (index + 1), pitch) for index, pitch in enumerate(PITCHES)]
    given = tune(rows, (Part(program),), tempos=[[0, 400_000]])
    found = transcribe(render(given, 22050).cut(0, round(given.seconds * 22050)), given, 0.0)
    assert found.parts[0].program == program
    missed = 0
    for row in given.notes:
        near = np.abs(found.notes["start"] - row["start"]) <= TICKS // 4
        missed += row["pitch"] not in found.notes["pitch"][near]
    assert missed <= 1
    assert len(found.notes) <= len(PITCHES) + 1


def test_notes_are_placed_on_the_given_clock():
    clock = melody([60, 62], tempos=[[0, 400_000]])
    sound = render(tune([(0, TICKS, 69)], (Part(73),), tempos=[[0, 400_000]]), 22050).cut(0, 8820)
    found = transcribe(sound, clock, clock.seconds)
    assert found.notes["pitch"].tolist() == [69]
    assert abs(int(found.notes["start"][0]) - clock.end) <= TICKS // 4


def test_silence_has_no_notes():
    silence = Recording(np.zeros((1, 22050), np.float32), 22050)
    assert len(transcribe(silence, melody([60]), 0.0).notes) == 0


def test_piano_chords_are_transcribed():
    pytest.importorskip("transkun", reason="the transcribe extra is not installed")
    chords = [(48, 64, 67, 72), (53, 60, 69, 72), (55, 62, 65, 71), (48, 60, 64, 72)]
    rows = [
        (2 * TICKS * index, 2 * TICKS * (index + 1), pitch) for index, chord in enumerate(chords) for pitch in chord
    ]
    given = tune(rows, tempos=[[0, 400_000]])
    clock = melody([60, 62], tempos=[[0, 400_000]])
    found = transcribe_piano(render(given, 44100), clock, clock.seconds).shifted(-clock.end)
    near = [
        int(row["pitch"]) in found.notes["pitch"][np.abs(found.notes["start"] - row["start"]) <= TICKS // 4]
        for row in given.notes
    ]
    assert np.mean(near) >= 0.9
    assert len(found.notes) <= len(rows) + 2


def test_whether_a_piano_can_be_transcribed(monkeypatch: pytest.MonkeyPatch):
    assert is_piano(tune([(0, 24, 60)], (Part(0), Part(7))))
    assert not is_piano(tune([(0, 24, 60)], (Part(0), Part(40))))
    assert not is_piano(tune([(0, 24, 60)], (Part(0, True),)))
    silence = Recording(np.zeros((1, 22050), np.float32), 22050)
    assert len(transcribe_piano(silence, melody([60]), 0.0).notes) == 0
    monkeypatch.setattr(piano_transcription, "can_transcribe_piano", lambda: False)
    piano_transcription._model.cache_clear()
    with pytest.raises(InputError, match=r"transkun|transcribe"):
        transcribe_piano(render(melody([60]), 22050), melody([60]), 0.0)


def test_notes_end_at_changes_of_pitch_and_onsets_and_bridge_gaps():
    assert segment_notes([60] * 5 + [62] * 5, set()) == [(0, 5, 60), (5, 10, 62)]
    assert segment_notes([60] * 30, {0, 5, 15}) == [(0, 15, 60), (15, 30, 60)]
    assert segment_notes([60] * 4 + [-1] * 2 + [60] * 4, set()) == [(0, 10, 60)]
    assert segment_notes([60] * 4 + [-1] * 9 + [60] * 4, set()) == [(0, 4, 60), (13, 17, 60)]
    assert segment_notes([60] * 2 + [-1] * 9, set()) == []
