"""The page of variations, of tunes: rendered to be heard, their notes on piano rolls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from audiogen.audio import Recording
from audiogen.reports.continuation_page import Excerpt
from audiogen.reports.piano_rolls import rolls
from audiogen.reports.scorecard import Line
from audiogen.reports.variations_page import About, Variation, note_page, spans, write_page_of
from audiogen.tunes.rendering import SAMPLE_RATE, render
from audiogen.tunes.tune import Tune
from audiogen.tunes.tune_continuation import ContinuedTune


def write_tune_variations(path: Path, prompt: Path, outs: Sequence[Path], made: Sequence[ContinuedTune]) -> None:
    """Write the page of a tune's continuations, and note it in their sidecars.

    Args:
        path: HTML file to write, in the folder of ``outs``.
        prompt: what was continued.
        outs: the files, MIDI or sound, `audiogen.output_names.MAX_ON_PAGE` at most.
        made: of each, what `continue_tune` gave.
    """
    before, after = spans(len(outs))
    pieces, end = zip(*(excerpt_of(each, before, after) for each in made), strict=True)
    join = end[0]  # the prompt's end: the same in all
    sounds = _equally_long([render(piece, SAMPLE_RATE) for piece in pieces])
    names = [out.name for out in outs]
    drawn = rolls({name: (piece, 0.0) for name, piece in zip(names, pieces, strict=True)}, sounds[0].seconds)
    variations = [
        Variation(
            out.name,
            each.sidecar["seed"],
            Excerpt(sound, round(piece.seconds_at(join) * SAMPLE_RATE), sound.length),
            lines(each.sidecar["measures"]),
            "{notes} notes, {seconds:.1f} s".format(**each.sidecar["added"]),
            drawn.get(out.name, {}),
        )
        for out, each, piece, sound in zip(outs, made, pieces, sounds, strict=True)
    ]
    given = render(pieces[0].between(0, join), SAMPLE_RATE)
    write_page_of(path, Excerpt(given, variations[0].excerpt.join, 0), variations, _about(prompt, made, before, after))
    note_page(path, outs, [each.sidecar for each in made])


def excerpt_of(made: ContinuedTune, before: float, after: float) -> tuple[Tune, int]:
    """The notes within so many seconds before and after the join, from tick 0 on, and the join's tick."""
    tune, join = made.tune, float(made.tune.seconds_at(made.join))
    first, last = (int(tune.ticks_at(time)) for time in (max(join - before, 0.0), join + after))
    notes = tune.notes[tune.notes["end"] > first].copy()
    notes["start"] = np.maximum(notes["start"], first)  # what sounds there already is struck there
    return replace(tune, notes=notes).between(first, last).shifted(-first), made.join - first


def lines(measures: Mapping[str, Any]) -> list[Line]:
    """What a tail is like, beside the prompt."""
    if not measures:
        return []
    given = measures["prompt"]
    found = [
        Line(name.replace("_", " ").capitalize(), f"{value:.2f}", True, f"The prompt has {given[name]:.2f}.")
        for name, value in measures["tail"].items()
    ]
    repeated = f"{measures['longest_run_of_prompt_notes']} notes"
    sentence = "The longest run of notes that the prompt has too, in any key."
    return [*found, Line("Repeats the prompt", repeated, True, sentence)]


def _equally_long(sounds: Sequence[Recording]) -> list[Recording]:
    """Silence after those that end early: the pictures share one axis of time."""
    longest = max(sound.length for sound in sounds)
    padded = (np.pad(sound.samples, ((0, 0), (0, longest - sound.length))) for sound in sounds)
    return [Recording(samples, sound.sample_rate) for samples, sound in zip(padded, sounds, strict=True)]


def _about(prompt: Path, made: Sequence[ContinuedTune], before: float, after: float) -> About:
    first, settings = made[0], made[0].sidecar["settings"]
    given = first.tune.between(0, first.join)
    facts = [
        ("Prompt", f"{len(given.notes)} notes, {given.seconds:.1f} s"),
        ("Continuation", f"{settings['bars']} bars" if settings["bars"] else f"{settings['seconds']:g} s"),
        ("Temperature", f"{settings['temperature']:g}"),
    ]
    note = (
        f"Rendered to be heard here: at most the prompt's last {before:.3g} s and {after:.3g} s of what follows. "
        "What was written is not changed by this page."
    )
    warnings = [text for each in made for text in each.sidecar["warnings"]]
    return About(prompt.name, facts, note, warnings, judged=False)
