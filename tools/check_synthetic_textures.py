"""Coverage of real recordings by synthetic textures: a Markdown table of quantiles, one feature per row.

    python tools/check_synthetic_textures.py FOLDER [-n 60] [--seconds 10] [-o TABLE.md]

The features summarise the texture statistics (audiogen.representation.texture_statistics). A feature is covered if the
range from the 5th to the 95th percentile of the synthetic textures contains that of the recordings.
"""

from __future__ import annotations

import argparse
import json
import warnings
from pathlib import Path

import numpy as np
import torch

from audiogen.audio import Recording, read
from audiogen.data.recordings import find_recordings
from audiogen.progress import progress
from audiogen.representation.cochleagram import FRAME_RATE, band_edges, envelopes
from audiogen.representation.texture_statistics import segment_statistics
from tools.synthetic import synthetic_textures

QUANTILES = (0.05, 0.5, 0.95)


def features(recording: Recording) -> dict[str, float]:
    """Features of one recording of at least 1 s: of its first channel, and the similarity of its channels."""
    envelope = envelopes(recording, floor=1e-5)[0]
    found = {name: values.numpy() for name, values in segment_statistics(torch.from_numpy(envelope)).items()}
    bands = len(envelope)
    level = found["spectrum"]
    octaves = np.log2(band_edges(recording.sample_rate / 2)[:, 1])
    power = 10 ** (level / 10)
    variation, skewness, kurtosis = found["moments"].reshape(3, bands)
    correlation = found["correlation"]
    decibels = 20 / 0.3 * np.log10(envelope[:, :: FRAME_RATE // 100])
    loud = 10 * np.log10(np.sum(10 ** (decibels / 10), axis=0))
    modulation = found["modulation"].reshape(-1, bands).mean(axis=1)
    alike = np.corrcoef(recording.samples[:2])[0, 1] if recording.channels > 1 else np.nan
    return {
        "centroid (octaves re 1 kHz)": float(np.sum(power * octaves) / power.sum() - np.log2(1000)),
        "slope (dB an octave)": float(np.polyfit(octaves, level, 1)[0]),
        "roughness of the spectrum (dB)": float(np.std(np.diff(level))),
        "flux (dB in 10 ms)": float(np.mean(np.abs(np.diff(decibels, axis=1)))),
        "range of the level (dB)": float(np.ptp(np.quantile(loud, [0.05, 0.95]))),
        "variation of envelopes (log)": float(np.median(variation)),
        "skewness of envelopes": float(np.median(skewness)),
        "kurtosis of envelopes (log)": float(np.median(kurtosis)),
        "attack": float(np.median(found["attack"])),
        "correlation of near bands": float(np.mean(correlation[: 2 * bands - 3])),
        "correlation of far bands": float(np.mean(correlation[-(2 * bands - 37) :])),
        "comodulation": float(np.mean(found["comodulation"])),
        **{f"modulation at {2**k} Hz (dB)": float(modulation[k - 2]) for k in (2, 4, 6)},
        "modulation at 0.5 to 2 Hz (dB)": float(np.mean(found["slow modulation"])),
        "correlation of channels": float(alike),
    }


def real(folder: Path, seconds: float) -> list[dict[str, float]]:
    """Features of the first seconds of the recordings in a folder."""
    paths = find_recordings(folder)
    found = []
    with progress(len(paths), "recordings") as bar, warnings.catch_warnings(action="ignore"):
        for path in paths:
            recording = read(path)
            found.append(features(recording.cut(0, min(recording.length, round(seconds * recording.sample_rate)))))
            bar.update()
    return found


def synthetic(count: int, first: int, seconds: float) -> list[dict[str, float]]:
    """Features of synthetic textures."""
    found = []
    with progress(count, "textures") as bar:
        for recording in synthetic_textures(first, count, seconds):
            found.append(features(recording))
            bar.update()
    return found


def table(real_rows: list[dict[str, float]], synthetic_rows: list[dict[str, float]]) -> str:
    """Quantiles of both, one feature per row."""
    lines = ["| feature | recordings 5 / 50 / 95 % | synthetic 5 / 50 / 95 % | covered |", "| --- | --- | --- | --- |"]
    covered = 0
    for name in real_rows[0]:
        low, high = (np.nanquantile([row[name] for row in rows], QUANTILES) for rows in (real_rows, synthetic_rows))
        share = (min(low[2], high[2]) - max(low[0], high[0])) / (low[2] - low[0])
        covered += share > 0.999
        cells = [" / ".join(f"{value:.2f}" for value in values) for values in (low, high)]
        lines.append(f"| {name} | {cells[0]} | {cells[1]} | {share:.0%} |")
    lines += [
        "",
        f"{len(real_rows)} recordings, {len(synthetic_rows)} textures; {covered} of {len(real_rows[0])} covered.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure both and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder of recordings")
    parser.add_argument("-n", "--count", type=int, default=60, help="number of synthetic textures [60]")
    parser.add_argument("--first", type=int, default=0, help="the first seed [0]")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of each in seconds [10]")
    parser.add_argument("--kept", type=Path, help="JSON file that caches the recordings' features")
    parser.add_argument("-o", "--output", type=Path, help="Markdown file")
    arguments = parser.parse_args()
    kept = arguments.kept
    real_rows = json.loads(kept.read_text()) if kept and kept.exists() else real(arguments.folder, arguments.seconds)
    if kept:
        kept.write_text(json.dumps(real_rows))
    text = table(real_rows, synthetic(arguments.count, arguments.first, arguments.seconds))
    print(text)
    if arguments.output:
        arguments.output.write_text(text)


if __name__ == "__main__":
    main()
