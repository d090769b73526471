"""The page of a comparison: the table of measures, and all candidates side by side for each prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from audiogen.jobs.compare.candidates import CandidateTail
from audiogen.jobs.compare.pieces import Prompt
from audiogen.jobs.compare.summary import DESCRIPTIONS, IDENTITY, RAW_PREFIX, raw_beside_finished
from audiogen.reports.figures import spectrograms
from audiogen.reports.panels import Panel, panels, write_template
from audiogen.reports.piano_rolls import piano_rolls
from audiogen.tunes.tune import Tune

PROMPT = "prompt"
REGISTERED = "A registered metric, relative to the real continuation."


def write_comparison_page(
    path: Path,
    data: Path,
    summary: Sequence[Mapping[str, Any]],
    prompts: Sequence[Prompt],
    tails: Mapping[tuple[str, str], CandidateTail],
) -> None:
    """Write the page.

    Args:
        path: HTML file to write.
        data: folder of the data set.
        summary: of `audiogen.jobs.compare.summary.summarise`.
        prompts: the continued pieces.
        tails: by candidate and prompt.
    """
    beside = raw_beside_finished(summary)
    others = {name: REGISTERED for name in summary[0] if name not in (*DESCRIPTIONS, *IDENTITY)}
    described = {
        name: text
        for name, text in (DESCRIPTIONS | others).items()
        if not name.startswith(RAW_PREFIX) and not name.endswith("likelihood")  # these stand in the table beside
    }
    shown = [name for name in described if any(row[name]["mean"] is not None for row in summary)]
    write_template(
        path,
        "comparison.html.j2",
        {
            "title": f"{len(summary)} candidates on {data.name}",
            "counts": f"{len(prompts)} prompts, {max(row['seeds'] for row in summary)} seeds",
            "measures": {name: described[name] for name in shown},
            "rows": [(row["candidate"], row["domain"], [_cell(row[name]) for name in shown]) for row in summary],
            "beside": [
                (name, [_beside(*values, name=key) for key, values in own.items()]) for name, own in beside.items()
            ],
            "sections": [(prompt.name, *_panels(number, prompt, tails)) for number, prompt in enumerate(prompts)],
        },
    )


def _cell(value: Mapping[str, float | None]) -> str:
    if value["mean"] is None:
        return "–"
    mean = f"{value['mean']:,.0f}" if abs(value["mean"]) >= 1000 else f"{value['mean']:.3g}"
    return f"{mean} ± {value['deviation']:.2g}" if value["deviation"] else mean


def _beside(*values: float | None, name: str) -> list[str]:
    """Cells of a measure of raw, finished and (of the likelihood) real tails."""
    if name != "likelihood":
        values = values[:2]
    elif not any(value is not None for value in values):
        return ["none"] * len(values)
    return ["–" if value is None else f"{value:.2f}" for value in values]


def _panels(
    number: int, prompt: Prompt, tails: Mapping[tuple[str, str], CandidateTail]
) -> tuple[list[dict[str, Any]], str]:
    """Panels of a prompt and its tails, and the range of their colour scale in dB."""
    shown_tails = {
        PROMPT: CandidateTail(prompt.sound, prompt.tune),
        "real continuation": CandidateTail(prompt.real, prompt.rest),
    }
    for (candidate, name), tail in tails.items():
        if name == prompt.name:
            shown_tails[candidate] = tail
            if tail.raw is not None:
                shown_tails[f"{candidate}, raw"] = CandidateTail(tail.raw)
    pictures = spectrograms([tail.sound for tail in shown_tails.values()], contrast_of=0)
    shown = [
        Panel(f"p{number}-{index}", name, tail.sound, picture)
        for index, ((name, tail), picture) in enumerate(zip(shown_tails.items(), pictures, strict=True))
    ]
    timed = {
        name: (tail.tune, _picture_start(name, tail.tune, prompt)) for name, tail in shown_tails.items() if tail.tune
    }
    longest = max(tail.sound.seconds for tail in shown_tails.values())
    drawn = piano_rolls(timed, longest)
    return [panel | drawn.get(panel["name"], {}) for panel in panels(shown)], f"{pictures[0].span:.0f}"


def _picture_start(name: str, tune: Tune, prompt: Prompt) -> float:
    """Second of a tune's time axis at which its sound begins; a tail's axis is that of the prompt from its end on."""
    if name == PROMPT or prompt.tune is None:
        return 0.0
    end = prompt.tune.end
    return float(tune.seconds_at(end)) + prompt.join - float(prompt.tune.seconds_at(end))
