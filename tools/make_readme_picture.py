"""Plot the README's picture: the spectrogram of a continuation with the join marked.

audiogen continue data/waterfall.ogg -o longer.wav
python tools/make_readme_picture.py longer.wav -o docs/spectrogram.png
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from audiogen.audio import read
from audiogen.output_names import sidecar_of
from audiogen.reports.figures import draw_continuation


def main() -> None:
    """Read a continuation and its sidecar and write the picture."""
    parser = argparse.ArgumentParser(description="Draw a continuation with the join marked.")
    parser.add_argument("continuation", type=Path, help="output of `audiogen continue`, prompt included")
    parser.add_argument("-o", "--output", type=Path, default=Path("docs/spectrogram.png"))
    arguments = parser.parse_args()
    sidecar = json.loads(sidecar_of(arguments.continuation).read_text("utf-8"))
    draw_continuation(arguments.output, read(arguments.continuation), sidecar["join_sample"])


if __name__ == "__main__":
    main()
