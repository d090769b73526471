"""The page of a comparison: the table, and for each prompt all candidates side by side."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from audiogen.jobs.comparing_candidates import Made
from audiogen.jobs.comparing_data import Prompt
from audiogen.jobs.comparing_results import MEASURES
from audiogen.jobs.panels import Shown, panels, write_template
from audiogen.jobs.pictures import spectrograms
from audiogen.representation.midi import Tune

STEPS = 12  # pixels a quarter note
MARGIN = 2  # keys above and below


def write_comparison(
    path: Path,
    data: Path,
    found: Sequence[Mapping[str, Any]],
    prompts: Sequence[Prompt],
    tails: Mapping[tuple[str, str], Made],
) -> None:
    """Write the page.

    Args:
        path: HTML file to write.
        data: what was compared on.
        found: the summary.
        prompts: what was continued.
        tails: by candidate and prompt.
    """
    shown = [name for name in MEASURES if any(told[name]["mean"] is not None for told in found)]
    write_template(
        path,
        "compare.html.j2",
        {
            "title": f"{len(found)} candidates on {data.name}",
            "measures": {name: MEASURES[name] for name in shown},
            "rows": [(told["candidate"], told["domain"], [_cell(told[name]) for name in shown]) for told in found],
            "sections": [(prompt.name, _panels(number, prompt, tails)) for number, prompt in enumerate(prompts)],
        },
    )


def _cell(value: Mapping[str, float | None]) -> str:
    if value["mean"] is None:
        return "–"
    mean = f"{value['mean']:,.0f}" if abs(value["mean"]) >= 1000 else f"{value['mean']:.3g}"
    return mean if value["deviation"] is None else f"{mean} ± {value['deviation']:.2g}"


def _panels(number: int, prompt: Prompt, tails: Mapping[tuple[str, str], Made]) -> list[dict[str, Any]]:
    made = {"prompt": Made(prompt.sound, prompt.tune), "what truly follows": Made(prompt.real, prompt.rest)}
    made |= {candidate: tail for (candidate, name), tail in tails.items() if name == prompt.name}
    pictures = spectrograms([tail.sound for tail in made.values()])
    shown = [
        Shown(f"p{number}-{index}", name, tail.sound, picture)
        for index, ((name, tail), picture) in enumerate(zip(made.items(), pictures, strict=True))
    ]
    rolls = [None if tail.tune is None or not len(tail.tune.notes) else roll_uri(tail.tune) for tail in made.values()]
    return [panel | {"roll": roll} for panel, roll in zip(panels(shown), rolls, strict=True)]


def roll_uri(tune: Tune) -> str:
    """A piano roll as a PNG: pitch upwards, from the first note on, louder notes darker."""
    from matplotlib.image import imsave

    notes = tune.notes
    start, scale = int(notes["start"].min()), STEPS / tune.ticks_per_quarter
    low, high = int(notes["pitch"].min()) - MARGIN, int(notes["pitch"].max()) + MARGIN
    roll = np.zeros((high - low + 1, max(round((tune.end - start) * scale), 1)))
    for begun, end, pitch, velocity in zip(
        *(notes[name].tolist() for name in ("start", "end", "pitch", "velocity")), strict=True
    ):
        first = round((begun - start) * scale)
        roll[pitch - low, first : max(round((end - start) * scale), first + 1)] = 0.4 + 0.6 * velocity / 127
    picture = io.BytesIO()
    imsave(picture, roll, vmin=0, vmax=1, cmap="Greys", origin="lower", format="png")
    return f"data:image/png;base64,{base64.b64encode(picture.getvalue()).decode('ascii')}"
