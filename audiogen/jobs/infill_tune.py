"""Job: regenerate bars of a MIDI file so that they fit the bars around them (infilling)."""

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
from audiogen.jobs.tune_results import MARKOV_ORDER, events_tokenizer, write_audio, write_infill_sidecar
from audiogen.run import Run
from audiogen.tunes.infilling import Infiller
from audiogen.tunes.midi.controller_reset import typical_value
from audiogen.tunes.midi.controllers import (
    CHANNEL_PRESSURE,
    KEY_PRESSURE,
    PEDAL_DOWN,
    PITCH_BEND,
    SUSTAIN,
    value_at,
)
from audiogen.tunes.midi.editor import replace_bars
from audiogen.tunes.midi.reader import read_midi
from audiogen.tunes.tune import Tune, sorted_by_tick, tidy
from audiogen.tunes.tune_continuation import markov_chain, truncate_prompt

BARS_AHEAD = 4
"""Given bars after the regenerated ones that weigh the candidates."""
NOTE_CONTROLLERS = (SUSTAIN, PITCH_BEND, CHANNEL_PRESSURE)
"""Controllers that belong to single notes, beside key pressure."""


def infill(prompt: Path, out: Path, bars: tuple[int, int], run: Run | None, options: SamplingOptions) -> dict[str, Any]:
    """Regenerate bars of a MIDI file so that they fit the bars around them.

    Args:
        prompt: MIDI file. All of its events are kept but the notes that begin in those bars, with their pitch bend,
            pressure and sustain pedal.
        out: file to write, MIDI or audio by its suffix.
        bars: first and last bar, counted from 1.
        run: trained Run; None to fit a Markov chain to the other bars.
        options: how to sample.

    Returns:
        Content of the JSON sidecar.

    Raises:
        InputError: the prompt is not usable, has no such bars, or the Run does not predict notes.
    """
    clock = Clock()
    with collect_warnings() as texts:
        tune = read_midi(prompt)
        first, stop, last = _span(prompt, tune, bars)
        most = events_tokenizer(run).options.parts
        if len(tune.parts) > most:
            text = f"{prompt}: of its {len(tune.parts)} parts, the first {most} are regenerated; the others stay"
            warnings.warn(text, AudioWarning, stacklevel=2)
        kept = _without(tune, first, stop, most)
        if run is None and not len(_first_parts(kept, most).notes):
            cause = "without --run, only the other bars are learned from, and no note begins in them"
            raise InputError(prompt, cause, "regenerate fewer bars, or name a Run")
        with clock("generation"):
            new = _sample_bars(_first_parts(kept, most), first, stop, last, run, options)
        removed, added = _note_controllers(tune, first, stop, most)
        if is_midi(out):
            inserted = replace(_first_parts(tune, most), notes=new, pedals=tune.pedals[:0], controllers=added)
            replace_bars(prompt, inserted, out, (first, stop), removed)
        else:
            dropped = set(map(tuple, removed.tolist()))
            rows = [row for row in tune.controllers.tolist() if tuple(row) not in dropped]
            controllers = sorted_by_tick(np.concatenate([np.array(rows, np.int64).reshape(-1, 4), added]))
            notes = tidy(np.concatenate([kept.notes, new]))
            write_audio(out, replace(kept, notes=notes, controllers=controllers), options.seed)
    details = {"bars": list(bars), "filled": {"notes": len(new), "removed": len(tune.notes) - len(kept.notes)}}
    tunes = (kept, replace(tune, notes=new))
    return write_infill_sidecar(prompt, out, details, options, run, tunes, clock, texts)


def _span(prompt: Path, tune: Tune, bars: tuple[int, int]) -> tuple[int, int, int]:
    """Ticks at which the bars begin and end, and at which the given bars after them end."""
    lines = np.append(tune.bar_lines(), tune.end)
    first, last = bars
    if not 1 <= first <= last < len(lines):
        raise InputError(prompt, f"it has {len(lines) - 1} bars", f"choose from 1 to {len(lines) - 1}")
    return int(lines[first - 1]), int(lines[last]), int(lines[min(last + BARS_AHEAD, len(lines) - 1)])


