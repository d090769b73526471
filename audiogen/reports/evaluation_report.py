"""The report of an evaluation: one self-contained HTML page with the candidates side by side."""

from __future__ import annotations

from math import log2
from pathlib import Path
from typing import Any

from audiogen.metrics.copying import verbatim_passages
from audiogen.metrics.evaluation import Candidate, Evaluation
from audiogen.metrics.evaluation_inputs import EvaluationInputs
from audiogen.metrics.tail_measures import EXCERPT_SECONDS
from audiogen.metrics.waveform_baselines import BASELINES
from audiogen.reports.figures import spectrograms
from audiogen.reports.panels import LAYOUTS, Panel, panels, write_template
from audiogen.reports.scorecard import scorecard

REPEATED = ("copying", "looping", "texture")  # measures that are shown beside those of the other candidates
WHOLE = ("overall", "scattering")  # distances that are no class of texture
NEAREST, FARTHEST = 0.5, 4.0  # texture distances that the bars reach at least
FAULTS = {
    "loop": "the prompt's end over and over",
    "grains": "random 60 ms grains of the prompt",
    "walk": "the prompt's frames with jumps",
    "noise": "stationary noise of its spectrum",
    "autoregression": "linear prediction of mel frames",
}
assert FAULTS.keys() == BASELINES.keys()


def write_report(
    path: Path, output: Path, reference: Path, sounds: EvaluationInputs, found: Evaluation, seed: int
) -> None:
    """Write the page.

    Args:
        path: HTML file to write; ``blind.html`` beside it is linked to.
        output, reference: where the sounds are from.
        sounds: what was judged.
        found: what was found.
        seed: of the baselines.
    """
    names = [candidate.name for candidate in found.candidates]
    write_template(
        path,
        "report.html.j2",
        {
            "title": f"{output.name}, evaluated",
            "facts": _facts(reference, sounds, found, seed),
            "headline": found.verdicts()[-1],
            "remarkable": [line for line in scorecard(found.measures) if not line.good],
            "verdicts": _verdicts(found),
            "bars": _bars(found),
            "names": names,
            "rows": _rows(found),
            "panels": _panels(sounds, found),
            "marks": {key: verbatim_passages(found.marks[key]) for key in ("copied", "looped")},
            "shown_seconds": sounds.excerpt.seconds,
            "excerpted": sounds.excerpt.length < sounds.tail.length,
            "excerpt": f"{EXCERPT_SECONDS:g}",
            "lines": scorecard({key: value for key, value in found.measures.items() if key not in REPEATED}),
            "distances": _distances(found),
        },
    )


def _facts(reference: Path, sounds: EvaluationInputs, found: Evaluation, seed: int) -> list[tuple[str, str]]:
    tail = sounds.tail
    layout = LAYOUTS.get(tail.channels, f"{tail.channels} channels")
    return [
        ("Continuation", f"{tail.seconds:.2f} s"),
        ("Real audio", f"{reference.name}, {sounds.real.seconds:.2f} s"),
        ("Prompt", "the real audio" if sounds.held_out is None else f"{sounds.source.seconds:.2f} s"),
        ("Audio", f"{tail.sample_rate / 1000:g} kHz, {layout}"),
        ("Texture distance", f"{_number(found.output.overall)} (real audio: 1.00)"),
        ("Copied", _share(found.output.copied)),
        ("Looped", _share(found.output.looped)),
        ("Seed of the baselines", str(seed)),
    ]


def _verdicts(found: Evaluation) -> list[tuple[str, str]]:
    """Each line but the last, and whether it is good, bad, or does not count."""
    kinds = {"beats": "good", "not": "aside", "the": "aside", "by": "aside"}
    return [(kinds.get(line.split()[0], "bad"), line) for line in found.verdicts()[:-1]]


def _bars(found: Evaluation) -> dict[str, Any]:
    """A bar for each class, from 1.0 to the output's distance on a logarithmic scale, and dots for the baselines."""
    names = [*WHOLE, *found.output.classes]
    values = [value for candidate in found.candidates for name in names if (value := _value(candidate, name))]
    low, high = log2(min([NEAREST, *values])), log2(max([FARTHEST, *values]))

    def place(value: float) -> float:
        return 100 * (log2(value) - low) / (high - low)

    lines = []
    for name in names:
        own = _value(found.output, name)
        if own is None:
            continue
        ends = sorted((place(1.0), place(own)))
        dots = [(other.name, place(value), value) for other in found.baselines if (value := _value(other, name))]
        lines.append({"name": name, "value": own, "left": ends[0], "width": ends[1] - ends[0], "dots": dots})
    ticks = [(place(value), f"{value:g}") for value in (0.25, 0.5, 1, 2, 4, 8, 16, 32) if low <= log2(value) <= high]
    return {"lines": lines, "ticks": ticks, "real": place(1.0)}


def _value(candidate: Candidate, name: str) -> float | None:
    return getattr(candidate, name) if name in WHOLE else candidate.classes.get(name)


def _rows(found: Evaluation) -> list[tuple[str, list[str]]]:
    """The table behind the bars: a row for each measure, a cell for each candidate."""
    shares = [(name, [_share(row[name]) for row in found.rows()]) for name in ("copied", "looped")]
    names = [*WHOLE, *found.output.classes]
    others = dict.fromkeys(name for each in found.candidates for name in each.others)
    return [
        *((name, [_number(_value(each, name)) for each in found.candidates]) for name in names),
        *shares,
        *((name, [_number(each.others.get(name)) for each in found.candidates]) for name in others),
    ]


def _panels(sounds: EvaluationInputs, found: Evaluation) -> list[dict[str, Any]]:
    """The output, the real audio and each baseline: heard, seen and in figures."""
    real = sounds.real.cut(0, min(sounds.real.length, round(EXCERPT_SECONDS * sounds.real.sample_rate)))
    heard = {"output": sounds.excerpt, "real": real, **sounds.baselines}
    titles = {"output": "The continuation", "real": "Real audio"}
    pictures = spectrograms(list(heard.values()))
    shown = [
        Panel(key, titles.get(key, key.capitalize()), sound, picture, 10 if key == "output" else 6)
        for (key, sound), picture in zip(heard.items(), pictures, strict=True)
    ]
    figures = {
        each.name: f"{_number(each.overall)}, copied {_share(each.copied)}, looped {_share(each.looped)}"
        for each in found.candidates
    }
    return [{**panel, "figures": figures[panel["key"]], "how": FAULTS.get(panel["key"], "")} for panel in panels(shown)]


def _distances(found: Evaluation) -> list[tuple[str, str, str]]:
    """What else was measured against the real audio: name, value, what it says."""
    distances = found.distances
    lines = [
        ("Tilt", f"{distances['tilt_db_per_octave']:+.2f} dB per octave", "of the third octaves' levels; 0 is equal"),
        ("Bands", f"{distances['tilt_rms_db']:.2f} dB", "root mean square difference of third octaves"),
        ("Crest", f"{distances['crest_ratio']:.2f}", "sharpness of transients over that of the real audio"),
    ]
    titles = {"frechet": "Fréchet distance", "kernel": "Kernel distance"}
    for name, title in titles.items():
        if (distance := distances[name]) is not None:
            value = f"{distance['value']:.3g} (floor {distance['floor']:.3g})"
            lines.append((title, value, f"on {distance['features']} features; {distance['caveat']}"))
    return lines


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.0%}"
