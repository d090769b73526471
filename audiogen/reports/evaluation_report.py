"""The report of `audiogen evaluate`: continuation, real audio and baselines side by side, in one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from audiogen.audio import Recording
from audiogen.metrics.candidate import number_text, percent_text
from audiogen.metrics.copying import verbatim_passages
from audiogen.metrics.evaluation import Evaluation
from audiogen.metrics.evaluation_inputs import EvaluationInputs
from audiogen.metrics.tail_measures import EXCERPT_SECONDS
from audiogen.metrics.waveform_baselines import BASELINES
from audiogen.reports.figures import spectrograms
from audiogen.reports.file_parts import FilePart, playable_part
from audiogen.reports.panels import Panel, audio_format, panels, write_template
from audiogen.reports.scorecard import scorecard
from audiogen.reports.texture_chart import metric_names, metric_value, texture_chart
from audiogen.sound.control_predictors import CONTROLS

CANDIDATE_MEASURES = ("copying", "looping", "texture")  # shown for all candidates, not in the scorecard
DESCRIPTIONS = {
    "raw": "as the Model draws it, without patch selection and guards",
    "loop": "the prompt's end, repeated",
    "grains": "random 60 ms grains of the prompt",
    "walk": "the prompt's frames, with jumps",
    "noise": "stationary noise with its spectrum",
    "autoregression": "linear prediction of mel frames",
    "random-patches": "the prompt's patches in random order, by the rules of any tail",
    "context-walk": "what followed similar moments in the prompt, by the rules of any tail",
    "factor-oracle": "jumps between places of the prompt with the same past, by the rules of the default",
}
BEFORE_SECONDS = 10.0  # of the prompt, in the picture of the whole continuation
assert DESCRIPTIONS.keys() == {"raw", *BASELINES, *CONTROLS}


def write_evaluation_report(
    path: Path, output: Path, reference: Path, inputs: EvaluationInputs, evaluation: Evaluation, seed: int
) -> None:
    """Write the page.

    Args:
        path: HTML file to write; it links to ``blind.html`` in the same folder, and to ``output`` if only an excerpt
            of that is measured.
        output, reference: files of the continuation and of the real audio.
        inputs: the compared sounds.
        evaluation: of these inputs.
        seed: random seed of the baselines.
    """
    measures = evaluation.measures
    values = _panels(path, output, inputs, evaluation)
    write_template(
        path,
        "evaluation.html.j2",
        {
            "title": f"{output.name}, evaluated",
            "facts": _facts(reference, inputs, evaluation, seed),
            "headline": evaluation.verdicts()[-1],
            "flagged": [line for line in scorecard(measures) if not line.good],
            "verdicts": evaluation.graded_verdicts()[:-1],
            "chart": texture_chart(evaluation),
            "names": [candidate.name for candidate in evaluation.candidates],
            "rows": _rows(evaluation),
            **values,
            "passages": {key: verbatim_passages(evaluation.marks[key]) for key in ("copied", "looped")},
            "shown_seconds": inputs.excerpt.seconds,
            "excerpted": _is_excerpt(inputs),
            "excerpt": f"{EXCERPT_SECONDS:g}",
            "lines": scorecard({key: value for key, value in measures.items() if key not in CANDIDATE_MEASURES}),
            "distances": _distances(evaluation),
        },
    )


def _facts(reference: Path, inputs: EvaluationInputs, evaluation: Evaluation, seed: int) -> list[tuple[str, str]]:
    return [
        ("Continuation", f"{inputs.tail.seconds:.2f} s"),
        ("Real audio", f"{reference.name}, {inputs.real.seconds:.2f} s"),
        ("Prompt", "the real audio" if inputs.held_out is None else f"{inputs.source.seconds:.2f} s"),
        ("Audio", audio_format(inputs.tail)),
        ("Texture distance", f"{number_text(evaluation.output.overall)} (real audio: 1.00)"),
        ("Copied", percent_text(evaluation.output.copied)),
        ("Looped", percent_text(evaluation.output.looped)),
        ("Seed of the baselines", str(seed)),
    ]


def _rows(evaluation: Evaluation) -> list[tuple[str, list[str]]]:
    """The table of all measures: a row per measure, a cell per candidate."""
    candidates = evaluation.candidates
    registered = dict.fromkeys(name for each in candidates for name in each.others)
    return [
        *((name, [number_text(metric_value(each, name)) for each in candidates]) for name in metric_names(evaluation)),
        ("copied", [percent_text(each.copied) for each in candidates]),
        ("looped", [percent_text(each.looped) for each in candidates]),
        ("separability", [number_text(each.separability) for each in candidates]),
        *((name, [number_text(each.others.get(name)) for each in candidates]) for name in registered),
    ]


def _is_excerpt(inputs: EvaluationInputs) -> bool:
    return inputs.excerpt.length < inputs.tail.length


def _panels(path: Path, output: Path, inputs: EvaluationInputs, evaluation: Evaluation) -> dict[str, Any]:
    """``panels``: player, spectrogram and main measures of the output, the real audio and each baseline.

    ``whole``: the same of the whole output, from its file, if the first is an excerpt and browsers play the file.
    ``range``: of the colour scale, which is that of the real audio.
    """
    real = inputs.real.cut(0, min(inputs.real.length, round(EXCERPT_SECONDS * inputs.real.sample_rate)))
    sounds: dict[str, Recording | FilePart] = {"output": inputs.excerpt, "real": real}
    sounds |= ({} if inputs.raw is None else {"raw": inputs.raw}) | inputs.baselines
    if _is_excerpt(inputs) and output.exists() and (part := playable_part(output, -inputs.tail.length, BEFORE_SECONDS)):
        sounds["whole"] = part
    titles = {"output": "The continuation", "real": "Real audio", "whole": "The whole continuation"}
    pictures = spectrograms(list(sounds.values()), contrast_of=1)
    before = {key: sound.before if isinstance(sound, FilePart) else 0.0 for key, sound in sounds.items()}
    shown = panels(
        [
            Panel(
                key,
                titles.get(key, key.capitalize()),
                sound,
                picture,
                10 if key in ("output", "whole") else 6,
                before[key],
            )
            for (key, sound), picture in zip(sounds.items(), pictures, strict=True)
        ],
        path,
    )
    whole = shown.pop() | {"file": output.name, "before": before["whole"]} if "whole" in sounds else None
    figures = {
        each.name: ", ".join(
            (number_text(each.overall), f"copied {percent_text(each.copied)}", f"looped {percent_text(each.looped)}")
        )
        for each in evaluation.candidates
    }
    described = [
        {**panel, "figures": figures[panel["key"]], "description": DESCRIPTIONS.get(panel["key"], "")}
        for panel in shown
    ]
    return {"panels": described, "whole": whole, "range": f"{pictures[0].span:.0f}"}


def _distances(evaluation: Evaluation) -> list[tuple[str, str, str]]:
    """Other distances from the real audio: name, value, explanation."""
    distances = evaluation.distances
    lines = [
        (
            "Tilt",
            f"{distances['tilt_db_per_octave']:+.2f} dB per octave",
            "slope of third-octave levels; 0 is equal",
        ),
        ("Bands", f"{distances['tilt_rms_db']:.2f} dB", "root mean square difference of the third-octave levels"),
        ("Crest", f"{distances['crest_ratio']:.2f}", "sharpness of transients relative to the real audio; 1 is equal"),
    ]
    titles = {"frechet": "Fréchet distance", "kernel": "Kernel distance"}
    for name, title in titles.items():
        if (distance := distances[name]) is not None:
            value = f"{distance['value']:.3g} (floor {distance['floor']:.3g})"
            lines.append((title, value, f"on {distance['features']} features; {distance['caveat']}"))
    return lines
