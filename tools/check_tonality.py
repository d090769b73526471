"""Sounds that have a pitch: how their spectral lines survive in tails, as a Markdown table.

    python tools/check_tonality.py [RECORDING...] -o docs/tonality.md [--seconds 60] [--seeds 2]

Synthetic sounds whose lines are known, and recordings: 20 s of each are continued by the base (`--budget 0`), with its
partials continued by themselves and, as before, as part of the texture. Of recordings the tail is compared with what
really followed; of synthetic sounds with more of the same.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from audiogen.audio import Recording, read
from audiogen.metrics.spectra import spectra
from audiogen.metrics.tail_evaluator import TailEvaluator
from audiogen.metrics.tonality import line_energy, tonal_to_noise
from audiogen.pretrained import base
from audiogen.sound import prompt_analysis
from audiogen.sound.continuation import Continuer
from audiogen.sound.partials import find_partials
from audiogen.text_files import write_text

RATE, PROMPT_SECONDS = 44100, 20.0
LINE_SIZE = 32768  # samples: lines of 50 Hz and its multiples are far apart
LINE_BINS = 6  # either side of a steady line, 8 Hz
STRONGEST = 5  # lines whose phase is compared at the join
MIN_JITTER = 1e-3  # Hz: below the resolution of the measure
MAX_HARMONICITY = 50.0  # dB
HARMONICITY_SECONDS, HARMONICITY_HERTZ = 0.2, (35.0, 600.0)  # windows, and range of pitch
JOIN_SECONDS = 0.12  # either side of the join


def coloured(seconds: float, seed: int, corner: float, level: float) -> np.ndarray:
    """Two channels of noise that falls by 3 dB per octave above ``corner`` Hz."""
    count = int(seconds * RATE)
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal((2, count)))
    noise = np.fft.irfft(spectrum / np.sqrt(1 + (np.fft.rfftfreq(count, 1 / RATE) / corner) ** 2), count)
    return level * noise / noise.std()


def slow(count: int, generator: np.random.Generator, seconds: float, deviation: float) -> np.ndarray:
    """First-order autoregressive movement with a time constant."""
    keep = np.exp(-0.01 / seconds)
    values = [0.0]
    for innovation in generator.standard_normal(count // 441 + 2) * np.sqrt(1 - keep**2):
        values.append(keep * values[-1] + innovation)
    return deviation * np.interp(np.arange(count) / 441, np.arange(len(values)), values)


def hum(seconds: float) -> np.ndarray:
    """Seven harmonics of 50 Hz, 70 dB above noise."""
    clock = np.arange(int(seconds * RATE)) / RATE
    lines = sum(0.2 / k * np.sin(2 * np.pi * 50 * k * clock + k) for k in range(1, 8))
    return lines + coloured(seconds, 0, 1e6, 10**-3.5)


def tone(seconds: float) -> np.ndarray:
    """440 Hz."""
    clock = np.arange(int(seconds * RATE)) / RATE
    return 0.25 * np.sin(2 * np.pi * 440 * clock) + coloured(seconds, 1, 1e6, 10**-3.5)


def pad(seconds: float) -> np.ndarray:
    """Five notes of five harmonics, each doubled a little out of tune to the left and right, slowly swelling."""
    generator, clock = np.random.default_rng(7), np.arange(int(seconds * RATE)) / RATE
    samples = coloured(seconds, 2, 1e6, 10**-3.3)
    for note in (110, 164.8, 220, 277.2, 329.6):
        for harmonic in range(1, 6):
            for detuned, pan in ((-0.0015, 0.3), (0.0015, 0.7)):
                swell = 1 + 0.3 * np.sin(2 * np.pi * generator.uniform(0.05, 0.2) * clock + generator.uniform(0, 6))
                phase = 2 * np.pi * note * harmonic * (1 + detuned) * clock + generator.uniform(0, 2 * np.pi)
                samples += np.outer([1 - pan, pan], 0.05 / harmonic**1.3 * swell * np.sin(phase))
    return samples


def engine(seconds: float) -> np.ndarray:
    """19 harmonics of a pitch that wanders around 83 Hz."""
    clock = np.arange(int(seconds * RATE)) / RATE
    pitch = 83 + 1.5 * np.sin(2 * np.pi * 0.3 * clock) + 0.8 * np.sin(2 * np.pi * 1.1 * clock + 1)
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    lines = sum(0.06 / np.sqrt(k) * np.sin(k * phase + k * k) for k in range(1, 20))
    return lines + coloured(seconds, 3, 1e6, 0.005)


def motor(seconds: float) -> np.ndarray:
    """24 harmonics of a pitch that wanders at random around 47 Hz, at levels of their own, in the noise of the road."""
    generator, count = np.random.default_rng(5), int(seconds * RATE)
    pitch = 47 * (1 + slow(count, generator, 1.0, 0.012) + slow(count, generator, 0.1, 0.001))
    phase, samples = 2 * np.pi * np.cumsum(pitch) / RATE, coloured(seconds, 4, 800, 0.02)
    for k in range(1, 25):
        swell = 0.08 / k**0.7 * np.exp(slow(count, generator, 0.5, 0.15))
        start, pan = generator.uniform(0, 2 * np.pi), generator.uniform(0.5, 1.2)
        samples += swell * np.stack([np.sin(k * phase + start), pan * np.sin(k * phase + start + 0.3)])
    return samples


def bells(seconds: float) -> np.ndarray:
    """Bells at random, ringing over noise."""
    generator, clock = np.random.default_rng(9), np.arange(int(seconds * RATE)) / RATE
    samples, strike = coloured(seconds, 5, 500, 0.01), 0.5
    while strike < seconds:
        first, force = int(strike * RATE), generator.uniform(0.5, 1)
        for ratio, decay in ((1, 2.5), (2.01, 1.6), (2.74, 1.2), (3.76, 0.9), (5.4, 0.5)):
            since = clock[first:] - strike
            samples[:, first:] += 0.08 * force * np.exp(-since / decay) * np.sin(2 * np.pi * 523 * ratio * since)
        strike += generator.uniform(1.5, 4)
    return samples


STEADY: dict[str, tuple[float, ...]] = {
    "hum": tuple(50.0 * k for k in range(1, 8)),
    "tone": (440.0,),
    "pad": tuple(note * k for note in (110, 164.8, 220, 277.2, 329.6) for k in range(1, 6)),
}
SYNTHETIC: dict[str, Callable[[float], np.ndarray]] = {
    "hum": hum, "tone": tone, "pad": pad, "engine": engine, "motor": motor, "bells": bells,
}  # fmt: skip


def lines_to_rest(name: str, samples: np.ndarray) -> float:
    """Energy of the lines over that of the rest, dB: of known steady lines, or of any (`metrics.tonality`)."""
    if name not in STEADY:
        return tonal_to_noise(*line_energy(samples, RATE))
    window = np.blackman(LINE_SIZE)
    starts = range(0, samples.shape[1] - LINE_SIZE, LINE_SIZE // 2)
    power = sum(np.square(np.abs(np.fft.rfft(samples[:, s : s + LINE_SIZE] * window))).sum(0) for s in starts)
    hertz = np.fft.rfftfreq(LINE_SIZE, 1 / RATE)
    near = np.any([np.abs(hertz - line) < LINE_BINS * RATE / LINE_SIZE for line in STEADY[name]], axis=0)
    return float(10 * np.log10((power[near].sum() + 1e-30) / (power[~near].sum() + 1e-30)))


def jitter(samples: np.ndarray, hertz: float) -> float:
    """RMS change in Hz, from one tenth of a second to the next, of the strongest line near ``hertz``."""
    size, hop = 8192, 4096
    power = np.square(np.abs(spectra(samples.astype(np.float32), size, hop))).sum(0)
    low, high = (int(hertz * factor * size / RATE) for factor in (0.93, 1.07))
    low, high = min(low, int(hertz * size / RATE) - 2), max(high, int(hertz * size / RATE) + 3)
    peak = power[:, low:high].argmax(1) + low
    rows = np.arange(len(peak))
    below, at, above = (np.log(power[rows, peak + k] + 1e-20) for k in (-1, 0, 1))
    position = (peak + 0.5 * (below - above) / np.minimum(below - 2 * at + above, -1e-9)) * RATE / size
    loud = at > np.median(at) - 2.3  # where the line sounds
    moves = np.diff(position)[loud[1:] & loud[:-1]]
    return float(np.sqrt(np.mean(np.clip(moves, -20, 20) ** 2)))


def harmonicity(samples: np.ndarray) -> float:
    """Harmonics-to-noise ratio in dB, in the louder channel: median over windows (Boersma 1993, IFA Proceedings 17:97).

    The highest autocorrelation of a window at the lag of a pitch, over that of the window itself, is the fraction of
    energy that is periodic. Noise has about -3 dB.
    """
    size, hop = int(HARMONICITY_SECONDS * RATE), int(HARMONICITY_SECONDS * RATE / 2)
    channel = samples[int(np.square(samples).sum(1).argmax())].astype(np.float64)
    window, lags = np.hanning(size), slice(int(RATE / HARMONICITY_HERTZ[1]), int(RATE / HARMONICITY_HERTZ[0]))
    of_window = np.fft.irfft(np.square(np.abs(np.fft.rfft(window, 2 * size))))
    ratios = []
    for start in range(0, len(channel) - size, hop):
        frame = channel[start : start + size]
        power = np.square(np.abs(np.fft.rfft((frame - frame.mean()) * window, 2 * size)))
        correlation = np.fft.irfft(power)
        if correlation[0] <= 0:  # silence
            continue
        periodic = (correlation[lags] / of_window[lags]).max() * of_window[0] / correlation[0]
        periodic = np.clip(periodic, 1e-3, 1 - 10 ** (-MAX_HARMONICITY / 10))
        ratios.append(10 * np.log10(periodic / (1 - periodic)))
    return float(np.median(ratios)) if ratios else np.nan


def strongest_lines(samples: np.ndarray, count: int) -> list[float]:
    """Frequencies of the strongest lines of the end of a sound, at least 15 Hz apart and within 20 dB."""
    size = min(65536, samples.shape[1])
    power = np.square(np.abs(np.fft.rfft(samples[:, -size:] * np.blackman(size), 4 * size))).sum(0)
    hertz, found = np.fft.rfftfreq(4 * size, 1 / RATE), []
    power[hertz < 30] = 0
    least = 0.01 * power.max()
    while len(found) < count and power.max() >= max(least, 1e-20):
        found.append(float(hertz[power.argmax()]))
        power[np.abs(hertz - found[-1]) < 15] = 0
    return found


def phase_error(prompt: np.ndarray, tail: np.ndarray) -> float:
    """Largest phase step of the strongest lines at the join, rad, in the louder channel.

    The phase just before the join and that just after it come from two windows, and the frequency between them from the
    windows either side. The median of the same measure within the prompt, its own error, is subtracted.
    """
    channel = int(np.square(prompt).sum(1).argmax())
    joined, at = np.concatenate([prompt[channel], tail[channel, :RATE]]), prompt.shape[1]
    size = int(JOIN_SECONDS * RATE)
    window, clock = np.hanning(size), np.arange(size) / RATE

    def step(position: int, hertz: float) -> float:
        phases = [
            np.angle(np.sum(joined[position + k * size : position + (k + 1) * size] * window
                            * np.exp(-2j * np.pi * hertz * (clock + k * size / RATE))))
            for k in (-3, -2, -1, 0, 1)
        ]  # fmt: skip
        before = np.angle(np.exp(1j * (phases[2] - phases[1])))
        after = np.angle(np.exp(1j * (phases[4] - phases[3])))
        return abs(float(np.angle(np.exp(1j * (phases[3] - phases[2] - 0.5 * (before + after))))))

    errors = []
    for hertz in strongest_lines(prompt, STRONGEST):
        usual = np.median([step(at - (4 + k) * 2 * size, hertz) for k in range(12)])
        errors.append(max(step(at, hertz) - usual, 0.0))
    return max(errors)


def measured(name: str, prompt: np.ndarray, real: np.ndarray, arguments: argparse.Namespace) -> list[str]:
    """Cells of the rows of one sound, with partials and without."""
    recording = Recording(prompt.astype(np.float32), RATE)
    evaluator = TailEvaluator(recording, Recording(real.astype(np.float32), RATE))
    periodic = harmonicity(prompt)
    own, strongest = lines_to_rest(name, prompt), next(iter(strongest_lines(prompt, 1)), None)
    if strongest is None:
        sys.exit(f"{name}: silence has no tonality")
    rows = []
    for partials in (True, False):
        prompt_analysis.find_partials = find_partials if partials else lambda recording: None
        began = time.process_time()
        continuer = Continuer(base(), recording)
        analysis = time.process_time() - began
        cells: dict[str, list[float]] = {}
        for seed in range(arguments.seeds):
            began = time.process_time()
            tail = np.concatenate(list(continuer.tail(int(arguments.seconds * RATE), seed)), axis=1)
            spent = analysis + time.process_time() - began
            sound = Recording(tail, RATE)
            texture, tonality = evaluator.texture(sound), evaluator.tonality(sound)
            for key, value in {
                "lines": lines_to_rest(name, tail),
                "periodic": harmonicity(tail),
                "jitter": max(jitter(tail, strongest), MIN_JITTER) / max(jitter(prompt, strongest), MIN_JITTER),
                "phase": phase_error(prompt, tail) if name in STEADY else np.nan,
                "tonality": tonality.overall if tonality else np.nan,
                "texture": texture.overall if texture else np.nan,
                "separability": evaluator.separability(sound) or np.nan,
                "seconds": spent,
            }.items():
                cells.setdefault(key, []).append(value)
        mean = {key: float(np.mean(values)) for key, values in cells.items()}
        really = evaluator.separability(Recording(real.astype(np.float32), RATE)) or np.nan
        found = continuer.analysis.partials
        rows.append(
            f"| {name} | {'–' if not partials else len(found.partials) if found else 0} | {own:.1f} |"
            f" {mean['lines']:.1f} | {periodic:.1f} |"
            f" {mean['periodic']:.1f} | {mean['jitter']:.2f} | {max(cells['phase']):.2f} | {mean['tonality']:.2f} |"
            f" {mean['texture']:.2f} | {mean['separability']:.2f} ({really:.2f}) |"
            f" {mean['seconds']:.1f} |"
        )
        rows[-1] = rows[-1].replace("nan", "–")
        print(rows[-1], file=sys.stderr, flush=True)
    prompt_analysis.find_partials = find_partials
    return rows


def main() -> None:
    """Render, measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recordings", type=Path, nargs="*")
    parser.add_argument("-o", "--output", type=Path, required=True, help="Markdown file to write")
    parser.add_argument("--seconds", type=float, default=60.0, help="length of each tail")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--only", nargs="*", help="names of the synthetic sounds")
    arguments = parser.parse_args()
    rows = []
    split = int(PROMPT_SECONDS * RATE)
    for name, make in SYNTHETIC.items():
        if arguments.only is None or name in arguments.only:
            whole = make(PROMPT_SECONDS + 20)
            rows += measured(name, whole[:, :split], whole[:, split:], arguments)
    for path in arguments.recordings:
        with warnings.catch_warnings(action="ignore"):
            whole = read(path).resampled(RATE).samples
        cut = min(split, 2 * whole.shape[1] // 3)
        rows += measured(path.stem, whole[:, :cut], whole[:, cut : 2 * cut], arguments)
    low, high = HARMONICITY_HERTZ
    head = f"""# Tonality: sounds that have a pitch

Tails of {arguments.seconds:g} s with the base, mean over {arguments.seeds} seeds, by `tools/check_tonality.py`: each
sound with its partials continued by themselves, and (–) as part of the texture. The synthetic ones are defined there.

- partials: number found.
- lines: energy of spectral lines over the rest, dB, of the prompt and of the tails.
- harmonics: harmonics-to-noise ratio by autocorrelation, dB, of the prompt and of the tails (Boersma 1993): median of
  windows of {HARMONICITY_SECONDS:g} s, for a pitch of {low:g} to {high:g} Hz, at most {MAX_HARMONICITY:g} dB.
- jitter: movement of the strongest line from tenth to tenth of a second, relative to the prompt's; either counts as
  {MIN_JITTER:g} Hz, which the measure resolves, if it is less.
- phase: largest step of the five strongest lines at the join, rad, of any seed; only of sounds whose lines are steady.
- tonality, texture: distances from what really followed; 1.0 is another real segment.
- separability: how well a classifier tells the tail from the prompt (in brackets: what really followed).
- s: processor time of analysis and tail.

| sound | partials | lines, prompt | lines, tail | harmonics, prompt | harmonics, tail | jitter | phase | tonality |\
 texture | separability | s |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
"""
    write_text(arguments.output, head + "\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
