"""Events per second at several densities, by counts that are not the product's own, as a Markdown table.

    python tools/check_density.py [RECORDING...] -o docs/density.md [--seeds 3] [--seconds 30]

Tails of recordings, and of calls at random times over noise, whose rate is known. Each count is divided by that of
the recording: broadband and six bands' peaks that stand out by 6, 9 and 12 dB from the recording's median (mel
spectra), and librosa's onsets. A count whose peaks hide one another in the recording already (more than `DENSE` a
second) cannot rise.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from pathlib import Path

import librosa
import numpy as np
from scipy.signal import find_peaks

import audiogen
from audiogen.audio import Recording, read
from audiogen.text_files import write_text

DENSITIES = (0.25, 0.5, 1.0, 2.0, 4.0)
RAMP_SECONDS = 3.0  # after the join, which are not counted
PROMPT_SECONDS = 60.0
MIN_COUNT, DENSE = 8, 4.0  # in the recording; a second
SPACING_SECONDS = 0.05
Count = Callable[[np.ndarray], float]


def calls(rate: float = 2.0, seconds: float = 30.0, sample_rate: int = 44100) -> Recording:
    """Short decaying tones and noises at random times over noise."""
    random = np.random.default_rng(0)
    samples = 0.003 * random.standard_normal(round(seconds * sample_rate))
    for start in random.uniform(0.2, seconds - 0.4, round(rate * seconds)):
        size = round(sample_rate * random.uniform(0.03, 0.15))
        time = np.arange(size) / sample_rate
        tone = np.sin(2 * np.pi * random.uniform(800, 5000) * time) + 0.5 * random.standard_normal(size)
        call = 0.003 * 10 ** (random.uniform(10, 30) / 20) * np.exp(-5 * np.arange(size) / size) * tone
        samples[round(start * sample_rate) :][:size] += call
    return Recording(samples[None].astype(np.float32), sample_rate)


def levels(samples: np.ndarray, rate: int, groups: int) -> np.ndarray:
    mel = librosa.feature.melspectrogram(y=samples, sr=rate, n_fft=1024, hop_length=256, n_mels=64, fmin=60)
    return np.array([part.mean(axis=0) for part in np.array_split(10 * np.log10(mel + 1e-10), groups)])


def peaks(samples: np.ndarray, rate: int, medians: np.ndarray, decibels: float) -> float:
    """Peaks in any of the bands, each further than `SPACING_SECONDS` from the one before."""
    pairs = zip(levels(samples, rate, len(medians)), medians, strict=True)
    found = [find_peaks(level, height=median + decibels, prominence=decibels)[0] for level, median in pairs]
    count, last = 0, -np.inf
    for peak in np.unique(np.concatenate(found)) * 256 / rate:
        if peak - last >= SPACING_SECONDS:
            count, last = count + 1, peak
    return count


def counts(recording: np.ndarray, rate: int) -> dict[str, Count]:
    """Counts by name, with thresholds from a recording."""
    made: dict[str, Count] = {}
    for name, groups in {"broadband": 1, "six bands": 6}.items():
        medians = np.median(levels(recording, rate, groups), axis=1)
        for decibels in (6, 9, 12):
            made[f"{name}, {decibels} dB"] = lambda x, m=medians, d=decibels: peaks(x, rate, m, d)
    made["onsets"] = lambda x: len(librosa.onset.onset_detect(y=x, sr=rate))
    return made


def rows_of(name: str, recording: Recording, seconds: float, seeds: int) -> list[str]:
    """Rows of the table: one for each count."""
    rate, mono = recording.sample_rate, recording.samples.mean(axis=0)
    usable = {}
    for title, count in counts(mono, rate).items():
        if (number := count(mono)) >= MIN_COUNT:
            usable[title] = (count, number / recording.seconds)
    found: dict[str, list[list[float]]] = {title: [] for title in usable}
    for density in DENSITIES:
        for title in usable:
            found[title].append([])
        for seed in range(seeds):
            with warnings.catch_warnings(action="ignore"):
                length = seconds + RAMP_SECONDS
                tail = audiogen.continue_audio(recording.samples, rate, length, seed=seed, density=density)
            heard = np.asarray(tail)[:, -round(seconds * rate) :].mean(axis=0)
            for title, (count, usual) in usable.items():
                found[title][-1].append(count(heard) / seconds / usual)
            print(name, density, seed, {title: round(values[-1][-1], 2) for title, values in found.items()}, flush=True)
    rows = []
    for title, (_, usual) in usable.items():
        cells = [f"{np.mean(each):.2f} ({min(each):.2f}–{max(each):.2f})" for each in found[title]]
        dense = " (dense)" if usual > DENSE else ""
        rows.append(f"| {name} | {title} | {usual:.2f}{dense} | {' | '.join(cells)} |")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", type=Path, nargs="*")
    parser.add_argument("-o", "--output", type=Path, required=True, help="Markdown file to write")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=30.0, help="length of each tail after the ramp")
    arguments = parser.parse_args()
    rows = rows_of("calls at random", calls(), arguments.seconds, arguments.seeds)
    for path in arguments.recordings:
        with warnings.catch_warnings(action="ignore"):
            recording = read(path)
        recording = recording.cut(0, min(recording.length, round(PROMPT_SECONDS * recording.sample_rate)))
        rows += rows_of(path.stem, recording, arguments.seconds, arguments.seeds)
    titles = " | ".join(f"{density:g}" for density in DENSITIES)
    text = f"""# Density of events

Written by `python tools/check_density.py`. Events per second of tails, after the ramp, divided by the recording's, by
counts that the product does not use: mean over {arguments.seeds} seeds (smallest and largest). Peaks of mel spectra,
in all bands or in any of six, that stand out from the recording's median by so many dB, and librosa's onsets. Counts
that find fewer than {MIN_COUNT} events in the recording are left out. Counts marked *dense* find more than {DENSE:g} a
second there: their events hide one another already, so that more cannot be distinguished.

| recording | counted | a second | {titles} |
| --- | --- | --- | {" | ".join("---" for _ in DENSITIES)} |
{chr(10).join(rows)}
"""
    write_text(arguments.output, text)


if __name__ == "__main__":
    main()
