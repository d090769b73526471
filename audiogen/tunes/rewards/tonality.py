"""Rewards of key and ending: notes of a key, an end on its tonic, a cadence.

Keys are found by the probe-tone profiles of Krumhansl & Kessler (1982, "Tracing the dynamic changes in perceived tonal
organization in a spatial representation of musical keys") and the algorithm of Krumhansl & Schmuckler (Krumhansl 1990,
"Cognitive Foundations of Musical Pitch", chapter 4).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from audiogen.errors import InputError
from audiogen.tunes.metrics.note_histograms import histogram
from audiogen.tunes.rewards.base import Rule
from audiogen.tunes.rewards.passage import Passage
from audiogen.tunes.tune import Tune

NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
MAJOR, MINOR = (
    np.array([6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88]),
    np.array([6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17]),
)
"""Probe-tone ratings of Krumhansl & Kessler (1982), from the tonic upwards."""
SCALES = {"": (0, 2, 4, 5, 7, 9, 11), "m": (0, 2, 3, 5, 7, 8, 9, 10, 11)}
"""Scale steps in semitones: major, and minor with both forms of its sixth and seventh step."""
TRIADS = {"": (0, 4, 7), "m": (0, 3, 7)}
TRIAD_VALUE = 0.25  # of an ending on the third or fifth of the tonic chord
CHANCE = 0.5  # fraction of notes in the key that is worth nothing: seven of twelve pitch classes are in a scale


@dataclass(frozen=True)
class Key:
    """A key.

    Args:
        tonic: pitch class, 0 for C.
        mode: "" for major, "m" for minor.
    """

    tonic: int
    mode: str = ""

    @property
    def name(self) -> str:
        return NAMES[self.tonic] + self.mode

    @property
    def scale(self) -> np.ndarray:
        """Pitch classes of the scale."""
        return (np.array(SCALES[self.mode]) + self.tonic) % 12

    @property
    def triad(self) -> np.ndarray:
        """Pitch classes of the tonic chord."""
        return (np.array(TRIADS[self.mode]) + self.tonic) % 12


def pitch_class(name: str) -> int | None:
    """The pitch class of a note name, ``"F#"`` or ``"Bb"``; None if it is none."""
    match = re.fullmatch(r"([A-Ga-g])([#b]*)", name)
    if not match:
        return None
    letter, accidentals = match.groups()
    return (NAMES.index(letter.upper()) + accidentals.count("#") - accidentals.count("b")) % 12


def parse_key(text: str, subject: str = "key") -> Key:
    """A key from its name: "G", "Bb", "F#m", "Am", "E minor".

    Raises:
        InputError: it is no key.
    """
    match = re.fullmatch(r"([A-Ga-g][#b]?)\s*(m|min|minor|maj|major|)", text.strip())
    tonic = pitch_class(match[1]) if match else None
    if match is None or tonic is None:
        raise InputError(subject, f"{text!r} is no key", "write it as G, Bb, F#m or Am")
    return Key(tonic, "m" if match[2] in ("m", "min", "minor") else "")


def pitch_class_profile(notes: np.ndarray) -> np.ndarray:
    """Fractions of the sounding time by pitch class, ``[12]``."""
    return histogram(notes["pitch"].astype(np.int64) % 12, 12, (notes["end"] - notes["start"]).astype(float))


KEYS = [Key(tonic, mode) for mode in ("", "m") for tonic in range(12)]


def _standardised(profiles: np.ndarray) -> np.ndarray:
    """Profiles ``[..., 12]`` of mean 0 and norm 1; of constant ones, 0."""
    centred = profiles - profiles.mean(axis=-1, keepdims=True)
    return centred / np.maximum(np.linalg.norm(centred, axis=-1, keepdims=True), 1e-12)


_RATINGS = _standardised(np.array([np.roll(MINOR if key.mode else MAJOR, key.tonic) for key in KEYS]))


def key_strengths(profile: np.ndarray) -> dict[Key, float]:
    """Correlation of a profile ``[12]`` with that of each of the 24 keys, -1..1."""
    return dict(zip(KEYS, (_RATINGS @ _standardised(profile)).tolist(), strict=True))


def estimate_key(tune: Tune) -> Key:
    """The key with the strongest correlation; C for a tune without notes."""
    notes = tune.melodic_notes
    if not len(notes):
        return Key(0)
    strengths = key_strengths(pitch_class_profile(notes))
    return max(strengths, key=lambda key: strengths[key])


class _OfKey(Rule):
    """A rule about a key: the argument's, or else that of the prompt, or else that of the tune."""

    def __init__(self, argument: str = "") -> None:
        super().__init__(argument)
        self.key = parse_key(argument, f"{self.kind}:{argument}") if argument else None
        self._found: tuple[Tune, Key] | None = None

    def key_of(self, passage: Passage) -> Key:
        if self.key is not None:
            return self.key
        tune = passage.tail if passage.prompt is None else passage.prompt
        if self._found is None or self._found[0] is not tune:  # a prompt has thousands of tails
            self._found = (tune, estimate_key(tune))
        return self._found[1]


