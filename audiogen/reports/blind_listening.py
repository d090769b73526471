"""Blind listening test: ABX and a MUSHRA-style rating of loudness-matched stimuli, in one HTML page.

**ABX**: A is real audio, B the continuation, X another segment of one of the two; which one? The chance level is one
half. X is another segment because any two segments of rain differ: the question is whether real and generated can be
distinguished.

**Rating** after ITU-R BS.1534-3 (MUSHRA): each stimulus is rated from 0 to 100 next to an open reference, here the end
of the prompt. Among the stimuli are the hidden reference (the real continuation) and the anchor (the same, low-passed
at 3.5 kHz). Unlike in a codec test, the reference is not the same segment, so the scale is similarity: how much a
stimulus sounds like more of the same recording.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from audiogen.audio import LoudnessMeter, Recording
from audiogen.metrics.evaluation_inputs import EvaluationInputs
from audiogen.reports.panels import audio_uri, write_template
from audiogen.reports.webmushra import CONFIGURATION, FOLDER, write_webmushra

STIMULUS_SECONDS = 12.0
ANCHOR_HERTZ = 3500.0  # cutoff of the low anchor of BS.1534-3
TARGET_LUFS = -18.0  # of all stimuli; lower if one of them would exceed the headroom
HEADROOM_DB = 1.0  # below full scale


@dataclass(frozen=True)
class Stimulus:
    """A sound to be rated.

    Args:
        role: "reference" (open), "real" (hidden reference), "anchor", "output", or a baseline's name.
        sound: without the gain.
        gain: dB, to the common loudness.
        loudness: LUFS before the gain; None if the sound is too short or too quiet to have one.
    """

    role: str
    sound: Recording
    gain: float
    loudness: float | None


def make_stimuli(inputs: EvaluationInputs) -> list[Stimulus]:
    """The first `STIMULUS_SECONDS` of each sound, with gains to equal loudness."""
    real = _beginning(inputs.real)
    sounds = {
        "reference": inputs.source.last(STIMULUS_SECONDS),
        "real": real,
        "anchor": low_pass_anchor(real),
        "output": _beginning(inputs.excerpt),
        **{name: _beginning(sound) for name, sound in inputs.baselines.items()},
    }
    loudness = {role: _loudness(sound) for role, sound in sounds.items()}
    peaks = {role: 20 * np.log10(max(float(np.abs(sound.samples).max()), 1e-6)) for role, sound in sounds.items()}
    room = [level - peaks[role] - HEADROOM_DB for role, level in loudness.items() if level is not None]
    target = min([TARGET_LUFS, *room])
    gains = {role: 0.0 if level is None else target - level for role, level in loudness.items()}
    return [Stimulus(role, sound, gains[role], loudness[role]) for role, sound in sounds.items()]


def low_pass_anchor(recording: Recording) -> Recording:
    """The anchor: low-passed at 3.5 kHz (eighth-order Butterworth, zero phase)."""
    from scipy.signal import butter, sosfiltfilt

    if recording.sample_rate <= 2.2 * ANCHOR_HERTZ:
        return recording
    filters = butter(8, ANCHOR_HERTZ, fs=recording.sample_rate, output="sos")
    padded = min(recording.length - 1, recording.sample_rate // 10)
    passed = sosfiltfilt(filters, recording.samples, axis=1, padlen=padded)
    return Recording(passed.astype(np.float32), recording.sample_rate)


def write_listening_test(path: Path, name: str, inputs: EvaluationInputs, seed: int) -> None:
    """Write the page, and beside it the folder `webmushra.FOLDER`.

    Args:
        path: HTML file to write.
        name: of the continuation, for the results.
        inputs: the sounds of the evaluation.
        seed: default random seed of the presentation orders; the listener may change it.
    """
    stimuli = make_stimuli(inputs)
    write_webmushra(path.with_name(FOLDER), name, stimuli)
    data: dict[str, Any] = {
        "name": name,
        "seed": seed,
        "stimuli": [
            {
                "role": each.role,
                "seconds": round(each.sound.seconds, 3),
                "gain_db": round(each.gain, 2),
                "loudness_lufs": None if each.loudness is None else round(each.loudness, 2),
                "audio": audio_uri(each.sound, 10 ** (each.gain / 20)),
            }
            for each in stimuli
        ],
    }
    values = {"title": f"{name}, blind listening test", "data": data, "webmushra": f"{FOLDER}/{CONFIGURATION}"}
    write_template(path, "listening_test.html.j2", values)


def _beginning(recording: Recording) -> Recording:
    return recording.cut(0, min(recording.length, round(STIMULUS_SECONDS * recording.sample_rate)))


def _loudness(recording: Recording) -> float | None:
    meter = LoudnessMeter(recording.sample_rate, recording.channels)
    meter.push(recording.samples)
    return meter.integrated()
