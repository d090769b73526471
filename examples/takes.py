"""Make several takes of a recording, rank them by texture distance, and make a seamless loop of the closest one.

python examples/takes.py rain.wav takes --count 5 --seconds 30
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import audiogen


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recording", type=Path)
    parser.add_argument("folder", type=Path, help="where to write the takes and loop.wav")
    parser.add_argument("--count", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--budget", type=float, help="seconds of training; 0 uses the shipped base")
    options = parser.parse_args(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)

    recording = audiogen.read(options.recording)
    run = audiogen.choose_run(recording, budget=options.budget)  # once for all takes
    takes = []
    for seed in range(options.count):
        path = options.folder / f"take-{seed + 1}.wav"
        take = audiogen.continue_recording(recording, path, options.seconds, seed, run=run)
        distance = float("inf") if take.texture_distance is None else take.texture_distance
        takes.append((distance, take))
        print(f"{path.name}: texture distance {distance:.2f}, copied {take.copied or 0:.0%}")

    _, best = min(takes, key=lambda item: item[0])
    loop = audiogen.continue_audio(
        recording.samples, recording.sample_rate, options.seconds, best.seed, run=run, loop=True, tail_only=True
    )
    audiogen.write(options.folder / "loop.wav", audiogen.Recording(loop, recording.sample_rate))
    print(f"loop.wav: {options.seconds:g} s, made like {best.path.name}")


if __name__ == "__main__":
    main()
