"""Effect of the temperature: variance of rendered tails at several temperatures, as a Markdown table.

    python tools/check_temperature.py RECORDING... -o docs/temperature.md [--seeds 4] [--seconds 15]

The first 30 s of each recording are the prompt, continued by the base. Two measures should rise with the
temperature: the variance of the level of tenths of a second, and that of log-mel bands over frames. Neither is the
controlled quantity (levels of 32 ERB bands in windows of 0.1 s), but both follow it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import warnings
from pathlib import Path

import markdown_table
import numpy as np
import torch

from audiogen.audio import Recording, read
from audiogen.jobs.continue_sound import Request, continue_variations
from audiogen.representation.mel import MelSpec, log_mel
from audiogen.text_files import write_text

TEMPERATURES = (0.0, 0.5, 1.0, 1.5, 2.0)
PROMPT_SECONDS = 30.0  # seconds
LEVEL_RANGE = 80.0  # dB below the loudest band of the prompt; quieter bands are left out
SPEC = MelSpec()
Measured = dict[str, np.ndarray]
"""Level and bands -> ``[seeds, temperatures]`` variances, dB2."""


def band_levels(recording: Recording) -> np.ndarray:
    """Mel band levels ``[channels, time, mel bands]`` in dB."""
    samples = torch.from_numpy(recording.resampled(SPEC.sample_rate).samples)
    return 20 / np.log(10) * log_mel(samples, SPEC).numpy()


def variances(recording: Recording, loudest: float) -> tuple[float, float]:
    """Variance over time in dB² of the level of tenths of a second, and of mel bands (mean over bands, channels)."""
    tenth = recording.sample_rate // 10
    tenths = recording.samples[:, : recording.length // tenth * tenth].reshape(recording.channels, -1, tenth)
    power = np.square(tenths).mean((0, 2))
    bands = np.maximum(band_levels(recording), loudest - LEVEL_RANGE)
    return float(np.var(10 * np.log10(power + 1e-12))), float(bands.var(axis=1).mean())


def measure_tails(prompt: Recording, loudest: float, arguments: argparse.Namespace) -> Measured:
    """Variances of the tails of one recording."""
    wanted = [(t, seed) for seed in range(arguments.seeds) for t in TEMPERATURES]
    found = []
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(action="ignore"):
        outs = [Path(folder) / f"{number}.wav" for number in range(len(wanted))]
        options = [Request(seconds=arguments.seconds, seed=seed, temperature=t, tail_only=True) for t, seed in wanted]
        made = continue_variations(prompt, list(zip(outs, options, strict=True)))
        for out, _ in zip(outs, made, strict=True):
            found.append(variances(read(out), loudest))
            out.unlink()
    of = np.reshape(found, (arguments.seeds, len(TEMPERATURES), 2))
    return {"level": of[..., 0], "bands": of[..., 1]}


def rising(found: np.ndarray) -> np.ndarray:
    """Whether the values increase with each temperature, ``[..., temperatures]`` -> ``[...]``."""
    return (np.diff(found, axis=-1) > 0).all(-1)


def least_step(found: np.ndarray) -> float:
    """The smallest ratio between means of adjacent temperatures."""
    mean = found.mean(0)
    return float((mean[1:] / np.maximum(mean[:-1], 1e-9)).min())


def table(rows: dict[str, tuple[tuple[float, float], Measured]]) -> str:
    """Markdown table of the variances of each recording and of its tails, smallest increase first."""
    heads = ["recording", "level: recording", *(f"{t:g}" for t in TEMPERATURES), "seeds"]
    heads += ["bands: recording", *(f"{t:g}" for t in TEMPERATURES), "seeds"]
    lines: list[list[str]] = []
    for name, (own, found) in sorted(rows.items(), key=lambda row: least_step(row[1][1]["level"])):
        cells = [name]
        for value, each in zip(own, found.values(), strict=True):
            cells += [f"{value:.1f}", *(f"{mean:.1f}" for mean in each.mean(0)), f"{rising(each).sum()}/{len(each)}"]
        lines.append(cells)
    text = [markdown_table.table(heads, lines)]
    for kind in ("level", "bands"):
        every = np.concatenate([rising(found[kind]) for _, found in rows.values()])
        means = [bool(rising(found[kind].mean(0))) for _, found in rows.values()]
        text.append(f"- {kind}: the mean rises at every step on {sum(means)} of {len(means)} recordings, and each")
        text.append(f"  seed alone in {every.sum()} of {every.size}")
    return "\n".join(text) + "\n"


def main() -> None:
    """Render, measure and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recordings", type=Path, nargs="+")
    parser.add_argument("-o", "--output", type=Path, required=True, help="Markdown file to write")
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=15.0, help="length of each tail")
    arguments = parser.parse_args()
    rows = {}
    for path in arguments.recordings:
        with warnings.catch_warnings(action="ignore"):
            whole = read(path)
        prompt = whole.cut(0, min(round(PROMPT_SECONDS * whole.sample_rate), whole.length))
        loudest = float(band_levels(prompt).max())
        rows[path.stem] = variances(prompt, loudest), measure_tails(prompt, loudest, arguments)
        print(f"{path.stem}: {rows[path.stem][1]['level'].mean(0).round(1).tolist()}", file=sys.stderr, flush=True)
    head = (
        "# Temperature: variance of a tail's level\n\n"
        f"Tails of {arguments.seconds:g} s with the base, {arguments.seeds} seeds, by `tools/check_temperature.py`:\n"
        "variance over time, dB², of the level of tenths of a second and of log-mel bands, of the recording and of\n"
        "its tails at each temperature (means over seeds); seeds: the number with which it rises at every step.\n"
        "Recordings whose level rises least at one of the steps come first. Levels more than 80 dB below a\n"
        "recording's loudest band are inaudible, so events separated by silence cannot vary more.\n\n"
    )
    write_text(arguments.output, head + table(rows))
    print(table(rows))


if __name__ == "__main__":
    main()
