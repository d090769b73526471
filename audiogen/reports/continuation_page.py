"""One self-contained HTML page about a continuation: players, spectrograms, the join, the measures."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from audiogen.audio import AudioWarning, Recording, open_blocks
from audiogen.errors import InputError
from audiogen.reports.figures import envelope, spectrogram
from audiogen.reports.panels import LAYOUTS, Panel, panels, write_template
from audiogen.reports.scorecard import flatten, scorecard

PROMPT_SECONDS, TAIL_SECONDS = 30.0, 45.0  # heard and shown of each: keeps the page below 6 MB
ZOOM_SECONDS = 0.05  # either side of the join
COLUMNS = 1000  # of a waveform


def write_page(path: Path, prompt: Recording, continuation: Path, sidecar: Mapping[str, Any]) -> None:
    """Write a page that shows and plays a continuation, with nothing outside the file.

    Args:
        path: HTML file to write.
        prompt: what was continued.
        continuation: the audio file, with or without the prompt.
        sidecar: what `continue_recording` returned.

    Raises:
        InputError: the audio file cannot be read, or is not of the prompt's rate and channels.
    """
    excerpt = excerpt_of(prompt, continuation, sidecar["join_sample"])
    write_template(
        path,
        "page.html.j2",
        {
            "title": f"{prompt.path.name if prompt.path else 'A recording'}, continued",
            "facts": facts(prompt, sidecar),
            "note": f"{continuation.name}. {note(prompt, excerpt)}",
            "warnings": sidecar["warnings"],
            "panels": _panels(excerpt),
            "waveform": _waveform(excerpt),
            "zoom": _zoom(excerpt),
            "zoom_milliseconds": round(1000 * ZOOM_SECONDS),
            "join_place": excerpt.join / excerpt.joined.length,
            "lines": scorecard(sidecar["measures"]),
            "sections": _sections(sidecar),
        },
    )


@dataclass(frozen=True)
class Excerpt:
    """What is heard and shown: the prompt's end and the tail's beginning.

    Args:
        joined: both.
        join: samples of it that are the prompt's.
        tail_length: samples of the whole tail, per channel.
    """

    joined: Recording
    join: int
    tail_length: int

    @property
    def prompt(self) -> Recording:
        return self.joined.cut(0, self.join)

    @property
    def tail(self) -> Recording:
        return self.joined.cut(self.join, self.joined.length)


def excerpt_of(
    prompt: Recording,
    continuation: Path,
    join_sample: int,
    before: float = PROMPT_SECONDS,
    after: float = TAIL_SECONDS,
) -> Excerpt:
    """The prompt's last and the tail's first seconds; ``join_sample`` is the tail's first in the file."""
    wanted, position = round(after * prompt.sample_rate), 0
    kept: list[np.ndarray] = []
    with warnings.catch_warnings(), open_blocks(continuation) as blocks:
        warnings.simplefilter("ignore", AudioWarning)  # the sidecar says what there is to be said
        if (blocks.sample_rate, blocks.channels) != (prompt.sample_rate, prompt.channels):
            raise InputError(continuation, "its rate or channels are not the prompt's", "name the prompt it continues")
        for block in blocks:
            kept.append(block[:, max(join_sample - position, 0) : max(join_sample - position + wanted, 0)])
            position += block.shape[1]
    if position <= join_sample:
        raise InputError(continuation, "nothing follows the join", "render it again")
    past = prompt.samples[:, -round(before * prompt.sample_rate) :]
    joined = np.concatenate([past, *kept], axis=1)
    return Excerpt(Recording(joined, prompt.sample_rate), past.shape[1], position - join_sample)


def seam_of(loop: Path, before: float, after: float) -> Excerpt:
    """A loop's last seconds and, after them, its first ones: what is heard where it starts over."""
    with warnings.catch_warnings(), open_blocks(loop) as blocks:
        warnings.simplefilter("ignore", AudioWarning)
        head = last = np.zeros((blocks.channels, 0), np.float32)
        wanted, kept, length = round(after * blocks.sample_rate), round(before * blocks.sample_rate), 0
        for block in blocks:
            head = np.concatenate([head, block[:, : wanted - head.shape[1]]], axis=1)
            last = np.concatenate([last, block], axis=1)[:, -kept:]
            length += block.shape[1]
    return Excerpt(Recording(np.concatenate([last, head], axis=1), blocks.sample_rate), last.shape[1], length)


