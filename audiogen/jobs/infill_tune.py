"""Jobs on a tune's inside: bars that are played anew between those around them, and voices that join a melody."""

from __future__ import annotations

import warnings
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from audiogen.audio import AudioWarning, Writer, subtype_for
from audiogen.errors import InputError
from audiogen.file_names import is_midi
from audiogen.jobs.continue_tune import ORDER, learned_from, measured, versions
from audiogen.jobs.provenance import Clock, collect_warnings, remove_sidecar_on_failure
from audiogen.jobs.tune_request import SamplingOptions
from audiogen.output_names import sidecar_of
from audiogen.run import Run
from audiogen.text_files import dump_json, write_text
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
from audiogen.tunes.midi.editor import extend_midi, replace_bars
from audiogen.tunes.midi.reader import read_midi
from audiogen.tunes.midi_representation import Midi
from audiogen.tunes.rendering import SAMPLE_RATE, render
from audiogen.tunes.tokens import TOKENIZERS
from audiogen.tunes.tokens.events_tokenizer import EventsTokenizer
from audiogen.tunes.tune import Part, Tune, sorted_by_tick, tidy
from audiogen.tunes.tune_continuation import MOST_NOTES, markov_chain, truncate_prompt

BARS_AHEAD = 4
"""Bars behind the filled ones that they are to lead to."""
GESTURES = (SUSTAIN, PITCH_BEND, CHANNEL_PRESSURE)
"""Controllers that belong to single notes, with the pressure of keys."""


def infill(prompt: Path, out: Path, bars: tuple[int, int], run: Run | None, drawing: SamplingOptions) -> dict[str, Any]:
    """Play some bars of a MIDI file anew, so that they lead from what stands before them to what stands behind.

    Args:
        prompt: MIDI file. All of its events stay as they are, but for the notes that begin in those bars, and the
            pitch bends, pressures and presses of the pedal there.
        out: file to write, MIDI or sound by its suffix.
        bars: the first and the last one, from 1 on.
        run: what predicts; None counts a Markov chain on the other bars.
        drawing: how to draw.

    Returns:
        The content of the JSON file beside ``out``.

    Raises:
        InputError: the prompt is not usable, it has no such bars, or the Run is not of tunes.
    """
    clock = Clock()
    with collect_warnings() as told:
        tune = read_midi(prompt)
        first, stop, last = _places(prompt, tune, bars)
        most = _scheme(run).options.parts
        if len(tune.parts) > most:
            text = f"{prompt}: of its {len(tune.parts)} parts, the first {most} are regenerated; the others stay"
            warnings.warn(text, AudioWarning, stacklevel=2)
        kept = _without(tune, first, stop, most)
        if run is None and not len(_played_by(kept, most).notes):
            cause = "without --run, the other bars are learned from, and no note begins in them"
            raise InputError(prompt, cause, "fill fewer bars, or name a Run")
        with clock("generation"):
            new = _filled(_played_by(kept, most), first, stop, last, run, drawing)
        gone, added = _gestures(tune, first, stop, most)
        if is_midi(out):
            played = replace(_played_by(tune, most), notes=new, pedals=tune.pedals[:0], controllers=added)
            replace_bars(prompt, played, out, (first, stop), gone)
        else:
            rows = set(map(tuple, gone.tolist()))
            stay = [row for row in tune.controllers.tolist() if tuple(row) not in rows]
            controllers = sorted_by_tick(np.concatenate([np.array(stay, np.int64).reshape(-1, 4), added]))
            notes = tidy(np.concatenate([kept.notes, new]))
            _sound(out, replace(kept, notes=notes, controllers=controllers), drawing.seed)
    filled = replace(tune, notes=new)
    said = {"bars": list(bars), "filled": {"notes": len(new), "removed": len(tune.notes) - len(kept.notes)}}
    with remove_sidecar_on_failure(out):
        return _told(prompt, out, drawing, run, said, measured(kept, filled), clock, told)


