"""The page of several continuations of a tune: rendered as sound, with piano rolls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from audiogen.audio import Recording
from audiogen.reports.excerpts import Excerpt
from audiogen.reports.piano_rolls import piano_rolls
from audiogen.reports.scorecard import ScorecardLine
from audiogen.reports.variations_page import PageText, Variation, excerpt_lengths, record_page, write_page
from audiogen.tunes.rendering import SAMPLE_RATE, render
from audiogen.tunes.tune import Tune
from audiogen.tunes.tune_continuation import ContinuedTune


def write_tune_variations_page(path: Path, prompt: Path, outs: Sequence[Path], made: Sequence[ContinuedTune]) -> None:
    """Write the page of a tune's continuations, and record it in their sidecars.

    Args:
        path: HTML file to write, in the folder of ``outs``.
        prompt: file of the continued tune.
        outs: the files, MIDI or audio, at most `audiogen.output_names.MAX_ON_PAGE`.
        made: the result of `continue_tune` for each.
    """
    before, after = excerpt_lengths(len(outs))
    pieces, end = zip(*(tune_excerpt(each, before, after) for each in made), strict=True)
    join = end[0]  # the prompt's end: the same in all
    sounds = _pad_to_longest([render(piece, SAMPLE_RATE) for piece in pieces])
    names = [out.name for out in outs]
    drawn = piano_rolls({name: (piece, 0.0) for name, piece in zip(names, pieces, strict=True)}, sounds[0].seconds)
    variations = [
        Variation(
            out.name,
            each.sidecar["seed"],
            Excerpt(sound, round(piece.seconds_at(join) * SAMPLE_RATE), sound.length),
            measure_lines(each.sidecar["measures"]),
            "{notes} notes, {seconds:.1f} s".format(**each.sidecar["added"]),
            drawn.get(out.name, {}),
        )
        for out, each, piece, sound in zip(outs, made, pieces, sounds, strict=True)
    ]
    given = render(pieces[0].between(0, join), SAMPLE_RATE)
    write_page(path, Excerpt(given, variations[0].excerpt.join, 0), variations, _page_text(prompt, made, before, after))
    record_page(path, outs, [each.sidecar for each in made])


def tune_excerpt(made: ContinuedTune, before: float, after: float) -> tuple[Tune, int]:
    """The notes from ``before`` to ``after`` seconds around the join, moved to tick 0, and the tick of the join."""
    tune, join = made.tune, float(made.tune.seconds_at(made.join))
    first, last = (int(tune.ticks_at(time)) for time in (max(join - before, 0.0), join + after))
    notes = tune.notes[tune.notes["end"] > first].copy()
    notes["start"] = np.maximum(notes["start"], first)  # notes that sound at the beginning start there
    return replace(tune, notes=notes).between(first, last).shifted(-first), made.join - first


def measure_lines(measures: Mapping[str, Any]) -> list[ScorecardLine]:
    """Measures of a tail, with those of the prompt as explanation."""
    if not measures:
        return []
    given = measures["prompt"]
    lines = [
        ScorecardLine(name.replace("_", " ").capitalize(), f"{value:.2f}", True, f"The prompt has {given[name]:.2f}.")
        for name, value in measures["tail"].items()
    ]
    repeated = f"{measures['longest_run_of_prompt_notes']} notes"
    sentence = "Longest sequence of notes that also occurs in the prompt, in any key."
    return [*lines, ScorecardLine("Repeats the prompt", repeated, True, sentence)]


def _pad_to_longest(sounds: Sequence[Recording]) -> list[Recording]:
    """Append silence to shorter sounds, so that all pictures share one time axis."""
    longest = max(sound.length for sound in sounds)
    padded = (np.pad(sound.samples, ((0, 0), (0, longest - sound.length))) for sound in sounds)
    return [Recording(samples, sound.sample_rate) for samples, sound in zip(padded, sounds, strict=True)]


def _page_text(prompt: Path, made: Sequence[ContinuedTune], before: float, after: float) -> PageText:
    first, settings = made[0], made[0].sidecar["settings"]
    given = first.tune.between(0, first.join)
    facts = [
        ("Prompt", f"{len(given.notes)} notes, {given.seconds:.1f} s"),
        ("Continuation", f"{settings['bars']} bars" if settings["bars"] else f"{settings['seconds']:g} s"),
        ("Temperature", f"{settings['temperature']:g}"),
    ]
    note = (
        f"Rendered for this page: at most the last {before:.3g} s of the prompt and {after:.3g} s of the continuation. "
        "The written files are not changed by this page."
    )
    warnings = [text for each in made for text in each.sidecar["warnings"]]
    return PageText(prompt.name, facts, note, warnings, graded=False)
