"""Layers of calls: birds, insects, frogs, voices, alarms; one caller or a chorus."""

from __future__ import annotations

import numpy as np

from tools.synthetic.events import fade_ends, place_events
from tools.synthetic.processes import coloured, regular
from tools.synthetic.stage import RenderContext, decibels, unit


def calls(stage: RenderContext) -> np.ndarray:
    """Callers of one to three types, each with its own position, distance and rate, ``[channels, time]``."""
    found = stage.silence()
    kinds = [Kind(stage) for _ in range(stage.integer(1, 3))]
    for number in range(int(stage.log_uniform(1, 14))):
        kind = kinds[number % len(kinds)]
        phrases = [kind.phrase() for _ in range(stage.integer(1, 4))]
        longest = max(len(phrase) for phrase in phrases) / stage.rate
        rate = stage.log_uniform(0.1, 4.0)
        times = regular(stage, min(rate, 1 / longest)) if stage.chance(0.5) else regular(stage, rate)
        times = times[(times >= 0) & (times < stage.seconds)]
        far = decibels(-stage.uniform(0, 24))
        found += far * place_events(stage, phrases, times, stage.uniform(0, 4), 0.0)
    return found


class Kind:
    """A type of caller: the common parameters of its syllables and phrases.

    Args:
        stage: source of random pitch range, sweep, vibrato, harmonics, formants and rhythm.
    """

    def __init__(self, stage: RenderContext) -> None:
        self.stage = stage
        self.pitch = stage.log_uniform(80, 7000)
        self.range = stage.uniform(0.02, 1.0)  # octaves between syllables
        self.sweep, self.arc = stage.uniform(-1.5, 1.5), stage.uniform(-1.0, 1.0)  # octaves
        self.vibrato, self.depth = stage.log_uniform(4, 120), stage.log_uniform(0.003, 0.5) * stage.integer(0, 1)
        self.beat, self.tremor = stage.log_uniform(5, 150), stage.uniform(0, 1) * stage.integer(0, 1)
        self.harmonics = stage.integer(1, 4) if self.pitch > 1500 else stage.integer(1, 24)
        self.slope = stage.uniform(0.3, 2.5)
        self.formants = stage.log_uniforms(300, 6000, 3)
        self.hoarse = stage.uniform(0, 0.5) * stage.integer(0, 1)
        self.long = stage.log_uniform(0.02, 1.2)
        self.repeats = int(stage.log_uniform(1, 16)) if self.long < 0.3 else 1
        self.attack = stage.uniform(0.03, 0.5)

    def phrase(self) -> np.ndarray:
        """Syllables in a row, ``[time]``; 3 s at most."""
        gap = self.stage.log_uniform(0.2, 2.0) * self.long
        parts = []
        for _ in range(self.repeats):
            parts += [self.syllable(), np.zeros(int(gap * self.stage.rate), np.float32)]
        return unit(np.concatenate(parts[:-1])[: 3 * self.stage.rate])

    def syllable(self) -> np.ndarray:
        """One syllable, ``[time]``: frequency modulation (Chowning 1973, J. AES 21(7)) of a stack of harmonics."""
        stage = self.stage
        count = int(self.long * stage.uniform(0.7, 1.3) * stage.rate) + 32
        time = np.arange(count, dtype=np.float32) / np.float32(stage.rate)
        part = np.linspace(0, 1, count, dtype=np.float32)
        octaves = self.range * stage.uniform(-0.5, 0.5) + self.sweep * (part - 0.5) + self.arc * np.sin(np.pi * part)
        octaves += self.depth * np.sin(2 * np.pi * self.vibrato * time + stage.uniform(0, 6))
        hertz = np.clip(self.pitch * 2.0**octaves, 40, stage.highest)
        phase = np.cumsum(2 * np.pi * hertz / stage.rate)
        voice = self._harmonics(phase, hertz)
        if self.hoarse:
            voice *= 1 + self.hoarse * coloured(stage.draw, 1, count, stage.rate, 0.5, 50, 4000)[0]
        if self.tremor:
            voice *= 1 - self.tremor * (0.5 + 0.5 * np.sin(2 * np.pi * self.beat * time))
        envelope = np.minimum(part / self.attack, (1 - part) / (1 - self.attack)) ** stage.uniform(0.4, 2.0)
        return fade_ends((voice * envelope).astype(np.float32), 32)

    def _harmonics(self, phase: np.ndarray, hertz: np.ndarray) -> np.ndarray:
        middle = float(hertz.mean())
        voice = np.zeros(len(phase), np.float32)
        for number in range(1, self.harmonics + 1):
            if number * float(hertz.max()) > self.stage.highest:
                break
            resonance = sum(1 / (1 + (6 * np.log2(number * middle / formant)) ** 2) for formant in self.formants)
            gain = number**-self.slope * (0.1 + resonance if self.harmonics > 4 else 1.0)
            voice += np.float32(gain) * np.sin(np.float32(np.mod(number * phase, 2 * np.pi)))
        return voice if voice.any() else np.sin(np.float32(np.mod(phase, 2 * np.pi)))
