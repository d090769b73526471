"""Benchmark of the vocoders; writes docs/vocoders.md.

    python tools/benchmark_vocoders.py FOLDER|FILE ... [-o docs/vocoders.md] [--results results.jsonl]

Vocoders may use the first 75 % of each recording. The rest is analysed to mel frames, rendered, and compared with the
original; the frames that the base predicts in its place are rendered too. Measured lines are kept in --results and not
measured again. Times are CPU seconds of one thread, which do not depend on the load of the machine.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from copy import copy
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parent))
from vocoder_predictions import Predictions
from vocoder_speeds import as_librosa, speeds
from vocoder_tables import page

from audiogen.audio import Recording, read
from audiogen.dsp.channel_covariance import principal_rotation, second_moments
from audiogen.jobs import vocode as vocoding
from audiogen.metrics.copying import RepetitionDetector
from audiogen.metrics.crest_factor import crest_ratio
from audiogen.metrics.spectral_tilt import spectral_tilt
from audiogen.metrics.texture import TextureReference
from audiogen.metrics.waveform_repeat import waveform_repeat
from audiogen.representation.mel import MelSpec, log_mel
from audiogen.vocoders.griffin_lim import GriffinLimOptions
from audiogen.vocoders.phase_reconstruction.mel_band_projection import fixed
from audiogen.vocoders.phase_reconstruction.projection import analyse, overlap, refine, synthesise
from audiogen.vocoders.registry import build
from audiogen.vocoders.source import SourceOptions
from tools.resynthesis_error import multi_resolution_stft

SPEC = MelSpec()
MAX_SECONDS = 32.0  # seconds used of each recording
SOURCE_FRACTION = 0.75
PAST = 4096
MIN_RESOLVED_HERTZ = 150.0  # Hz above which third octaves are wider than the spacing of mel bands
SHIPPED = ("griffin_lim", "source", "neural")  # the others need weights, which do not ship
TRUE, KINDS = "true", ("chosen", "drawn")  # frames, and the predicted ones (see vocoder_predictions)
Render = Callable[["Split"], Tensor]
Row = dict[str, Any]


class Split:
    """A recording split in time into source and rendered part, both as principal channels.

    ``frames`` are the mel frames ``[channels, time, n_mels]`` to render: the true ones, unless replaced.
    """

    def __init__(self, path: Path) -> None:
        recording = read(path).resampled(SPEC.sample_rate)
        samples = recording.samples[:, : round(MAX_SECONDS * SPEC.sample_rate)]
        start = int(samples.shape[1] * SOURCE_FRACTION) // SPEC.hop * SPEC.hop
        stop = start + (samples.shape[1] - start) // SPEC.hop * SPEC.hop
        self.rotation = principal_rotation(second_moments(samples[:, :start]))
        principal = torch.from_numpy((self.rotation @ samples).astype(np.float32))
        self.source, self.real = principal[:, :start], principal[:, start:stop]
        self.frames = log_mel(principal[:, start - SPEC.win + SPEC.hop : stop], SPEC, padded=True)

    def predict(self) -> None:
        """Predict the frames of the second part with the base."""
        known = self.recording(self.source)
        self.predictions = Predictions(known, self.real.shape[1] // SPEC.hop).frames()

    def in_place_of_true(self, kind: str) -> Split:
        """The same split with predicted frames."""
        other = copy(self)
        other.frames = self.predictions[kind]
        return other

    def recording(self, principal: Tensor) -> Recording:
        """The recording's channels from its principal channels."""
        return Recording(np.ascontiguousarray(self.rotation.T @ principal.numpy(), dtype=np.float32), SPEC.sample_rate)


def render_with(kind: str, options: Any = None) -> Render:
    """Render with a vocoder of the registry."""

    def render(split: Split) -> Tensor:
        return build(kind, SPEC, split.source, options).vocode(split.frames, split.source[:, -PAST:])

    return render


def true_magnitudes(split: Split) -> Tensor:
    """Upper bound for vocoders of mel frames: 64 Griffin-Lim iterations from the true magnitudes of all bins."""
    past = split.source[:, -overlap(SPEC) :]
    magnitude = analyse(torch.cat([past, split.real], dim=1), SPEC).abs()
    phases = 2 * np.pi * torch.rand(magnitude.shape, generator=torch.Generator().manual_seed(0))
    start = synthesise(torch.polar(magnitude, phases), past, SPEC)
    return refine(start, [(fixed(magnitude), 0.99)] * 64, SPEC)[:, overlap(SPEC) :]


def render_with_librosa(split: Split) -> Tensor:
    """librosa's mel_to_stft and griffinlim (32 iterations) with their defaults."""
    channels = [as_librosa(frames)[:, None] for frames in split.frames]
    return torch.from_numpy(np.stack([channel[:, 0] for channel in channels])[:, -split.real.shape[1] :])


