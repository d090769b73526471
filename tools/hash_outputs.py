"""Regression check of output bytes: run small jobs on the command line and hash the files they write.

For large changes that must not change any output: run it before and after, on the same machine and in the same
environment, and compare.

    python tools/hash_outputs.py -o before.json
    python tools/hash_outputs.py -o after.json --against before.json

Audio, MIDI and weights of each job are hashed. The values of its JSON files are stored, so that added and removed
measures are distinguished from changed ones; versions, timings, paths and warnings are ignored. The inputs are
generated from a seed; nothing is downloaded.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import mido
import numpy as np
import soundfile

RATE = 44100
SMALL = ("training.steps=12", "training.patience=0", "training.log_media_every=0")
LSTM = "model.backbone={kind: lstm, hidden: 32, layers: 1}"
PASSING = frozenset(("versions", "timings", "warnings", "prompt", "output", "page", "settings", "seconds", "path"))
"""Keys of a sidecar that are not compared."""

JOBS: dict[str, tuple[str, ...]] = {
    # name: command, with {} for the output; in this order, since later jobs use the Runs of earlier ones
    "base.wav": ("continue", "rain.wav", "-o", "{}", "--seconds", "4", "--budget", "0"),
    "handles.wav": (
        *("continue", "rain.wav", "-o", "{}", "--seconds", "3", "--budget", "0", "--seed", "7"),
        *("--temperature", "1.5", "--level", "-3", "--brightness", "1", "--density", "1"),
    ),
    "as-drawn.flac": ("continue", "rain.wav", "-o", "{}", "--seconds", "3", "--budget", "0", "--no-match-texture"),
    "loop.wav": (
        *("continue", "rain.wav", "-o", "{}", "--seconds", "4", "--budget", "0", "--loop", "--tail-only"),
        *("--subtype", "PCM_16"),
    ),
    "joined-loop.wav": ("continue", "mono.wav", "-o", "{}", "--seconds", "4", "--budget", "0", "--loop"),
    "morph.wav": ("continue", "rain.wav", "-o", "{}", "--seconds", "4", "--budget", "0", "--morph", "mono.wav"),
    "other-rate.wav": ("continue", "slow.wav", "-o", "{}", "--seconds", "2", "--budget", "0", "--subtype", "FLOAT"),
    "griffin-lim.wav": (
        *("continue", "mono.wav", "-o", "{}", "--seconds", "2", "--budget", "0", "--vocoder", "griffin_lim"),
    ),
    "trained.wav": ("continue", "mono.wav", "-o", "{}", "--seconds", "2", *SMALL, LSTM),
    "hmm.wav": ("continue", "mono.wav", "-o", "{}", "--seconds", "2", *SMALL, "--config", "configs/mel/hmm.yaml"),
    "resynthesised.wav": ("vocode", "mono.wav", "-o", "{}", "--vocoder", "neural"),
    "longer.mid": ("continue", "tune.mid", "-o", "{}", "--bars", "6"),
    "played.wav": ("continue", "tune.mid", "-o", "{}", "--bars", "2", "--tail-only"),
    "filled.mid": ("infill", "tune.mid", "-o", "{}", "--bars", "3-4", "--candidates", "4"),
    "tunes": ("train", "configs/midi/lstm.yaml", "--data", "tune.mid", "-o", "{}", *SMALL, "model.backbone.hidden=16"),
    "by-run.mid": ("continue", "tune.mid", "-o", "{}", "--bars", "4", "--run", "tunes", "--takes", "2"),
    "parts.mid": ("accompany", "tune.mid", "-o", "{}", "--run", "tunes", "--candidates", "2", "--parts", "1"),
    "report": ("evaluate", "base.wav", "--reference", "rain.wav", "-o", "{}"),
    "clips": ("render", "jobs.csv", "-o", "{}", "--budget", "0"),
}


def texture(seconds: float, channels: int, seed: int, rate: int = RATE) -> np.ndarray:
    """Amplitude-modulated noise with drops at random times: ``[time, channels]``."""
    generator = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate)) / rate
    noise = generator.standard_normal((len(time), channels))
    noise = noise - 0.9 * np.roll(noise, 1, axis=0)
    sound = noise * (1 + 0.4 * np.sin(2 * np.pi * 0.4 * time))[:, None]
    for start in generator.integers(0, len(time) - 2000, int(8 * seconds)):
        drop = np.exp(-np.arange(2000) / 300) * np.sin(
            2 * np.pi * generator.uniform(800, 4000) * np.arange(2000) / rate
        )
        sound[start : start + 2000] += 3 * drop[:, None] * generator.uniform(0.3, 1, channels)
    return 0.1 * sound / np.sqrt(np.square(sound).mean())


def tune(bars: int = 8) -> mido.MidiFile:
    """A random-walk melody of quarter notes in 4/4."""
    file = mido.MidiFile(type=1, ticks_per_beat=480)
    track = mido.MidiTrack()
    file.tracks.append(track)
    track.append(mido.MetaMessage("set_tempo", tempo=500_000))
    track.append(mido.MetaMessage("time_signature", numerator=4, denominator=4))
    track.append(mido.Message("program_change", program=0))
    generator, degree, scale = np.random.default_rng(1), 3, (60, 62, 64, 65, 67, 69, 71, 72)
    for _ in range(4 * bars):
        degree = int(np.clip(degree + generator.integers(-2, 3), 0, 7))
        track.append(mido.Message("note_on", note=scale[degree], velocity=80))
        track.append(mido.Message("note_off", note=scale[degree], velocity=0, time=480))
    return file


def make_inputs(folder: Path) -> None:
    """Write the input files of the jobs."""
    soundfile.write(folder / "rain.wav", texture(12, 2, 0), RATE, "PCM_24")
    soundfile.write(folder / "mono.wav", texture(8, 1, 1), RATE, "PCM_16")
    soundfile.write(folder / "slow.wav", texture(6, 2, 2, 22050), 22050, "FLOAT")
    tune().save(folder / "tune.mid")
    rows = ["prompt,seconds,seed,name", "mono.wav,1.5,1,first", "mono.wav,1.5,2,second", "rain.wav,1,3,third"]
    (folder / "jobs.csv").write_text("\n".join(rows) + "\n", "utf-8")


def figures(value: Any, prefix: str) -> dict[str, str]:
    """Compared values of a sidecar: ``{"base.json measures.level": "-23.1"}``."""
    if isinstance(value, dict):
        pairs = [(key, each) for key, each in value.items() if key not in PASSING]
    elif isinstance(value, list):
        pairs = list(enumerate(value))
    else:
        return {prefix: str(value)}
    return {path: text for key, each in pairs for path, text in figures(each, f"{prefix} {key}").items()}


def digest(data: bytes) -> str:
    """The first 16 hexadecimal digits of the SHA-256."""
    return hashlib.sha256(data).hexdigest()[:16]


def hashes(folder: Path, name: str) -> dict[str, str]:
    """The hashes of one job, by file."""
    out, found = folder / name, dict[str, str]()
    paths = sorted(out.rglob("*")) if out.is_dir() else [out, out.with_suffix(".json")]
    for path in paths:
        label = path.relative_to(folder).as_posix()
        if path.suffix in (".wav", ".flac", ".mid") or path.name == "model.safetensors":
            found[label] = digest(path.read_bytes())
        elif path.suffix == ".json" and path.name != "metrics.json" and path.is_file():
            found |= figures(json.loads(path.read_text("utf-8")), label)
    return found


def render(root: Path, only: set[str]) -> dict[str, str]:
    """Run the jobs with the audiogen in ``root`` and hash their output."""
    found: dict[str, str] = {}
    environment = os.environ | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        make_inputs(folder)
        (folder / "configs").symlink_to(root / "configs")
        for name, command in JOBS.items():
            if only and name not in only:
                continue
            line = [part.replace("{}", name) for part in command]
            done = subprocess.run(
                [sys.executable, "-m", "audiogen", *line], cwd=folder, env=environment, capture_output=True, text=True
            )
            if done.returncode:
                found[name] = f"exit {done.returncode}: {done.stderr.strip().splitlines()[-1]}"
            else:
                found |= hashes(folder, name)
            print(
                name, *(f"\n    {key} {found[key]}" for key in found if key.startswith(name.split(".")[0])), flush=True
            )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--against", type=Path, help="JSON file of an earlier run, to compare with")
    parser.add_argument("--root", type=Path, default=Path(__file__).parents[1], help="checkout whose audiogen runs")
    parser.add_argument("--only", nargs="*", default=[], help="names of jobs")
    given = parser.parse_args()
    found = render(given.root.resolve(), set(given.only))
    given.output.write_text(json.dumps(found, indent=2) + "\n", "utf-8")
    if given.against is not None:
        before = json.loads(given.against.read_text("utf-8"))
        both = sorted(before.keys() & found.keys())
        changed = [key for key in both if before[key] != found[key]]
        gone, new = sorted(before.keys() - found.keys()), sorted(found.keys() - before.keys())
        files = [key for key in both if " " not in key]
        same = [key for key in files if key not in changed]
        print(
            f"{len(same)} of {len(files)} files as before; figures: {len(both) - len(files)} compared, {len(new)} new"
        )
        for key in changed:
            print(f"  {key}: {before[key]} -> {found[key]}")
        for key in gone:
            print(f"  {key}: gone, was {before[key]}")
        sys.exit(bool(changed or gone))


if __name__ == "__main__":
    main()
