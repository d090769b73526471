"""Measure the vocoders and write docs/vocoders.md.

    python tools/benchmark_vocoders.py FOLDER|FILE ... [-o docs/vocoders.md] [--results results.jsonl]

The earlier 75 % of each recording is what a vocoder may know, the rest is analysed to mel frames, rendered back and
compared with the audio that the frames were taken from. Lines of --results are kept as they are measured: what is
there already is not measured again. Times are CPU seconds of one thread, so that a busy machine does not matter.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parent))
from vocoder_speeds import as_librosa, speeds
from vocoder_tables import page

from audiogen.audio import Recording, read
from audiogen.evaluation.copying import RepetitionDetector
from audiogen.evaluation.distance import crest_ratio, multi_resolution_stft, spectral_tilt
from audiogen.evaluation.texture import TextureReference
from audiogen.evaluation.waveform_repeat import waveform_repeat
from audiogen.representation.channels import covariance, rotation_of
from audiogen.representation.mel import MelSpec, log_mel
from audiogen.vocoders.griffin_lim import GriffinLimOptions
from audiogen.vocoders.projection import analyse, iterate, pinned, synthesise
from audiogen.vocoders.table import build
from audiogen.vocoders.targets import fixed

SPEC = MelSpec()
LONGEST = 32.0  # seconds of a recording that are used
SHARE = 0.75
PAST = 4096
RESOLVED = 150.0  # Hz from which on third octaves are wider than mel bands are apart
SHIPPED = ("griffin_lim", "source", "neural")  # the others need weights, which do not ship
Render = Callable[["Split"], Tensor]


class Split:
    """A recording cut in time: what may be known and what is rendered back, both as principal channels."""

    def __init__(self, path: Path) -> None:
        recording = read(path).resampled(SPEC.sample_rate)
        samples = recording.samples[:, : round(LONGEST * SPEC.sample_rate)]
        start = int(samples.shape[1] * SHARE) // SPEC.hop * SPEC.hop
        stop = start + (samples.shape[1] - start) // SPEC.hop * SPEC.hop
        self.rotation = rotation_of(covariance(samples[:, :start]))
        principal = torch.from_numpy((self.rotation @ samples).astype(np.float32))
        self.source, self.real = principal[:, :start], principal[:, start:stop]
        self.frames = log_mel(principal[:, start - SPEC.win + SPEC.hop : stop], SPEC, padded=True)

    def recording(self, principal: Tensor) -> Recording:
        """The channels as they were."""
        return Recording(np.ascontiguousarray(self.rotation.T @ principal.numpy(), dtype=np.float32), SPEC.sample_rate)


def by(kind: str, options: Any = None) -> Render:
    """A vocoder of the table, ready."""

    def render(split: Split) -> Tensor:
        return build(kind, SPEC, split.source, options).vocode(split.frames, split.source[:, -PAST:])

    return render


def true_magnitudes(split: Split) -> Tensor:
    """What no vocoder of mel frames can beat by far: the true magnitudes of all bins, and 64 iterations."""
    past = split.source[:, -pinned(SPEC) :]
    magnitude = analyse(torch.cat([past, split.real], dim=1), SPEC).abs()
    phases = 2 * np.pi * torch.rand(magnitude.shape, generator=torch.Generator().manual_seed(0))
    start = synthesise(torch.polar(magnitude, phases), past, SPEC)
    return iterate(start, fixed(magnitude), SPEC, 64)[:, pinned(SPEC) :]


def by_librosa(split: Split) -> Tensor:
    """mel_to_stft and griffinlim(32), as they come."""
    channels = [as_librosa(frames)[:, None] for frames in split.frames]
    return torch.from_numpy(np.stack([channel[:, 0] for channel in channels])[:, -split.real.shape[1] :])


RENDERS: dict[str, Render] = {
    **{kind: by(kind) for kind in SHIPPED},
    "griffin_lim, paired": by("griffin_lim", GriffinLimOptions(inversion=6, trust=0.5, free=0.0, equalise=False)),
    "griffin_lim, 32": by("griffin_lim", GriffinLimOptions(iterations=32)),
    "librosa": by_librosa,
    "true magnitudes": true_magnitudes,
}


def correlation(recording: Recording) -> float:
    """Of the first two channels; 0 for mono."""
    if recording.channels < 2:
        return 0.0
    return float(np.nan_to_num(np.corrcoef(recording.samples[:2])[0, 1]))


def measure(path: Path, done: set[str]) -> list[dict[str, object]]:
    """All figures of one recording, for each renderer that has none yet."""
    missing = [name for name in RENDERS if name not in done]
    if not missing:
        return []
    split = Split(path)
    real, source = split.recording(split.real), split.recording(split.source)
    texture, detector, repeat = (
        TextureReference(real, source),
        RepetitionDetector(source),
        waveform_repeat(real, source),
    )
    rows = []
    for name in missing:
        started = time.process_time()
        out = split.recording(RENDERS[name](split))
        took = time.process_time() - started
        tilt, pair = spectral_tilt(out, real), multi_resolution_stft(out, real)
        error = np.abs(tilt.difference)[tilt.hertz <= 16000]
        hertz = tilt.hertz[tilt.hertz <= 16000]
        found = texture.distance(out)
        rows.append(
            {
                "recording": path.stem,
                "vocoder": name,
                "texture": found.overall,
                "classes": found.classes,
                "convergence": pair.convergence,
                "log_magnitude": pair.log_magnitude,
                "repeats": repeat is not None and repeat.certain,
                "tilt": float(error[hertz >= 50].max()),
                "tilt_resolved": float(error[hertz >= RESOLVED].max()),
                "crest": crest_ratio(out, real),
                "copied": detector.copying(out).share,
                "copied_real": detector.copying(real).share,
                "stereo": abs(correlation(out) - correlation(real)),
                "seconds": took / real.seconds,
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", type=Path, nargs="+", metavar="FOLDER|FILE")
    parser.add_argument("-o", "--output", type=Path, default=Path("docs/vocoders.md"))
    parser.add_argument("--results", type=Path, default=Path("vocoders.jsonl"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    librosa.filters.mel(sr=SPEC.sample_rate, n_fft=SPEC.n_fft)  # its imports are not to be timed
    files = [file for path in arguments.paths for file in (sorted(path.iterdir()) if path.is_dir() else [path])]
    lines = arguments.results.read_text("utf-8").splitlines() if arguments.results.exists() else []
    rows = [json.loads(line) for line in lines]
    with torch.no_grad(), arguments.results.open("a", encoding="utf-8") as results:
        for file in files:
            found = measure(file, {row["vocoder"] for row in rows if row.get("recording") == file.stem})
            if not any("speeds" in row for row in rows) and file is files[-1]:
                found.append({"speeds": speeds()})
            for row in found:
                results.write(json.dumps(row) + "\n")
            results.flush()
            rows += found
            arguments.output.write_text(page(rows), encoding="utf-8")
            print(file.stem, *(f"{r['vocoder']} {r['texture']:.2f}" for r in found if "texture" in r), flush=True)


if __name__ == "__main__":
    main()
