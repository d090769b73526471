"""Plot the README's picture: the spectrogram of a continuation with the join marked.

audiogen continue data/waterfall.ogg -o longer.wav
python tools/make_readme_picture.py longer.wav -o docs/spectrogram.png
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from audiogen.audio import Recording, read
from audiogen.output_names import sidecar_of
from audiogen.reports.figures import COLOUR_MAP, LEVEL_RANGE, MAX_COLUMNS, envelope, spectrogram


def draw_continuation(path: Path, joined: Recording, join_sample: int) -> None:
    """Write a PNG of a recording's spectrogram and waveform with the join marked.

    Args:
        path: file to write.
        joined: prompt and tail.
        join_sample: first sample of the tail.
    """
    from matplotlib.figure import Figure

    shown, join = spectrogram(joined), join_sample / joined.sample_rate
    figure = Figure(figsize=(11, 4.6), dpi=130, layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    extent = (0.0, shown.seconds, 0.0, 1.0)
    image = upper.imshow(
        shown.levels, origin="lower", aspect="auto", extent=extent, cmap=COLOUR_MAP, vmin=-LEVEL_RANGE, vmax=0
    )
    upper.set_yticks([position for position, _ in shown.ticks()], [label for _, label in shown.ticks()])
    upper.set_ylabel("Hz")
    figure.colorbar(image, ax=upper, label="dB", pad=0.01)
    low, high = envelope(joined.samples.mean(axis=0), MAX_COLUMNS)
    lower.fill_between(np.linspace(0, shown.seconds, len(low)), low, high, color="0.35", linewidth=0.5)
    lower.set(xlabel="seconds", yticks=[], xlim=(0, shown.seconds))
    for axes, colour in ((upper, "white"), (lower, "tab:red")):
        axes.axvline(join, color=colour, linewidth=1.4, linestyle="--")
    for position, text in ((join / 2, "prompt"), ((join + shown.seconds) / 2, "continuation")):
        upper.annotate(text, (position, 1.02), annotation_clip=False, ha="center", fontsize=11)
    figure.savefig(path, format="png")


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