def accompany(
    prompt: Path, out: Path, parts: int, program: int | None, run: Run, drawing: SamplingOptions
) -> dict[str, Any]:
    """Let further parts play along with a MIDI file from beginning to end.

    Args:
        prompt: MIDI file. All of its events stay as they are.
        out: file to write, MIDI or sound by its suffix.
        parts: to be added, below the given ones in the order of parts.
        program: General MIDI program of the new parts, 0..127; None for that of the first given one.
        run: what predicts: trained on tunes of several parts.
        drawing: how to draw.

    Returns:
        The content of the JSON file beside ``out``.

    Raises:
        InputError: the prompt is not usable, or the Run is not of tunes.
    """
    clock = Clock()
    with collect_warnings() as told:
        tune = read_midi(prompt)
        if len(tune.notes) > MOST_NOTES:
            raise InputError(prompt, f"{len(tune.notes)} notes are too many", f"accompany at most {MOST_NOTES} at once")
        given, scheme = len(tune.parts), _scheme(run)
        if given >= scheme.options.parts:
            cause = f"it has {given} parts and the Run distinguishes {scheme.options.parts}"
            raise InputError(prompt, cause, "accompany a file of fewer parts")
        if given + parts > scheme.options.parts:
            raise InputError("--parts", f"there is no place for {parts} beside {given}", "ask for fewer")
        added = Part(tune.parts[0].program if program is None else program, name="accompaniment")
        whole = replace(tune, parts=(*tune.parts, *[added] * parts))
        spans = [(0, 0)] * given + [(0, tune.end)] * parts
        with clock("generation"):
            played = Infiller(run.model, scheme, whole, spans, tune.end).fill(drawing.sampling, drawing.candidates)  # type: ignore[arg-type]
        notes = played.rescaled(tune.ticks_per_quarter).notes
        new = replace(whole, notes=notes[notes["part"] >= given], pedals=tune.pedals[:0])
        _warn_of_rests(run, parts, given, new)
        if is_midi(out):
            tempos, meters = tune.tempos[:1], tune.meters[:1]
            extend_midi(prompt, replace(new, tempos=tempos, meters=meters, controllers=tune.controllers[:0]), out)
        else:
            both = replace(new, notes=tidy(np.concatenate([tune.notes, new.notes])), pedals=tune.pedals)
            _sound(out, both, drawing.seed)
    said = {"parts": {"given": given, "added": parts}, "added": {"notes": len(new.notes)}}
    with remove_sidecar_on_failure(out):
        return _told(prompt, out, drawing, run, said, measured(tune, new), clock, told)


def _warn_of_rests(run: Run, parts: int, given: int, new: Tune) -> None:
    """Say so where parts that were to be added are empty."""
    empty = parts - len(np.unique(new.notes["part"]))
    if empty:
        found = "no note was added" if empty == parts else f"{empty} of the {parts} parts stay empty"
        text = (
            f"{run.path or 'the Run'}: {found}, since this Run plays nothing in so many parts, like one that has "
            f"learned from tunes of fewer; name a Run that was trained on tunes of {given + parts} parts"
        )
        warnings.warn(text, AudioWarning, stacklevel=3)


def _places(prompt: Path, tune: Tune, bars: tuple[int, int]) -> tuple[int, int, int]:
    """Ticks at which the bars begin and end, and up to where is looked ahead."""
    lines = np.append(tune.bar_lines(), tune.end)
    first, last = bars
    if not 1 <= first <= last < len(lines):
        raise InputError(prompt, f"it has {len(lines) - 1} bars", f"choose from 1 to {len(lines) - 1}")
    return int(lines[first - 1]), int(lines[last]), int(lines[min(last + BARS_AHEAD, len(lines) - 1)])


def _without(tune: Tune, first: int, stop: int, most: int) -> Tune:
    """The tune without the notes of its first so many parts that begin in some bars, and without the pedal there;
    one that is held beyond them is pressed behind them."""
    notes, pedals = tune.notes, tune.pedals.copy()
    begun = (pedals[:, 0] >= first) & (pedals[:, 0] < stop) & (pedals[:, 2] < most)
    pedals[begun, 0] = stop
    return replace(
        tune,
        notes=notes[(notes["start"] < first) | (notes["start"] >= stop) | (notes["part"] >= most)],
        pedals=pedals[pedals[:, 1] > pedals[:, 0]],
    )


