"""Continue all recordings of a folder; what is done already is skipped, what fails is reported at the end.

    python examples/batch.py recordings continued --seconds 60

For large batches, `audiogen render` does the same from a table of jobs on several processes.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Sequence
from pathlib import Path

import audiogen

SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("output", type=Path, help="folder for the continuations and measures.csv")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--budget", type=float, default=0.0, help="seconds of training per recording")
    options = parser.parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)

    made, failures = [], []
    for path in sorted(file for file in options.folder.iterdir() if file.suffix.lower() in SUFFIXES):
        output = options.output / f"{path.name}.wav"  # rain.flac.wav: rain.wav may be there as well
        if output.with_suffix(".json").exists():  # written last
            made.append(audiogen.Continuation.open(output))
            continue
        try:
            made.append(audiogen.continue_recording(path, output, options.seconds, budget=options.budget))
            print(f"{output}: {made[-1].seconds:.1f} s added")
        except audiogen.InputError as error:
            failures.append(error)

    with (options.output / "measures.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["file", "join_sample", "texture_distance", "copied", "looped", "warnings"])
        for each in made:
            row = [each.path.name, each.join_sample, each.texture_distance, each.copied, each.looped]
            table.writerow([*row, "; ".join(each.warnings)])
    for error in failures:
        print(f"failed: {error}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
