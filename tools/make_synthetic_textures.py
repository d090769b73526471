"""Write synthetic textures for training, one WAV file per seed; existing files are kept.

python tools/make_synthetic_textures.py FOLDER -n 200 [--first 0] [--seconds 20] [--rate 44100]
"""

from __future__ import annotations

import argparse
from pathlib import Path

from tools.synthetic import write_textures


def main() -> None:
    """Write the missing files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="created if missing")
    parser.add_argument("-n", "--count", type=int, default=200, help="number of textures [200]")
    parser.add_argument("--first", type=int, default=0, help="the first seed [0]")
    parser.add_argument("--seconds", type=float, default=20.0, help="length of each in seconds [20]")
    parser.add_argument("--rate", type=int, default=44100, help="sample rate in Hz [44100]")
    arguments = parser.parse_args()
    paths = write_textures(arguments.folder, arguments.count, arguments.first, arguments.seconds, arguments.rate)
    print(f"{len(paths)} textures of {arguments.seconds:g} s in {arguments.folder}")


if __name__ == "__main__":
    main()