class InKey(_OfKey):
    """Notes lie in the key, and the key is the one that is heard.

    The fraction of the sounding time on notes of the scale (`CHANCE` of it is worth nothing), times the correlation of
    the pitch-class profile with that key relative to the key it correlates with best. The rule "notes in key" of
    Jaques et al. (2017, "Tuning recurrent neural networks with reinforcement learning"), made continuous.
    """

    kind = "key"

    def judge(self, passage: Passage) -> float:
        key, profile = self.key_of(passage), pitch_class_profile(passage.notes)
        inside = (float(profile[key.scale].sum()) - CHANCE) / (1 - CHANCE)
        strengths = key_strengths(profile)
        best = max(strengths.values())
        return inside * min(max(strengths[key], 0.0) / best, 1.0) if best > 0 else 0.0


class EndsOnTonic(_OfKey):
    """The last note is the tonic, and the tail does not end before its last bar.

    The lowest of the last notes counts. Third and fifth of the tonic chord are worth `TRIAD_VALUE` (Jaques et al. 2017
    reward tonic at the end; closure: Krumhansl & Kessler 1982, Huron 2006, "Sweet Anticipation", chapter 9).
    """

    kind = "ending"
    at_end = True

    def judge(self, passage: Passage) -> float:
        key, notes = self.key_of(passage), passage.notes
        last = notes[notes["end"] == notes["end"].max()]
        pitch = int(last["pitch"].min()) % 12
        value = 1.0 if pitch == key.tonic else TRIAD_VALUE * float(pitch in key.triad)
        lines = passage.bar_lines
        return value if int(last["end"].max()) > int(lines[-2]) else 0.0


class Cadence(_OfKey):
    """The last note is reached as in a cadence: by step or from the dominant, on a beat, and rests there.

    Three equal parts: the bass (of a melody, itself) comes from a neighbour step or the fifth of the key to the tonic;
    the last note begins on a beat; it is at least as long as the median note (Huron 2006, chapter 9).
    """

    kind = "cadence"
    at_end = True

    def judge(self, passage: Passage) -> float:
        key, bass = self.key_of(passage), passage.bass
        if len(bass) < 2 or int(bass["pitch"][-1]) % 12 != key.tonic:
            return 0.0
        pitches = bass["pitch"].astype(int)
        before = pitches[pitches % 12 != key.tonic]
        if not len(before):
            return 0.0
        step = abs(int(before[-1]) - int(pitches[-1])) <= 2 or (int(before[-1]) - key.tonic) % 12 == 7
        lines = passage.bar_lines
        start = int(bass["start"][-1])
        beat = (start - int(lines[np.searchsorted(lines, start, side="right") - 1])) % passage.tail.ticks_per_quarter
        lengths = bass["end"] - bass["start"]
        return (float(step) + float(beat == 0) + float(lengths[-1] >= np.median(lengths))) / 3
