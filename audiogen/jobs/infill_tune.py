"""Jobs: regenerate bars of a MIDI file (infilling), or add parts to it (accompaniment)."""

from __future__ import annotations

import warnings
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from audiogen.audio import AudioWarning, Writer, subtype_for
from audiogen.errors import InputError
from audiogen.file_names import is_midi
from audiogen.jobs.continue_tune import MARKOV_ORDER, measure_tail, model_settings, versions
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
from audiogen.tunes.tune_continuation import MAX_NOTES, markov_chain, truncate_prompt

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
        most = _tokenizer(run).options.parts
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
            _write_audio(out, replace(kept, notes=notes, controllers=controllers), options.seed)
    filled = replace(tune, notes=new)
    details = {"bars": list(bars), "filled": {"notes": len(new), "removed": len(tune.notes) - len(kept.notes)}}
    with remove_sidecar_on_failure(out):
        return _write_sidecar(prompt, out, options, run, details, measure_tail(kept, filled), clock, texts)


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
        given, tokenizer = len(tune.parts), _tokenizer(run)
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
            _write_audio(out, both, options.seed)
    details = {"parts": {"given": given, "added": parts}, "added": {"notes": len(new.notes)}}
    with remove_sidecar_on_failure(out):
        return _write_sidecar(prompt, out, options, run, details, measure_tail(tune, new), clock, texts)


def _warn_of_empty_parts(run: Run, parts: int, given: int, new: Tune) -> None:
    """Warn if added parts have no notes."""
    empty = parts - len(np.unique(new.notes["part"]))
    if empty:
        result = "no note was added" if empty == parts else f"{empty} of the {parts} parts stay empty"
        text = (
            f"{run.path or 'the Run'}: {result}, since this Run plays nothing in so many parts, as if trained on "
            f"tunes of fewer; name a Run that was trained on tunes of {given + parts} parts"
        )
        warnings.warn(text, AudioWarning, stacklevel=3)


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
    tokenizer = _tokenizer(run)
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


def _tokenizer(run: Run | None) -> EventsTokenizer:
    """That of the Run, or the default one; of the scheme ``events``."""
    if run is None:
        return TOKENIZERS["events"](TOKENIZERS["events"].Options())  # type: ignore[return-value]
    if not isinstance(run.representation, Midi):
        raise InputError(run.path or "--run", "it predicts sound, not notes", "name a Run of the midi representation")
    if not isinstance(run.representation.tokenizer, EventsTokenizer):
        raise InputError(run.path or "--run", "its tokens hold one melody", "name a Run of the scheme events")
    return run.representation.tokenizer


def _write_audio(out: Path, tune: Tune, seed: int) -> None:
    """Render a tune to an audio file."""
    sound = render(tune, SAMPLE_RATE)
    with Writer(out, sound.sample_rate, sound.channels, subtype_for(sound, out), seed) as to:
        to.write(sound.samples)


def _write_sidecar(
    prompt: Path,
    out: Path,
    options: SamplingOptions,
    run: Run | None,
    details: dict[str, Any],
    measures: dict[str, Any],
    clock: Clock,
    texts: list[str],
) -> dict[str, Any]:
    """Write the JSON file beside the output, and return its content."""
    settings = {key: value for key, value in asdict(options).items() if key != "seed"}
    sidecar = {"prompt": str(prompt), "output": out.name, **details, "seed": options.seed}
    sidecar |= {"settings": settings | model_settings(run), "versions": versions(), "measures": measures}
    sidecar |= {"timings": dict(clock.seconds), "warnings": texts}
    write_text(sidecar_of(out), dump_json(sidecar))
    return sidecar