RENDERS: dict[str, Render] = {
    **{kind: render_with(kind) for kind in SHIPPED},
    "griffin_lim, paired": render_with(
        "griffin_lim",
        GriffinLimOptions(inversion_iterations=6, magnitude_weight=0.5, unconstrained_share=0.0, equalise=False),
    ),
    "griffin_lim, 32": render_with("griffin_lim", GriffinLimOptions(iterations=32, coarse_iterations=0)),
    "librosa": render_with_librosa,
    "true magnitudes": true_magnitudes,
}


PREDICTED: dict[str, Render] = {
    **{kind: render_with(kind) for kind in SHIPPED},
    "source, as in Runs": render_with("source", SourceOptions(iterations=1)),
    "earlier audio": lambda split: split.source[:, -split.real.shape[1] :],
}


def correlation(recording: Recording) -> float:
    """Correlation of the first two channels; 0 for mono."""
    if recording.channels < 2:
        return 0.0
    return float(np.nan_to_num(np.corrcoef(recording.samples[:2])[0, 1]))


def as_vocode(kind: str, split: Split) -> Recording:
    """The last quarter as rendered by ``audiogen vocode --source``: from silence, in its own principal channels."""
    real, known = split.recording(split.real), split.recording(split.source)
    analysis = vocoding.analyse(real, SPEC)
    source = torch.from_numpy((analysis.rotation @ known.samples).astype(np.float32))
    blocks = vocoding.render(build(kind, SPEC, source), analysis)
    return Recording(np.concatenate(list(blocks), axis=1), SPEC.sample_rate)


class RealQuarter:
    """The real last quarter and the source, with which rendered ones are compared."""

    def __init__(self, split: Split) -> None:
        self.real, self.source = split.recording(split.real), split.recording(split.source)
        self.texture = TextureReference(self.real, self.source)
        self.detector = RepetitionDetector(self.source)
        self.copied = self.detector.copying(self.real).fraction

    def unpaired(self, out: Recording) -> Row:
        """Measures of any plausible continuation, which need no time alignment."""
        tilt, found = spectral_tilt(out, self.real), self.texture.distance(out)
        error, hertz = np.abs(tilt.difference)[tilt.hertz <= 16000], tilt.hertz[tilt.hertz <= 16000]
        return {
            "texture": found.overall,
            "classes": found.classes,
            "tilt": float(error[hertz >= 50].max()),
            "tilt_resolved": float(error[hertz >= MIN_RESOLVED_HERTZ].max()),
            "crest": crest_ratio(out, self.real),
            "copied": self.detector.copying(out).fraction,
            "copied_real": self.copied,
            "stereo": abs(correlation(out) - correlation(self.real)),
        }

    def paired(self, out: Recording) -> Row:
        """Measures relative to the analysed sound, aligned sample by sample."""
        pair = multi_resolution_stft(out, self.real)
        return {"convergence": pair.convergence, "log_magnitude": pair.log_magnitude}


def measure(path: Path, done: set[tuple[str, str]]) -> Iterator[Row]:
    """All measures of one recording for each kind of frames and each renderer without a row."""
    missing = [name for name in RENDERS if (TRUE, name) not in done]
    others = [(kind, name) for kind in KINDS for name in PREDICTED if (kind, name) not in done]
    if not missing and not others:
        return
    split = Split(path)
    evaluator = RealQuarter(split)
    repeat = waveform_repeat(evaluator.real, evaluator.source)
    about = {"recording": path.stem, "repeats": repeat is not None and repeat.repeats}
    for name in missing:
        started = time.process_time()
        out = split.recording(RENDERS[name](split))
        row = about | {"vocoder": name, "seconds": (time.process_time() - started) / evaluator.real.seconds}
        if name in SHIPPED:
            row["stereo_own"] = abs(correlation(as_vocode(name, split)) - correlation(evaluator.real))
        yield row | evaluator.unpaired(out) | evaluator.paired(out)
    if others:
        split.predict()
    for kind, name in others:
        out = split.recording(PREDICTED[name](split.in_place_of_true(kind)))
        yield about | {"frames": kind, "vocoder": name} | evaluator.unpaired(out)


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
    rows: list[Row] = [json.loads(line) for line in lines]
    with torch.no_grad(), arguments.results.open("a", encoding="utf-8") as results:

        def keep(row: Row) -> None:
            results.write(json.dumps(row) + "\n")
            results.flush()
            rows.append(row)

        for file in files:
            own = [row for row in rows if row.get("recording") == file.stem]
            for row in measure(file, {(row.get("frames", TRUE), row["vocoder"]) for row in own}):
                keep(row)
                print(file.stem, row.get("frames", TRUE), row["vocoder"], f"{row['texture']:.2f}", flush=True)
        if not any("speeds" in row for row in rows):
            keep({"speeds": speeds()})
    arguments.output.write_text(page(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
