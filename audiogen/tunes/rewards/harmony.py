"""Rewards of harmony: voice leading of several parts, and notes that fit given chords."""

from __future__ import annotations

import re

import numpy as np

from audiogen.errors import InputError
from audiogen.tunes.rewards.base import Rule
from audiogen.tunes.rewards.passage import Passage
from audiogen.tunes.rewards.tonality import pitch_class
from audiogen.tunes.tokens.notes_tokenizer import top_line
from audiogen.tunes.tune import Tune

QUALITIES = {
    "": (0, 4, 7),
    "m": (0, 3, 7),
    "7": (0, 4, 7, 10),
    "maj7": (0, 4, 7, 11),
    "m7": (0, 3, 7, 10),
    "dim": (0, 3, 6),
    "aug": (0, 4, 8),
    "sus4": (0, 5, 7),
}
"""Intervals of chords above their root, semitones."""
ENOUGH_CHORD_TONES = 0.75  # of the time: passing and neighbour notes take the rest
SILENT = -1
MAX_SPACING, MAX_BASS_SPACING = 12, 24  # semitones between neighbouring parts; between the two lowest
PARALLEL = (0, 7)  # octaves and unisons; fifths
FAULT_WEIGHT = 4.0  # one fault in four moments halves the reward


def sounding_pitches(tune: Tune) -> np.ndarray:
    """The pitch of each part, from its highest notes, at each moment at which a note begins: ``[parts, moments]``.

    Parts come from the highest to the lowest on average; `SILENT` where a part rests.
    """
    notes = tune.melodic_notes
    moments = np.unique(notes["start"])
    rows = []
    for part in np.unique(notes["part"]):
        line = top_line(Tune(notes[notes["part"] == part], tune.parts, tune.ticks_per_quarter))
        index = np.searchsorted(line["start"], moments, side="right") - 1
        sounds = (index >= 0) & (line["end"][index] > moments)
        rows.append(np.where(sounds, line["pitch"][index].astype(int), SILENT))
    rows.sort(key=lambda row: -float(row[row != SILENT].mean()))
    return np.array(rows).reshape(-1, len(moments))


def voice_leading_faults(pitches: np.ndarray) -> dict[str, int]:
    """Number of parallels, crossings and wide spacings in parts ``[parts, moments]``.

    Parallels: two parts move in one direction from a fifth, octave or unison to the next one of its kind.
    """
    faults = {"parallels": 0, "crossings": 0, "spacing": 0}
    present = pitches != SILENT
    moves = np.diff(pitches, axis=1)
    for upper in range(len(pitches)):
        for lower in range(upper + 1, len(pitches)):
            both = present[upper] & present[lower]
            interval = pitches[upper] - pitches[lower]
            kind = np.where(both, interval % 12, SILENT)
            similar = (np.sign(moves[upper]) == np.sign(moves[lower])) & (moves[upper] != 0)
            perfect = np.isin(kind[1:], PARALLEL) & (kind[1:] == kind[:-1])
            faults["parallels"] += int((similar & perfect).sum())
            if lower == upper + 1:
                most = MAX_BASS_SPACING if lower == len(pitches) - 1 else MAX_SPACING
                faults["crossings"] += int((both & (interval < 0)).sum())
                faults["spacing"] += int((both & (interval > most)).sum())
    return faults


class VoiceLeading(Rule):
    """Parts without parallel fifths and octaves, crossings and wide gaps.

    The rules of part-writing as Huron (2001, "Tone and Voice", Music Perception 19) derives them from perception. The
    value is ``1 / (1 + 4 faults / moments)``, a moment being a time at which some part begins a note, multiplied by the
    fraction of moments at which at least two parts sound: only there can a rule be broken.
    """

    kind = "voices"

    def judge(self, passage: Passage) -> float:
        pitches = sounding_pitches(passage.tail)
        together = float(((pitches != SILENT).sum(axis=0) > 1).mean())
        return together / (1 + FAULT_WEIGHT * sum(voice_leading_faults(pitches).values()) / pitches.shape[1])


class FitsChords(Rule):
    """Notes belong to given chords, one for each bar of the tail and again from the first: ``chords:G,C,D7,G``.

    The mean over bars of the fraction of the sounding time on chord tones, relative to `ENOUGH_CHORD_TONES` and limited
    to 1 in each bar: notes of one chord do not make up for those of another. A chord is a root and one of `QUALITIES`.
    """

    kind = "chords"

    def __init__(self, argument: str = "") -> None:
        super().__init__(argument)
        if not argument:
            raise InputError("chords", "it names no chords", "write them for each bar, such as chords:G,C,D7,G")
        self.chords = [self._parse(text) for text in argument.split(",")]

    def _parse(self, text: str) -> np.ndarray:
        match = re.fullmatch(r"([A-G][#b]?)(.*)", text.strip())
        root = pitch_class(match[1]) if match else None
        if match is None or root is None or match[2] not in QUALITIES:
            kinds = ", ".join(f"G{quality}" for quality in QUALITIES)
            raise InputError(self.name, f"{text.strip()!r} is no chord", f"write them as {kinds}")
        return (np.array(QUALITIES[match[2]]) + root) % 12

    def judge(self, passage: Passage) -> float:
        notes, edges = passage.notes, passage.bar_lines[passage.first_bar :]
        starts, ends = edges[:-1, None], edges[1:, None]
        sounding = (np.minimum(notes["end"], ends) - np.maximum(notes["start"], starts)).clip(min=0)
        chords = np.array([np.isin(np.arange(12), chord) for chord in self.chords])
        fits = chords[np.arange(len(starts)) % len(chords)][:, notes["pitch"] % 12]
        fractions = (sounding * fits).sum(axis=1) / np.maximum(sounding.sum(axis=1), 1)
        return float(np.minimum(fractions / ENOUGH_CHORD_TONES, 1).mean()) if len(starts) else 0.0