def facts(prompt: Recording, sidecar: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What was asked for, and from what."""
    settings = sidecar["settings"]
    layout = LAYOUTS.get(prompt.channels, f"{prompt.channels} channels")
    return [
        ("Prompt", f"{prompt.seconds:.2f} s"),
        ("Continuation", f"{settings['seconds']:g} s"),
        (
            "Audio",
            f"{prompt.sample_rate / 1000:g} kHz, {layout}",
        ),
        ("Seed", str(sidecar["seed"])),
        ("Temperature", f"{settings['temperature']:g}"),
        ("Time taken", f"{sum(sidecar['timings'].values()):.0f} s"),
    ]


def note(prompt: Recording, excerpt: Excerpt) -> str:
    """How what is heard differs from what was written."""
    remarks = []
    if prompt.length > excerpt.join:
        remarks.append(f"of the prompt the last {excerpt.prompt.seconds:.3g} s")
    if excerpt.tail_length > excerpt.tail.length:
        remarks.append(f"of the continuation the first {excerpt.tail.seconds:.3g} s")
    shown = f"Heard and shown here: {' and '.join(remarks)}. " if remarks else ""
    mixed = "The players mix its channels to mono. " if prompt.channels > 2 else ""
    return f"{shown}{mixed}The players are compressed; what was written is not changed by this page."


def _panels(excerpt: Excerpt) -> list[dict[str, Any]]:
    whole, rate = spectrogram(excerpt.joined), excerpt.joined.sample_rate
    join, stop = excerpt.join, excerpt.joined.length
    parts = (
        ("joined", "Prompt and continuation", 0, stop, 10),
        ("prompt", "Prompt", 0, join, 6),
        ("tail", "Continuation", join, stop, 6),
    )
    return panels(
        [
            Panel(key, name, excerpt.joined.cut(first, last), whole.between(first / rate, last / rate), ticks)
            for key, name, first, last, ticks in parts
        ]
    )


def _waveform(excerpt: Excerpt) -> list[dict[str, str]]:
    """A filled outline of each channel in a box of `COLUMNS` x 100, the prompt's and the tail's part."""
    samples = excerpt.joined.samples
    peak = max(float(np.abs(samples).max()), 1e-6)
    join = round(excerpt.join / samples.shape[1] * COLUMNS)
    shapes = []
    for row in samples:
        low, high = (50 - 48 * edge / peak for edge in envelope(row, COLUMNS))
        x = np.linspace(0, COLUMNS, len(low))
        split = int(np.searchsorted(x, join))
        shapes.append(
            {
                "prompt": _outline(x[: split + 1], low[: split + 1], high[: split + 1]),
                "tail": _outline(x[split:], low[split:], high[split:]),
            }
        )
    return shapes


def _outline(x: np.ndarray, low: np.ndarray, high: np.ndarray) -> str:
    points = [*zip(x, high, strict=True), *zip(x[::-1], low[::-1], strict=True)]
    return "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in points) + "Z"


def _zoom(excerpt: Excerpt) -> list[dict[str, str]]:
    """Polylines of each channel around the join, in a box of `COLUMNS` x 100, the join in its middle."""
    reach = max(round(ZOOM_SECONDS * excerpt.joined.sample_rate), 2)
    first = max(excerpt.join - reach, 0)
    samples = excerpt.joined.samples[:, first : excerpt.join + reach]
    peak, join = max(float(np.abs(samples).max()), 1e-6), excerpt.join - first
    shapes = []
    for row in samples:
        x = (np.arange(len(row)) - join) / reach * COLUMNS / 2 + COLUMNS / 2
        points = [f"{a:.1f},{b:.1f}" for a, b in zip(x, 50 - 48 * row / peak, strict=True)]
        shapes.append({"prompt": " ".join(points[: join + 1]), "tail": " ".join(points[join:])})
    return shapes


def _sections(sidecar: Mapping[str, Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Everything that the sidecar says, by heading."""
    named = ("measures", "settings", "timings", "versions")
    rest = {key: value for key, value in sidecar.items() if key not in (*named, "warnings")}
    parts = [("File", rest), *((name.capitalize(), sidecar[name]) for name in named if name in sidecar)]
    return [(name, [(key, _written(value)) for key, value in flatten(part).items()]) for name, part in parts]


def _written(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
