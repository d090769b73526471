"""Separate events (drips, steps, calls): are they kept, in number, level and colour? As a Markdown table.

    python tools/check_events.py -o docs/events.md [RECORDING ...] [--seeds 3]

Three kinds of recordings are synthesised: 48 s of drips at random times, steps on gravel, and calls in motifs, over
noise. The first half of a recording is the prompt. Onsets are counted as rises of the level by 6 dB within 20 ms, and
bands are thirds of octaves: neither is used by the engine. Half seconds of the prompt in random order are the control.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import numpy as np
from markdown_table import table
from scipy.signal import butter, find_peaks, sosfilt

import audiogen
from audiogen.audio import Recording, read
from audiogen.metrics.copying import RepetitionDetector
from audiogen.text_files import write_text

RATE, SECONDS = 44100, 48.0
FRAME_SECONDS = 0.01
RISE_DB, APART_SECONDS = 6.0, 0.06  # of an onset; onsets closer than this are one
AUDIBLE_DB = 45.0  # below the strongest third of an octave, from which on bands count


def drips(random: np.random.Generator) -> np.ndarray:
    """Rising tones that die away, 0.8 a second, at times without memory."""
    samples, at = 0.001 * random.standard_normal(round(SECONDS * RATE)), 0.5
    while at < SECONDS - 1:
        time = np.arange(round(0.25 * RATE)) / RATE
        hertz = random.uniform(700, 1400)
        tone = np.exp(-time / 0.04) * np.sin(2 * np.pi * (hertz * time + 1500 * time**2))
        _add(samples, at, 0.5 * random.uniform(0.5, 1) * tone)
        at += random.exponential(1.2) + 0.1
    return samples


def steps(random: np.random.Generator) -> np.ndarray:
    """Bursts of grains, 1.8 a second, with a spread of 6 % in their intervals."""
    samples, at = 0.002 * random.standard_normal(round(SECONDS * RATE)), 0.1
    band = butter(2, [800, 6000], "band", fs=RATE, output="sos")
    while at < SECONDS - 1:
        time = np.arange(round(0.25 * RATE)) / RATE
        grains = sosfilt(band, random.standard_normal(len(time))) * (random.random(len(time)) < 0.3)
        _add(samples, at, 0.2 * random.uniform(0.7, 1.2) * grains * np.exp(-time / 0.05))
        at += 0.55 * (1 + 0.06 * random.standard_normal())
    return samples


def calls(random: np.random.Generator) -> np.ndarray:
    """One to three times a motif of three chirps, and a pause of 0.8 to 2 s."""
    samples, at = 0.002 * random.standard_normal(round(SECONDS * RATE)), 0.3
    while at < SECONDS - 4:
        for _ in range(int(random.integers(1, 4))):
            for first, last, seconds in ((3000, 4200, 0.12), (4200, 3500, 0.1), (3500, 5000, 0.15)):
                time = np.arange(round(seconds * RATE)) / RATE
                phase = 2 * np.pi * (first * time + (last - first) / seconds * time**2 / 2)
                _add(samples, at, 0.3 * np.sin(phase) * np.hanning(len(time)))
                at += seconds + 0.04
            at += 0.15
        at += random.uniform(0.8, 2)
    return samples


KINDS = {"drips": drips, "steps": steps, "calls": calls}


def _add(samples: np.ndarray, at: float, sound: np.ndarray) -> None:
    start = round(at * RATE)
    samples[start : start + len(sound)] += sound[: max(len(samples) - start, 0)]


def onsets_per_second(recording: Recording) -> float:
    """Rises of the level by `RISE_DB` from one frame to the next but one, over the quietest twentieth."""
    size = round(FRAME_SECONDS * recording.sample_rate)
    power = np.square(recording.samples.astype(float)).sum(axis=0)
    level = 10 * np.log10(power[: len(power) // size * size].reshape(-1, size).mean(axis=1) + 1e-12)
    level = np.maximum(level, np.percentile(level, 5))
    peaks, _ = find_peaks(level[2:] - level[:-2], height=RISE_DB, distance=round(APART_SECONDS / FRAME_SECONDS))
    return len(peaks) / recording.seconds


def thirds(recording: Recording) -> np.ndarray:
    """Level in dB of each third of an octave from 31 Hz to 16 kHz."""
    signal = recording.samples.mean(axis=0)
    power = np.square(np.abs(np.fft.rfft(signal * np.hanning(len(signal))))) / len(signal) ** 2
    hertz = np.fft.rfftfreq(len(signal), 1 / recording.sample_rate)
    centres = 1000 * 2 ** (np.arange(-15, 13) / 3)
    low, high = centres / 2 ** (1 / 6), centres * 2 ** (1 / 6)
    sums = [power[(hertz >= first) & (hertz < last)].sum() for first, last in zip(low, high, strict=True)]
    return 10 * np.log10(np.array(sums) + 1e-14)


def shuffled(prompt: Recording, random: np.random.Generator) -> Recording:
    """Half seconds of the prompt in random order."""
    size = prompt.sample_rate // 2
    count = prompt.length // size
    order = random.permutation(count)
    return Recording(
        np.concatenate([prompt.samples[:, k * size : (k + 1) * size] for k in order], 1), prompt.sample_rate
    )


def measures(prompt: Recording, tails: list[Recording]) -> list[str]:
    """Level, onsets and bands of tails relative to the prompt, and what of them copies it; means over the tails."""
    own, bands = onsets_per_second(prompt), thirds(prompt)
    audible = bands > bands.max() - AUDIBLE_DB
    detector = RepetitionDetector(prompt)
    level = [10 * np.log10(np.square(tail.samples).mean() / np.square(prompt.samples).mean()) for tail in tails]
    rate = [onsets_per_second(tail) / own for tail in tails]
    colour = [np.abs(thirds(tail) - bands)[audible].mean() for tail in tails]
    copied = [detector.copying(tail).fraction for tail in tails]
    return [f"{np.mean(level):+.1f}", f"{np.mean(rate):.2f}", f"{np.mean(colour):.1f}", f"{np.mean(copied):.0%}"]


def rows_of(name: str, whole: Recording, seeds: int) -> list[list[str]]:
    """Lines of the table: what really came next, the default, and the control."""
    prompt, real = whole.cut(0, whole.length // 2), whole.cut(whole.length // 2, whole.length)
    made = []
    for seed in range(seeds):
        tail = audiogen.continue_audio(
            prompt.samples, prompt.sample_rate, real.seconds, seed, pulse=False, tail_only=True
        )
        made.append(Recording(np.atleast_2d(tail), prompt.sample_rate))
    control = [shuffled(prompt, np.random.default_rng(seed)) for seed in range(seeds)]
    candidates = {"real": [real], "default": made, "half seconds, random": control}
    return [[name, candidate, *measures(prompt, tails)] for candidate, tails in candidates.items()]


def page(rows: list[list[str]], command: str) -> str:
    """The Markdown file."""
    heads = ["recording", "candidate", "level, dB", "onsets", "bands, dB", "copied"]
    return f"""# Separate events

