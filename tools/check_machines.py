"""Rhythmic machines: is their period found, and is it kept? As a Markdown table.

    python tools/check_machines.py RECORDING ... --stroke STROKE -o docs/machines.md [--seeds 2] [--seconds 8]

The first three quarters of each recording are the prompt; its tail is measured by the onset strength of
`audiogen.metrics.order_pulse`, which the engine does not use. Few recordings of machines can be had, so that four more
are put together: the loudest stroke of STROKE at the times of a clock, a locomotive that accelerates, a walking horse
and a printer, each with the irregularity of such a machine.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import numpy as np
from markdown_table import table

import audiogen
from audiogen.audio import Recording, read
from audiogen.metrics.order_features import OrderFeatures, audible_power, order_features
from audiogen.metrics.order_pulse import find_pulse, phase_shift, pulse_height, refine_period
from audiogen.rhythm.analysis import analyse_rhythm
from audiogen.text_files import write_text

PROMPT = 0.75
STROKE_SECONDS, LEAD_SECONDS = 0.12, 0.01
MACHINE_SECONDS = 24.0
BED = 1e-3  # RMS of the noise under the strokes
LOUDNESS_DB = 1.5  # deviation of the strokes' level
MIN_HEIGHT = 0.15  # of the autocorrelation of the onset strength, below which a recording has no period to keep


def times_of(machine: str, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Seconds and levels in dB of the strokes of a machine."""
    count = 400
    turns = np.arange(count)
    if machine == "clock":
        times, levels = 0.5 * turns + 0.004 * random.standard_normal(count), np.where(turns % 2, -4.0, 0.0)
    elif machine == "locomotive":  # four beats a turn of the wheels, one of them louder; 4 % faster over 24 s
        periods = 0.42 * np.exp(-0.04 * 0.42 * turns / MACHINE_SECONDS)
        times, levels = np.cumsum(periods) + 0.006 * random.standard_normal(count), np.where(turns % 4, -5.0, 0.0)
    elif machine == "hooves":  # the four beats of a walk, unevenly spaced
        beats = np.array([0.0, 0.22, 0.5, 0.74])
        times = 1.1 * (turns // 4 + beats[turns % 4]) + 0.012 * random.standard_normal(count)
        levels = np.array([0.0, -3.0, -1.0, -4.0])[turns % 4]
    else:  # a printer: lines of six strokes and a pause
        times = 1.2 * (turns // 6) + 0.13 * (turns % 6) + 0.003 * random.standard_normal(count)
        levels = np.where(turns % 6, -2.0, 0.0)
    return 0.3 + times, levels + LOUDNESS_DB * random.standard_normal(count)


PERIODS = {"clock": 0.5, "locomotive": 0.42, "hooves": 1.1, "printer": 1.2}  # seconds, of what recurs


def machine_of(name: str, stroke: Recording) -> Recording:
    """A machine of real strokes."""
    random = np.random.default_rng(0)
    rate, mono = stroke.sample_rate, stroke.samples.mean(axis=0)
    level = np.convolve(np.square(mono), np.ones(round(0.005 * rate)), "same")
    start = max(int(level.argmax()) - round(LEAD_SECONDS * rate), 0)
    one = mono[start : start + round(STROKE_SECONDS * rate)]
    one = one * np.linspace(1, 0, len(one), dtype=np.float32)
    one = 0.3 * one / np.abs(one).max()
    samples = BED * random.standard_normal(round(MACHINE_SECONDS * rate)).astype(np.float32)
    for time, decibels in zip(*times_of(name, random), strict=True):
        first = round(time * rate)
        if 0 <= first < len(samples) - len(one):
            samples[first : first + len(one)] += 10 ** (decibels / 20) * one
    return Recording(samples[None].astype(np.float32), rate)


def tails(prompt: Recording, seconds: float, seeds: int, pulse: bool) -> list[Recording]:
    """Tails of the default, or of the default without looking for a pulse."""
    rate, made = prompt.sample_rate, []
    for seed in range(seeds):
        tail = audiogen.continue_audio(prompt.samples, rate, seconds, seed, pulse=pulse, tail_only=True)
        made.append(Recording(np.atleast_2d(tail), rate))
    return made


def kept(prompt: OrderFeatures, made: list[OrderFeatures], period: float) -> str:
    """Part of the pulse that tails keep, change of their period in %, and how late their first beats are in ms."""
    height = max(pulse_height(prompt, period), 1e-6)
    parts = [pulse_height(tail, period) / height for tail in made]
    tempo = [abs(100 * (refine_period([tail], period) / period - 1)) for tail in made]
    late = [abs(1000 * phase_shift(prompt, tail, period)) for tail in made]
    return f"{np.mean(parts):.2f} / {np.mean(tempo):.1f} / {np.mean(late):.0f}"


def row(name: str, whole: Recording, seconds: float, seeds: int, true: float | None) -> list[str]:
    """A line of the table."""
    join = round(PROMPT * whole.length)
    prompt = whole.cut(0, join)
    real = whole.cut(join, min(whole.length, join + round(seconds * whole.sample_rate)))
    floor = audible_power(prompt)
    features = order_features(prompt, floor)
    pulse, rhythm = find_pulse([features]), analyse_rhythm(prompt)
    period = true if true is not None else (pulse.period if pulse is not None else None)
    height = pulse_height(features, period) if period else 0.0
    cells = [name, f"{prompt.seconds:.0f}", f"{height:.2f}", "–" if period is None else f"{period:.3f}"]
    cells.append("none" if rhythm is None else f"{rhythm.pulse.period:.3f}")
    if period is None or height < MIN_HEIGHT:
        return [*cells, "–", "–", "–"]
    for made in ([real], tails(prompt, real.seconds, seeds, True), tails(prompt, real.seconds, seeds, False)):
        cells.append(kept(features, [order_features(tail, floor) for tail in made], period))
    return cells


def page(rows: list[list[str]], stroke: str | None) -> str:
    """The Markdown file."""
    strokes = f" The strokes are of `{stroke}`." if stroke else ""
    heads = ["recording", "prompt, s", "height", "period, s", "found, s", "real", "default", "without its pulse"]
    return f"""# Rhythmic machines

Made by `tools/check_machines.py`.{strokes}

{table(heads, rows)}
*Height* and *period*: of the autocorrelation of the onset strength, by the measures of order; of the machines put
together from real strokes (in italics), the period that they were made with. *Found*: the period of the beats by which
`continue` goes on, or none: it then goes on by contexts. Then, of what really came next, of the default and of the
default with `--no-pulse`: the part of the height that is kept, the change of the period in %, and how late the first
beats are in ms. Below a height of {MIN_HEIGHT:g} there is no period to keep. A tail of a short recording lasts 2 s, too
little to say much: no more recordings of machines were at hand, none of a locomotive, a clock or hooves.
"""


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recordings", type=Path, nargs="*", help="recordings of machines, of at least 6 s")
    parser.add_argument("--stroke", type=Path, help="recording of single strokes, for the machines put together")
    parser.add_argument("-o", "--output", type=Path, required=True, help="Markdown file to write")
    parser.add_argument("--seeds", type=int, default=2, help="tails per recording [2]")
    parser.add_argument("--seconds", type=float, default=8.0, help="maximum length of a tail [8]")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    known: dict[str, tuple[Recording, float | None]] = {path.stem: (read(path), None) for path in arguments.recordings}
    if arguments.stroke is not None:
        stroke = read(arguments.stroke)
        known |= {f"*{name}*": (machine_of(name, stroke), period) for name, period in PERIODS.items()}
    rows = []
    for name, (whole, period) in known.items():
        rows.append(row(name, whole, arguments.seconds, arguments.seeds, period))
        print(rows[-1], flush=True)
        write_text(arguments.output, page(rows, arguments.stroke and arguments.stroke.stem))


if __name__ == "__main__":
    main()