def _without(tune: Tune, first: int, stop: int, most: int) -> Tune:
    """The tune without the notes of its first ``most`` parts that begin in some bars, and without the pedal there.

    A press that lasts beyond the bars begins after them instead.
    """
    notes, pedals = tune.notes, tune.pedals.copy()
    begun = (pedals[:, 0] >= first) & (pedals[:, 0] < stop) & (pedals[:, 2] < most)
    pedals[begun, 0] = stop
    return replace(
        tune,
        notes=notes[(notes["start"] < first) | (notes["start"] >= stop) | (notes["part"] >= most)],
        pedals=pedals[pedals[:, 1] > pedals[:, 0]],
    )


def _note_controllers(tune: Tune, first: int, stop: int, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Controllers that belong to the notes of some bars: pitch bend, pressure and pedal of their channels.

    Returns:
        Rows of ``Tune.controllers`` to remove with the notes, and rows to add: the bars begin with typical values, and
        what follows them with the same values as before.
    """
    parts = tune.parts[:most]
    channels = [part.channel for part in parts if part.channel is not None]
    rows = tune.controllers[np.isin(tune.controllers[:, 1], channels)]
    rows = rows[np.isin(rows[:, 2], NOTE_CONTROLLERS) | (rows[:, 2] >= KEY_PRESSURE)]
    removed, added = [rows[:0]], []
    for channel, controller in np.unique(rows[:, 1:3], axis=0).tolist():
        own = (rows[:, 1] == channel) & (rows[:, 2] == controller)
        inside = rows[own & (rows[:, 0] >= first) & (rows[:, 0] < stop)]
        before, later = (value_at(tune, channel, controller, tick - 1) for tick in (first, stop))
        neutral = typical_value(tune, channel, controller)
        if controller == SUSTAIN:  # a press from before the bars is kept up to its own release
            neutral = before
            if before >= PEDAL_DOWN:
                lifts = np.flatnonzero(inside[:, 3] < PEDAL_DOWN)
                neutral, inside = (0, inside[lifts[0] + 1 :]) if len(lifts) else (before, inside[:0])
            later = later if later >= PEDAL_DOWN else neutral
        elif before != neutral:
            added.append((first, channel, controller, neutral))
        if later != neutral and stop < tune.end:
            added.append((stop, channel, controller, later))
        removed.append(inside)
    return np.concatenate(removed), np.array(added, np.int64).reshape(-1, 4)


def _first_parts(tune: Tune, most: int) -> Tune:
    """The first ``most`` parts of a tune."""
    notes, pedals = tune.notes, tune.pedals
    return replace(tune, parts=tune.parts[:most], notes=notes[notes["part"] < most], pedals=pedals[pedals[:, 2] < most])


def _sample_bars(kept: Tune, first: int, stop: int, last: int, run: Run | None, options: SamplingOptions) -> np.ndarray:
    """Sample notes from ``first`` to ``stop`` that fit those given up to ``last``, at the tune's resolution."""
    offset, _ = truncate_prompt(kept.between(0, first))
    context = kept.between(offset, last).shifted(-offset)
    tokenizer = events_tokenizer(run)
    # Before and after, separately: a chain fitted across the gap would predict a gap.
    around = [kept.between(0, first), kept.between(stop, kept.end).shifted(-stop)]
    sides = [side for side in around if len(side.notes)]
    model = run.model if run else markov_chain(sides, tokenizer, MARKOV_ORDER, keys=(0,))
    spans = [(first - offset, stop - offset)] * len(kept.parts[: tokenizer.options.parts])
    infiller = Infiller(model, tokenizer, context, spans, last - offset)  # type: ignore[arg-type]
    played = infiller.fill(options.sampling, options.candidates)
    notes = played.rescaled(kept.ticks_per_quarter).shifted(offset).notes
    notes = notes[(notes["start"] >= first) & (notes["start"] < stop)]
    notes["end"] = np.minimum(notes["end"], stop)
    return notes[~_cuts_short(notes, kept.notes[kept.notes["start"] < first])]


def _cuts_short(notes: np.ndarray, sounding: np.ndarray) -> np.ndarray:
    """Which notes would end a sounding one of their part and pitch, bool."""
    alike = (notes["part"][:, None] == sounding["part"]) & (notes["pitch"][:, None] == sounding["pitch"])
    return (alike & (notes["start"][:, None] < sounding["end"])).any(axis=1)