def _gestures(tune: Tune, first: int, stop: int, most: int) -> tuple[np.ndarray, np.ndarray]:
    """What belongs to the notes in some bars beside them: pitch bend, pressure and pedal of their channels.

    Returns:
        The rows of ``Tune.controllers`` that go with the notes, and those by which the bars begin as most of the tune
        is, and what follows them is set as it was.
    """
    parts = tune.parts[:most]
    channels = [part.channel for part in parts if part.channel is not None]
    rows = tune.controllers[np.isin(tune.controllers[:, 1], channels)]
    rows = rows[np.isin(rows[:, 2], GESTURES) | (rows[:, 2] >= KEY_PRESSURE)]
    gone, added = [rows[:0]], []
    for channel, controller in np.unique(rows[:, 1:3], axis=0).tolist():
        own = (rows[:, 1] == channel) & (rows[:, 2] == controller)
        inside = rows[own & (rows[:, 0] >= first) & (rows[:, 0] < stop)]
        held, later = (value_at(tune, channel, controller, tick - 1) for tick in (first, stop))
        plain = typical_value(tune, channel, controller)
        if controller == SUSTAIN:  # a press from before the bars is kept up to its own release
            plain = held
            if held >= PEDAL_DOWN:
                lifts = np.flatnonzero(inside[:, 3] < PEDAL_DOWN)
                plain, inside = (0, inside[lifts[0] + 1 :]) if len(lifts) else (held, inside[:0])
            later = later if later >= PEDAL_DOWN else plain
        elif held != plain:
            added.append((first, channel, controller, plain))
        if later != plain and stop < tune.end:
            added.append((stop, channel, controller, later))
        gone.append(inside)
    return np.concatenate(gone), np.array(added, np.int64).reshape(-1, 4)


def _played_by(tune: Tune, most: int) -> Tune:
    """The first so many parts alone."""
    notes, pedals = tune.notes, tune.pedals
    return replace(tune, parts=tune.parts[:most], notes=notes[notes["part"] < most], pedals=pedals[pedals[:, 2] < most])


def _filled(kept: Tune, first: int, stop: int, last: int, run: Run | None, drawing: SamplingOptions) -> np.ndarray:
    """The notes that are played from ``first`` to ``stop``, on the tune's resolution."""
    offset, _ = truncate_prompt(kept.between(0, first))
    heard = kept.between(offset, last).shifted(-offset)
    scheme = _scheme(run)
    # Before and behind, each by itself: a chain that had heard the gap would expect it.
    around = [kept.between(0, first), kept.between(stop, kept.end).shifted(-stop)]
    model = run.model if run else markov_chain([tune for tune in around if len(tune.notes)], scheme, ORDER, keys=(0,))
    spans = [(first - offset, stop - offset)] * len(kept.parts[: scheme.options.parts])
    played = Infiller(model, scheme, heard, spans, last - offset).fill(drawing.sampling, drawing.candidates)  # type: ignore[arg-type]
    notes = played.rescaled(kept.ticks_per_quarter).shifted(offset).notes
    notes = notes[(notes["start"] >= first) & (notes["start"] < stop)]
    notes["end"] = np.minimum(notes["end"], stop)
    return notes[~_struck_again(notes, kept.notes[kept.notes["start"] < first])]


def _struck_again(notes: np.ndarray, sounding: np.ndarray) -> np.ndarray:
    """Which notes would cut short a given one of their part and pitch."""
    alike = (notes["part"][:, None] == sounding["part"]) & (notes["pitch"][:, None] == sounding["pitch"])
    return (alike & (notes["start"][:, None] < sounding["end"])).any(axis=1)


def _scheme(run: Run | None) -> EventsTokenizer:
    if run is None:
        return TOKENIZERS["events"](TOKENIZERS["events"].Options())  # type: ignore[return-value]
    if not isinstance(run.representation, Midi):
        raise InputError(run.path or "--run", "it predicts sound, not notes", "name a Run of the midi representation")
    if not isinstance(run.representation.tokenizer, EventsTokenizer):
        raise InputError(run.path or "--run", "its tokens hold one melody", "name a Run of the scheme events")
    return run.representation.tokenizer


def _sound(out: Path, tune: Tune, seed: int) -> None:
    sound = render(tune, SAMPLE_RATE)
    with Writer(out, sound.sample_rate, sound.channels, subtype_for(sound, out), seed) as to:
        to.write(sound.samples)


def _told(
    prompt: Path,
    out: Path,
    drawing: SamplingOptions,
    run: Run | None,
    said: dict[str, Any],
    measures: dict[str, Any],
    clock: Clock,
    texts: list[str],
) -> dict[str, Any]:
    settings = {key: value for key, value in asdict(drawing).items() if key != "seed"}
    sidecar = {"prompt": str(prompt), "output": out.name, **said, "seed": drawing.seed}
    sidecar |= {"settings": settings | learned_from(run), "versions": versions(), "measures": measures}
    sidecar |= {"timings": dict(clock.seconds), "warnings": texts}
    write_text(sidecar_of(out), dump_json(sidecar))
    return sidecar