Written by `{command}`.

{table(heads, rows)}
A recording that is nothing but separate events over a quiet bed is continued by whole events, a little higher or lower
(`audiogen/sound/separate_events.py`); here without a pulse (`--no-pulse`), which steps may have. *Level*: of the tail
over the prompt's. *Onsets*: per second, relative to the prompt's. *Bands*: mean difference of the levels of thirds of
octaves, where they are audible. *Copied*: half seconds that are like one of the prompt, by their mel bands. It does not
judge alone: the change of pitch was chosen by it, and a listener may know an event again that is a semitone off. *Real*
is what followed; the control is made of the prompt itself, so that it has its level and bands, but it cuts events at
half seconds.
"""


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recordings", type=Path, nargs="*", help="further recordings of separate events")
    parser.add_argument("-o", "--output", type=Path, required=True, help="Markdown file to write")
    parser.add_argument("--seeds", type=int, default=3, help="tails per recording [3]")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    known = {
        name: Recording(make(np.random.default_rng(0))[None].astype(np.float32), RATE) for name, make in KINDS.items()
    }
    known |= {path.stem: read(path) for path in arguments.recordings}
    command = " ".join(["python tools/check_events.py", *(path.name for path in arguments.recordings)])
    rows = list[list[str]]()
    for name, whole in known.items():
        rows += rows_of(name, whole, arguments.seeds)
        print(*rows[-3:], sep="\n", flush=True)
        write_text(arguments.output, page(rows, f"{command} -o docs/events.md --seeds {arguments.seeds}"))


if __name__ == "__main__":
    main()
