"""Recording -> Tune, for one voice: its pitch by probabilistic YIN, its notes by changes of pitch and by onsets.

Mauch & Dixon 2014, "pYIN: A fundamental frequency estimator using probabilistic threshold distributions", in
librosa. Chords are beyond it: transcribe what is known to be one voice.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from audiogen.audio import Recording
from audiogen.tunes.tune import NOTE, Part, Tune, tidy

SAMPLE_RATE, HOP = 22050, 256  # Hz, samples: 12 ms
LOWEST, HIGHEST = 65.0, 2100.0  # Hz, C2 to C7
SHORTEST = 4  # frames of a note
RESTRUCK = 15  # frames after which the same pitch may be struck again: a slow attack is no second note
GAP = 3  # frames of a note in which no pitch is found
QUIETEST = 0.03  # of the loudest frame: what is fainter is the end of a note's decay
VELOCITY = 80


def transcribe(recording: Recording, clock: Tune, since: float) -> Tune:
    """The notes of one voice.

    Args:
        recording: the voice, alone.
        clock: whose tempos and meters hold.
        since: seconds of the clock at which the recording begins.

    Returns:
        A tune of one part, as many notes as are heard, at the clock's ticks and resolution.
    """
    notes = [
        (first * HOP / SAMPLE_RATE, last * HOP / SAMPLE_RATE, pitch, VELOCITY)
        for first, last, pitch in detect_notes(recording)
    ]
    return tune_of(notes, clock, since, clock.parts[0].program if clock.parts else 0)


def tune_of(notes: Sequence[tuple[float, float, int, int]], clock: Tune, since: float, program: int = 0) -> Tune:
    """A tune of one part, on a clock, of (start, end, pitch, velocity), seconds after ``since`` of that clock."""
    rows = [
        (*clock.ticks_at(np.array([start, end]) + since).tolist(), pitch, velocity, 0)
        for start, end, pitch, velocity in notes
    ]
    table = np.array([(start, max(end, start + 1), *rest) for start, end, *rest in rows], NOTE)
    part = Part(program, name="transcribed")
    return Tune(tidy(table), (part,), clock.ticks_per_quarter, clock.tempos, clock.meters)


def detect_notes(recording: Recording) -> list[tuple[int, int, int]]:
    """(first frame, frame after the last, pitch) of each note, frames of `HOP` samples."""
    import librosa

    sound = recording.resampled(SAMPLE_RATE).samples.mean(axis=0)
    if len(sound) < 4 * HOP or not np.abs(sound).max() > 0:
        return []
    hertz, _, _ = librosa.pyin(
        sound, fmin=LOWEST, fmax=HIGHEST, sr=SAMPLE_RATE, hop_length=HOP, frame_length=1024, resolution=0.25
    )
    loudness = librosa.feature.rms(y=sound, frame_length=1024, hop_length=HOP)[0][: len(hertz)]
    with np.errstate(invalid="ignore"):
        voiced = np.isfinite(hertz) & (loudness > QUIETEST * loudness.max())
    pitches = np.where(voiced, np.rint(librosa.hz_to_midi(np.where(voiced, hertz, 440.0))), -1).astype(int)
    onsets = set(librosa.onset.onset_detect(y=sound, sr=SAMPLE_RATE, hop_length=HOP, backtrack=False).tolist())
    return notes_of(pitches.tolist(), onsets)


def notes_of(pitches: list[int], onsets: set[int]) -> list[tuple[int, int, int]]:
    """Notes from the pitch of each frame (-1: none) and the frames at which something is struck."""
    found: list[tuple[int, int, int]] = []
    first, last, held = 0, 0, -1
    for frame, pitch in enumerate([*pitches, -1]):
        struck = frame in onsets and frame - first >= RESTRUCK
        lost = frame - last > GAP or frame == len(pitches)
        if held >= 0 and (lost or (pitch >= 0 and (pitch != held or struck))):
            if last + 1 - first >= SHORTEST:
                found.append((first, last + 1, held))
            held = -1
        if pitch >= 0:
            if held < 0:
                first, held = frame, pitch
            last = frame
    return found
