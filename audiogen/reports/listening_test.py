"""Blind listening page: an ABX test and a MUSHRA-style rating, self-contained, on one loudness.

**ABX**: A is real audio, B the continuation, X another stretch of one of the two; which? Chance is half. (X is
another stretch, since any two stretches of rain differ: the question is whether the kind can be told.)

**Rating**: after ITU-R BS.1534-3 (MUSHRA), every candidate on a scale of 0 to 100 beside an open reference, here
the end of the prompt; among them are the hidden reference (what truly came next) and the anchor (the same,
low-passed at 3.5 kHz). Other than in a codec's test the reference is not the same piece of sound, so the scale
is how much it sounds like more of the same recording.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from audiogen.audio import LoudnessMeter, Recording
from audiogen.metrics.evaluation_inputs import EvaluationInputs
from audiogen.metrics.tail_evaluator import end_of
from audiogen.reports.panels import audio_uri, write_template

SECONDS = 12.0  # of each stimulus
ANCHOR = 3500.0  # Hz, BS.1534-3's low anchor
LOUDEST = -18.0  # LUFS of all stimuli, or less where one would come within 1 dB of full scale
HEADROOM = 1.0  # dB


@dataclass(frozen=True)
class Stimulus:
    """A sound to be judged.

    Args:
        role: "reference" (open), "real" (hidden reference), "anchor", "output", or a baseline's name.
        sound: as it was.
        gain: in dB, to the common loudness.
        loudness: LUFS before the gain; None for what is too short or too soft to have one.
    """

    role: str
    sound: Recording
    gain: float
    loudness: float | None


def stimuli(sounds: EvaluationInputs) -> list[Stimulus]:
    """What is listened to: `SECONDS` of each sound, with the gains that make them equally loud."""
    real = _beginning(sounds.real)
    heard = {
        "reference": end_of(sounds.source, SECONDS),
        "real": real,
        "anchor": low_passed(real),
        "output": _beginning(sounds.excerpt),
        **{name: _beginning(sound) for name, sound in sounds.baselines.items()},
    }
    loudness = {role: _loudness(sound) for role, sound in heard.items()}
    peaks = {role: 20 * np.log10(max(float(np.abs(sound.samples).max()), 1e-6)) for role, sound in heard.items()}
    room = [level - peaks[role] - HEADROOM for role, level in loudness.items() if level is not None]
    target = min([LOUDEST, *room])
    gains = {role: 0.0 if level is None else target - level for role, level in loudness.items()}
    return [Stimulus(role, sound, gains[role], loudness[role]) for role, sound in heard.items()]


def low_passed(recording: Recording) -> Recording:
    """The anchor: nothing above 3.5 kHz (eighth-order Butterworth, zero phase)."""
    from scipy.signal import butter, sosfiltfilt

    if recording.sample_rate <= 2.2 * ANCHOR:
        return recording
    filters = butter(8, ANCHOR, fs=recording.sample_rate, output="sos")
    padded = min(recording.length - 1, recording.sample_rate // 10)
    passed = sosfiltfilt(filters, recording.samples, axis=1, padlen=padded)
    return Recording(passed.astype(np.float32), recording.sample_rate)


def write_blind(path: Path, name: str, sounds: EvaluationInputs, seed: int) -> None:
    """Write the page.

    Args:
        path: HTML file to write.
        name: of what is judged, for the results.
        sounds: what was judged by the measures.
        seed: of all orders; the page shows it, and a listener may choose another.
    """
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
            for each in stimuli(sounds)
        ],
    }
    write_template(path, "blind.html.j2", {"title": f"{name}, blind", "data": data})


def _beginning(recording: Recording) -> Recording:
    return recording.cut(0, min(recording.length, round(SECONDS * recording.sample_rate)))


def _loudness(recording: Recording) -> float | None:
    meter = LoudnessMeter(recording.sample_rate, recording.channels)
    meter.push(recording.samples)
    return meter.integrated()
