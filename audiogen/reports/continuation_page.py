"""The page of one continuation: players, spectrograms, waveform at the join and measures, in one HTML file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from audiogen.audio import Recording
from audiogen.reports.excerpts import Excerpt, playback_note, read_excerpt
from audiogen.reports.figures import envelope, spectrogram
from audiogen.reports.panels import Panel, audio_format, panels, write_template
from audiogen.reports.scorecard import flatten, scorecard

MAX_PROMPT_SECONDS, MAX_TAIL_SECONDS = 30.0, 45.0  # played and shown: keeps the page below 6 MB
ZOOM_SECONDS = 0.05  # on either side of the join
WAVEFORM_COLUMNS = 1000


def write_continuation_page(path: Path, prompt: Recording, continuation: Path, sidecar: Mapping[str, Any]) -> None:
    """Write a page that plays and shows a continuation, in one file without external resources.

    Args:
        path: HTML file to write.
        prompt: the continued recording.
        continuation: the audio file, with or without the prompt.
        sidecar: of the continuation, as `continue_recording` returns it.

    Raises:
        InputError: the audio file cannot be read, or its format differs from the prompt's.
    """
    excerpt = read_excerpt(prompt, continuation, sidecar["join_sample"], MAX_PROMPT_SECONDS, MAX_TAIL_SECONDS)
    write_template(
        path,
        "continuation.html.j2",
        {
            "title": f"{prompt.path.name if prompt.path else 'A recording'}, continued",
            "facts": facts(prompt, sidecar),
            "note": f"{continuation.name}. {playback_note(prompt, excerpt)}",
            "warnings": sidecar["warnings"],
            "panels": _panels(excerpt),
            "waveform": _waveform(excerpt),
            "zoom": _zoom(excerpt),
            "zoom_milliseconds": round(1000 * ZOOM_SECONDS),
            "join_position": excerpt.join / excerpt.joined.length,
            "lines": scorecard(sidecar["measures"]),
            "sections": _sections(sidecar),
        },
    )


def facts(prompt: Recording, sidecar: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Main settings of a continuation, as (name, value)."""
    settings = sidecar["settings"]
    return [
        ("Prompt", f"{prompt.seconds:.2f} s"),
        ("Continuation", f"{settings['seconds']:g} s"),
        ("Audio", audio_format(prompt)),
        ("Seed", str(sidecar["seed"])),
        ("Temperature", f"{settings['temperature']:g}"),
        ("Time taken", f"{sum(sidecar['timings'].values()):.0f} s"),
    ]


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
    """SVG outlines of each channel's waveform in a box of `WAVEFORM_COLUMNS` x 100, separately for prompt and tail."""
    samples = excerpt.joined.samples
    peak = max(float(np.abs(samples).max()), 1e-6)
    join = round(excerpt.join / samples.shape[1] * WAVEFORM_COLUMNS)
    shapes = []
    for row in samples:
        low, high = (50 - 48 * edge / peak for edge in envelope(row, WAVEFORM_COLUMNS))
        x = np.linspace(0, WAVEFORM_COLUMNS, len(low))
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
    """Polylines of each channel around the join, in a box of `WAVEFORM_COLUMNS` x 100 with the join in the middle."""
    reach = max(round(ZOOM_SECONDS * excerpt.joined.sample_rate), 2)
    first = max(excerpt.join - reach, 0)
    samples = excerpt.joined.samples[:, first : excerpt.join + reach]
    peak, join = max(float(np.abs(samples).max()), 1e-6), excerpt.join - first
    shapes = []
    for row in samples:
        x = (np.arange(len(row)) - join) / reach * WAVEFORM_COLUMNS / 2 + WAVEFORM_COLUMNS / 2
        points = [f"{a:.1f},{b:.1f}" for a, b in zip(x, 50 - 48 * row / peak, strict=True)]
        shapes.append({"prompt": " ".join(points[: join + 1]), "tail": " ".join(points[join:])})
    return shapes


def _sections(sidecar: Mapping[str, Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    """The whole sidecar as (heading, entries)."""
    named = ("measures", "settings", "timings", "versions")
    rest = {key: value for key, value in sidecar.items() if key not in (*named, "warnings")}
    parts = [("File", rest), *((name.capitalize(), sidecar[name]) for name in named if name in sidecar)]
    return [(name, [(key, _format(value)) for key, value in flatten(part).items()]) for name, part in parts]


def _format(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
