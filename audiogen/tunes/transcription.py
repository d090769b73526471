"""Monophonic transcription: Recording -> Tune, by probabilistic YIN and onset detection.

Mauch & Dixon 2014, "pYIN: A fundamental frequency estimator using probabilistic threshold distributions", as in
librosa. For recordings of a single voice; chords are not detected.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from audiogen.audio import Recording
from audiogen.tunes.tune import NOTE, Part, Tune, tidy

SAMPLE_RATE, HOP = 22050, 256  # Hz, samples (12 ms)
MIN_PITCH, MAX_PITCH = 65.0, 2100.0  # Hz, C2 to C7
MIN_NOTE = 4  # frames
MIN_REPEAT = 15  # frames between onsets of one pitch: a slow attack is no second note
MAX_GAP = 3  # frames without a pitch within a note
MIN_LOUDNESS = 0.03  # of the loudest frame: below, a note has decayed
VELOCITY = 80
TimedNote = tuple[float, float, int, int]
"""Start and end in seconds, MIDI pitch, velocity."""


def transcribe(recording: Recording, clock: Tune, since: float) -> Tune:
    """Transcribe a single voice.

    Args:
        recording: of the voice alone.
        clock: tune whose tempos, meters and resolution the result has.
        since: time on that clock at which the recording begins, seconds.

    Returns:
        A tune with one part, which may have no notes.
    """
    notes = [
        (first * HOP / SAMPLE_RATE, last * HOP / SAMPLE_RATE, pitch, VELOCITY)
        for first, last, pitch in detect_notes(recording)
    ]
    return tune_from_notes(notes, clock, since, clock.parts[0].program if clock.parts else 0)


def tune_from_notes(
    notes: Sequence[tuple[float, float, int, int]], clock: Tune, since: float, program: int = 0
) -> Tune:
    """A tune with one part from (start, end, pitch, velocity) in seconds after ``since``; see `transcribe`."""
    rows = [
        (*clock.ticks_at(np.array([start, end]) + since).tolist(), pitch, velocity, 0)
        for start, end, pitch, velocity in notes
    ]
    table = np.array([(start, max(end, start + 1), *rest) for start, end, *rest in rows], NOTE)
    part = Part(program, name="transcribed")
    return Tune(tidy(table), (part,), clock.ticks_per_quarter, clock.tempos, clock.meters)


def detect_notes(recording: Recording) -> list[tuple[int, int, int]]:
    """(first frame, last frame + 1, MIDI pitch) of each note, in frames of `HOP` samples."""
    import librosa

    sound = recording.resampled(SAMPLE_RATE).samples.mean(axis=0)
    if len(sound) < 4 * HOP or not np.abs(sound).max() > 0:
        return []
    hertz, _, _ = librosa.pyin(
        sound, fmin=MIN_PITCH, fmax=MAX_PITCH, sr=SAMPLE_RATE, hop_length=HOP, frame_length=1024, resolution=0.25
    )
    loudness = librosa.feature.rms(y=sound, frame_length=1024, hop_length=HOP)[0][: len(hertz)]
    with np.errstate(invalid="ignore"):
        voiced = np.isfinite(hertz) & (loudness > MIN_LOUDNESS * loudness.max())
    pitches = np.where(voiced, np.rint(librosa.hz_to_midi(np.where(voiced, hertz, 440.0))), -1).astype(int)
    onsets = set(librosa.onset.onset_detect(y=sound, sr=SAMPLE_RATE, hop_length=HOP, backtrack=False).tolist())
    return segment_notes(pitches.tolist(), onsets)


def segment_notes(pitches: list[int], onsets: set[int]) -> list[tuple[int, int, int]]:
    """Segment frames into notes, as of `detect_notes`.

    Args:
        pitches: MIDI pitch of each frame, -1 for none.
        onsets: frames with an onset.
    """
    notes: list[tuple[int, int, int]] = []
    first, last, current = 0, 0, -1
    for frame, pitch in enumerate([*pitches, -1]):
        repeated = frame in onsets and frame - first >= MIN_REPEAT
        ended = frame - last > MAX_GAP or frame == len(pitches)
        if current >= 0 and (ended or (pitch >= 0 and (pitch != current or repeated))):
            if last + 1 - first >= MIN_NOTE:
                notes.append((first, last + 1, current))
            current = -1
        if pitch >= 0:
            if current < 0:
                first, current = frame, pitch
            last = frame
    return notes
