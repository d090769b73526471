"""Pitched layers: hums of mains and machines, engines, and notes in a repeated pattern."""

from __future__ import annotations

import numpy as np

from tools.synthetic.events import place_events
from tools.synthetic.fields import noise, random_spectrum
from tools.synthetic.impacts import sounds_of
from tools.synthetic.processes import drift, slow, stretched
from tools.synthetic.stage import RenderContext, decibels, unit

TABLE = 4096  # samples of one cycle of a waveform
MAINS = (50.0, 60.0)  # Hz


def hums(stage: RenderContext) -> np.ndarray:
    """One to four harmonic stacks whose pitch, level and timbre drift slowly, ``[channels, time]``."""
    found, base = stage.silence(), stage.log_uniform(30, 500)
    mains = stage.draw.choice(MAINS) if stage.chance(0.25) else None
    for _ in range(stage.integer(1, 4)):
        ratio = float(stage.draw.choice([1, 1, 1.5, 2, 2.5, 3, 4, stage.log_uniform(0.5, 8)]))
        detune = 1 + stage.log_uniform(0.0002, 0.01) * stage.uniform(-1, 1)
        hertz = mains or base * ratio * detune
        wander = 0.0 if mains else stage.log_uniform(0.0003, 0.02)
        octaves = wander * drift(stage, stage.log_uniform(0.05, 6))
        level = decibels(stage.uniform(0, 5) * drift(stage, stage.log_uniform(0.05, 4)))
        found += stage.panned(_stack(stage, hertz * np.exp2(octaves)) * level * decibels(-stage.uniform(0, 15)))
    return found


def _stack(stage: RenderContext, hertz: np.ndarray) -> np.ndarray:
    """``[time]`` of a pitch in Hz: two waveforms at its phase, cross-faded back and forth."""
    phase = np.cumsum(hertz / stage.rate, dtype=np.float64) + stage.uniform(0, 1)
    index = (np.mod(phase, 1.0) * TABLE).astype(np.int32) % TABLE
    first, second = (_waveform(stage, float(hertz.max())) for _ in range(2))
    share = 0.5 + 0.5 * np.tanh(drift(stage, stage.log_uniform(0.05, 2)))
    return first[index] * (1 - share) + second[index] * share


def _waveform(stage: RenderContext, highest: float) -> np.ndarray:
    """One cycle of unit power with random harmonics, none of them above the highest frequency, ``[TABLE]``."""
    count = int(np.clip(stage.highest / highest, 1, stage.log_uniform(1, 120)))
    number = np.arange(1, count + 1)
    gains = number ** -stage.uniform(0.2, 2.5) * decibels(stage.uniform(0, 10) * stage.draw.standard_normal(count))
    gains *= np.where(number % 2 == 0, stage.draw.choice([1.0, 1.0, 0.05]), 1.0)
    spectrum = np.zeros(TABLE // 2 + 1, complex)
    spectrum[1 : count + 1] = gains * np.exp(2j * np.pi * stage.draw.random(count))
    return unit(np.fft.irfft(spectrum, TABLE).astype(np.float32))


def engines(stage: RenderContext) -> np.ndarray:
    """A train of firings of uneven cylinders through resonances, whose rate drifts, ``[channels, time]``.

    Pulses into a bank of resonators, as in physically informed engine models (Farnell 2010, Designing Sound,
    part IV); noise is modulated at the same rate.
    """
    rate, wander = stage.log_uniform(4, 90), stage.log_uniform(0.005, 0.25)
    count = max(16, int(16 * stage.seconds))
    pace = rate * np.exp2(wander * slow(stage, count, stage.log_uniform(0.05, 2)))
    turns = np.cumsum(pace) * stage.seconds / count
    firings = np.interp(np.arange(0, turns[-1]), turns, np.linspace(0, stage.seconds, count))
    firings += stage.log_uniform(0.001, 0.15) / rate * stage.draw.standard_normal(len(firings))
    sounds = sounds_of(stage, cylinders := stage.integer(1, 8), min(0.4, 6 / rate))
    unevenness, found = stage.uniform(0, 8), stage.silence()
    for number in range(cylinders):
        times = firings[number::cylinders]
        times = times[(times >= 0) & (times < stage.seconds)]
        gain = decibels(unevenness * stage.uniform(-1, 0))
        found += gain * place_events(stage, sounds[number : number + 1], times, stage.uniform(0, 2), 0.0)
    found = unit(found)
    if stage.chance(0.7):
        cycle = stretched(turns, stage.length) / cylinders
        swing = 1 - stage.uniform(0, 0.9) * (0.5 + 0.5 * np.cos(np.float32(2 * np.pi) * np.mod(cycle, 1.0)))
        spectrum = random_spectrum(stage)
        hiss = unit(noise(stage, lambda times, hertz: spectrum(hertz)[None] + np.zeros((len(times), 1))))
        found += decibels(stage.uniform(-25, 0)) * hiss * swing
    return found


SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 2, 4, 7, 9), (0, 3, 5, 7, 10), (0, 7), (0, 4, 7), (0,))


