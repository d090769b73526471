"""End-to-end check: run `audiogen continue` on each recording of a folder and check the output.

    python tools/check_main_job.py RECORDINGS [--seconds 30] [--long NAME] [--keep FOLDER]

The first three quarters of each recording are the prompt. One row per recording: wall-clock seconds, exit code, exact
length, prompt bit-exact, level of the tail relative to the prompt's last 5 s, spectral flux at the join as a percentile
of the prompt's, correlation of the channels in tail and prompt, peak memory. With ``--long`` one recording is also
continued twice for 30 s, with another seed, and for 10 minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from audiogen.audio import Recording, info, read, write

LEVEL_TOLERANCE = 2.0  # dB
CORRELATION = 0.15


def main() -> None:
    """Print the tables; exit with 1 if a check fails."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--long", help="stem of the recording that is continued for 10 minutes")
    parser.add_argument("--only", nargs="*", help="stems of the recordings to check")
    parser.add_argument("--keep", type=Path, help="folder for the rendered files")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        out = options.keep or Path(temporary)
        out.mkdir(parents=True, exist_ok=True)
        files = [p for p in sorted(options.folder.iterdir()) if p.suffix in {".ogg", ".flac", ".wav", ".mp3"}]
        prompts = [_prompt(path, out) for path in files if not options.only or path.stem in options.only]
        missed = list(_short(prompts, out, options.seconds)) if prompts else []
        if options.long:
            missed += _long(_prompt(next(p for p in files if p.stem == options.long), out), out)
    print("\nmissed: " + (", ".join(missed) or "nothing"))
    sys.exit(bool(missed))


def _prompt(path: Path, out: Path) -> Path:
    recording = read(path)
    prompt = out / f"{path.stem}.prompt.wav"
    cut = recording.cut(0, 3 * recording.length // 4)
    write(prompt, Recording(cut.samples, cut.sample_rate), "FLOAT")
    return prompt


def _run(*arguments: str | Path) -> tuple[int, float, float]:
    """Exit code, wall-clock seconds and peak memory in MiB of an audiogen command."""
    started = time.perf_counter()
    child = os.posix_spawn(sys.executable, [sys.executable, "-m", "audiogen", *map(str, arguments)], dict(os.environ))
    _, status, usage = os.wait4(child, 0)
    return os.waitstatus_to_exitcode(status), time.perf_counter() - started, usage.ru_maxrss / 1024


def _short(prompts: list[Path], out: Path, seconds: float) -> Iterator[str]:
    print("| recording | s | exit | length | exact | level dB | flux percentile | correlation tail / prompt | MiB |")
    print("|---|---|---|---|---|---|---|---|---|")
    for path in prompts:
        name = path.name.removesuffix(".prompt.wav")
        target = out / f"{name}.wav"
        code, wall, memory = _run("continue", path, "-o", target, "--seconds", f"{seconds:g}", "--force")
        if code:
            print(f"| {name} | {wall:.0f} | {code} |", flush=True)
            yield f"{name} exit"
            continue
        prompt, output = read(path), read(target)
        tail = output.cut(prompt.length, output.length)
        length = output.length - prompt.length - round(seconds * prompt.sample_rate)
        exact = np.array_equal(output.samples[:, : prompt.length], prompt.samples)
        level = _level(tail.samples) - _level(prompt.samples[:, -5 * prompt.sample_rate :])
        measures = json.loads(target.with_suffix(".json").read_text())["measures"]
        flux = measures["join"]["flux_percentile"]
        pair = [_correlation(tail.samples), _correlation(prompt.samples)]
        shown = " / ".join(f"{value:.2f}" for value in pair) if prompt.channels > 1 else "–"
        print(
            f"| {name} | {wall:.0f} | {code} | {length:+d} | {'yes' if exact else 'NO'} | {level:+.2f} | {flux:.0f} "
            f"| {shown} | {memory:.0f} |",
            flush=True,
        )
        faults = {
            "length": length != 0,
            "exact": not exact,
            "finite": not np.isfinite(tail.samples).all(),
            "level": abs(level) > LEVEL_TOLERANCE,
            "flux": flux > 99,
            "correlation": prompt.channels > 1 and abs(pair[0] - pair[1]) > CORRELATION,
            "time": wall > 150,
        }
        yield from (f"{name} {fault}" for fault, found in faults.items() if found)


def _long(prompt: Path, out: Path) -> list[str]:
    """Continue one prompt again, with another seed, and for 10 minutes."""
    made = [out / f"{label}.wav" for label in ("once", "again", "other", "long")]
    memory = []
    for target, extra in zip(made, ([], [], ["--seed", "1"], ["--seconds", "600"]), strict=True):
        code, wall, used = _run("continue", prompt, "-o", target, "--force", *extra)
        print(f"{target.name}: exit {code}, {wall:.0f} s, {used:.0f} MiB")
        memory.append(used)
    same = made[0].read_bytes() == made[1].read_bytes()
    start = info(prompt).length or 0
    with_seeds = [read(path).samples[:, start:] for path in made[:3:2]]
    rate = read(prompt).sample_rate
    long = read(made[3]).samples[:, start:]
    minutes = [_level(long[:, at : at + 60 * rate]) for at in range(0, long.shape[1], 60 * rate)]
    seconds = long[:, : long.shape[1] // rate * rate].reshape(long.shape[0], -1, rate)
    levels = 10 * np.log10(np.mean(seconds**2, axis=(0, 2)) + 1e-20)
    print(
        f"same seed, same bytes: {same}; two seeds, correlation {_correlation(np.concatenate(with_seeds)[[0, -1]]):.3f}"
    )
    print(f"levels of the minutes, dB: {', '.join(f'{value:.2f}' for value in minutes)}")
    print(f"quietest second {levels.min():.1f} dB, loudest {levels.max():.1f} dB")
    print(f"memory: 10 minutes {memory[3]:.0f} MiB, 30 s {memory[0]:.0f} MiB")
    faults = {
        "same seed": not same,
        "two seeds": np.array_equal(*with_seeds),
        "last minute": abs(minutes[-1] - minutes[0]) > 1.5,
        "memory": memory[3] - memory[0] > 300,
    }
    return [f"long {fault}" for fault, found in faults.items() if found]


def _level(samples: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(samples.astype(np.float64) ** 2) + 1e-20))


def _correlation(samples: np.ndarray) -> float:
    return float(np.corrcoef(samples[0], samples[1])[0, 1]) if len(samples) > 1 else float("nan")


if __name__ == "__main__":
    main()
