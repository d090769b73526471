"""Job: add parts to a MIDI file that accompany it."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from audiogen.audio import AudioWarning
from audiogen.errors import InputError
from audiogen.file_names import is_midi
from audiogen.jobs.provenance import Clock, collect_warnings
from audiogen.jobs.tune_request import SamplingOptions
from audiogen.jobs.tune_results import events_tokenizer, write_audio, write_infill_sidecar
from audiogen.run import Run
from audiogen.tunes.infilling import Infiller
from audiogen.tunes.midi.editor import extend_midi
from audiogen.tunes.midi.reader import read_midi
from audiogen.tunes.tune import Part, Tune, tidy
from audiogen.tunes.tune_continuation import MAX_NOTES


def accompany(
    prompt: Path, out: Path, parts: int, program: int | None, run: Run, options: SamplingOptions
) -> dict[str, Any]:
    """Add parts to a MIDI file that accompany it from beginning to end.

    Args:
        prompt: MIDI file; all of its events are kept.
        out: file to write, MIDI or audio by its suffix.
        parts: number of parts to add, after the given ones.
        program: General MIDI program of the new parts, 0..127; None for that of the first given part.
        run: Run trained on tunes with several parts.
        options: how to sample.

    Returns:
        Content of the JSON sidecar.

    Raises:
        InputError: the prompt is not usable, has too many parts, or the Run does not predict notes.
    """
    clock = Clock()
    with collect_warnings() as texts:
        tune = read_midi(prompt)
        if len(tune.notes) > MAX_NOTES:
            raise InputError(prompt, f"{len(tune.notes)} notes are too many", f"accompany at most {MAX_NOTES} at once")
        given, tokenizer = len(tune.parts), events_tokenizer(run)
        if given >= tokenizer.options.parts:
            cause = f"it has {given} parts and the Run distinguishes {tokenizer.options.parts}"
            raise InputError(prompt, cause, "accompany a file of fewer parts")
        if given + parts > tokenizer.options.parts:
            cause = f"the Run distinguishes {tokenizer.options.parts} parts, of which {given} are given"
            raise InputError("--parts", cause, "add fewer")
        added = Part(tune.parts[0].program if program is None else program, name="accompaniment")
        whole = replace(tune, parts=(*tune.parts, *[added] * parts))
        spans = [(0, 0)] * given + [(0, tune.end)] * parts
        with clock("generation"):
            infiller = Infiller(run.model, tokenizer, whole, spans, tune.end)  # type: ignore[arg-type]
            played = infiller.fill(options.sampling, options.candidates)
        notes = played.rescaled(tune.ticks_per_quarter).notes
        new = replace(whole, notes=notes[notes["part"] >= given], pedals=tune.pedals[:0])
        _warn_of_empty_parts(run, parts, given, new)
        if is_midi(out):
            tempos, meters = tune.tempos[:1], tune.meters[:1]
            extend_midi(prompt, replace(new, tempos=tempos, meters=meters, controllers=tune.controllers[:0]), out)
        else:
            both = replace(new, notes=tidy(np.concatenate([tune.notes, new.notes])), pedals=tune.pedals)
            write_audio(out, both, options.seed)
    details = {"parts": {"given": given, "added": parts}, "added": {"notes": len(new.notes)}}
    return write_infill_sidecar(prompt, out, details, options, run, (tune, new), clock, texts)


def _warn_of_empty_parts(run: Run, parts: int, given: int, new: Tune) -> None:
    """Warn if added parts have no notes."""
    empty = parts - len(np.unique(new.notes["part"]))
    if empty:
        result = "no note was added" if empty == parts else f"{empty} of the {parts} added parts got no notes"
        text = (
            f"{run.path or 'the Run'}: {result}; this Run seems to have been trained on tunes of fewer parts; "
            f"name a Run that was trained on tunes of {given + parts} parts"
        )
        warnings.warn(text, AudioWarning, stacklevel=3)