def notes(stage: RenderContext) -> np.ndarray:
    """A pattern of plucked, struck, blown or drummed notes, repeated with variations, ``[channels, time]``."""
    found, beat = stage.silence(), stage.log_uniform(0.08, 0.6)
    steps, tonic, scale = stage.integer(3, 32), stage.log_uniform(40, 500), stage.draw.choice(len(SCALES))
    for _ in range(stage.integer(1, 3)):
        drums = stage.chance(0.4)
        octave = 1 if drums else 2.0 ** stage.integer(0, 2)
        pool = [
            sounds_of(stage, 1, 1.0)[0] if drums else _note(stage, tonic * octave * _degree(stage, SCALES[scale]))
            for _ in range(stage.integer(1, 8))
        ]
        pattern = np.where(
            stage.draw.random(steps) < stage.uniform(0.2, 0.9), stage.draw.integers(0, len(pool), steps), -1
        )
        played = np.resize(pattern, int(stage.seconds / beat))
        changed = stage.draw.random(len(played)) < stage.uniform(0, 0.2)
        played[changed] = stage.draw.integers(-1, len(pool), int(changed.sum()))
        late = stage.log_uniform(0.0005, 0.03)
        for number, sound in enumerate(pool):
            times = np.flatnonzero(played == number) * beat
            times = np.clip(times + late * stage.draw.standard_normal(len(times)), 0, stage.seconds - 1e-3)
            if len(times):
                found += place_events(stage, [sound], times, stage.uniform(0, 4), 0.0)
    return found


def _degree(stage: RenderContext, scale: tuple[int, ...]) -> float:
    """Ratio to the tonic of a random note of a scale."""
    return float(2 ** (stage.draw.choice(scale) / 12 + stage.integer(0, 1)))


def _note(stage: RenderContext, hertz: float) -> np.ndarray:
    """A note of ``hertz``, ``[time]``: stiff-string partials with frequency-dependent decay, plucked or blown."""
    decay, damping, stiff = stage.log_uniform(0.1, 3.0), stage.uniform(0.0, 1.0), stage.log_uniform(1e-6, 1e-3)
    number = np.arange(1, stage.integer(2, 20))
    partials = hertz * number * np.sqrt(1 + stiff * number**2)
    partials, number = partials[partials < stage.highest], number[partials < stage.highest]
    time = np.arange(int(min(decay, 1.5) * stage.rate) + 64, dtype=np.float32) / np.float32(stage.rate)
    rates = np.float32(6.9 / decay * number**damping * stage.integer(0, 1) + 0.5)
    gains = np.float32(number ** -stage.uniform(0.3, 2.5) * np.abs(np.sin(np.pi * number * stage.uniform(0.05, 0.5))))
    sines = np.sin(np.float32(2 * np.pi) * np.mod(np.outer(partials, time), 1.0).astype(np.float32))
    sound = gains @ (np.exp(np.outer(-rates, time)) * sines)
    attack = np.minimum(1, time / np.float32(stage.log_uniform(0.001, 0.2)))
    return unit(sound * attack * np.minimum(1, (time[-1] - time) / np.float32(0.02)))
