"""Jobs on a tune's inside: bars that are played anew between those around them, and voices that join a melody."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from audiogen.audio import Writer, subtype_for
from audiogen.data.datasets.folder import is_midi
from audiogen.errors import InputError
from audiogen.experiment import dump_json, write_text
from audiogen.generation.filling import Filler
from audiogen.generation.tunes import MOST_NOTES, late, markov_chain
from audiogen.jobs.bookkeeping import Clock, heard_warnings, with_its_sidecar
from audiogen.jobs.continuing_tunes import ORDER, SAMPLE_RATE, learned_from, measured, versions
from audiogen.jobs.naming import sidecar_of
from audiogen.models import Sampling
from audiogen.representation.midi import (
    TOKENIZERS,
    Events,
    Midi,
    Part,
    Tune,
    extend_midi,
    read_midi,
    render,
    tidy,
    write_midi,
)
from audiogen.run import Run

BARS_AHEAD = 4
"""Bars behind the filled ones that they are to lead to."""


@dataclass(frozen=True)
class Drawing:
    """How to draw.

    Args:
        candidates: that are drawn side by side; more of them fit better to what is given, and take longer.
        seed: of everything that is drawn.
        temperature: 0 is the likeliest, 1 the learned distribution, above is wilder.
        top_k: draw from this many likeliest tokens; 0 for all.
        top_p: draw from the fewest likeliest tokens that hold this share.
        min_p: draw from tokens at least this share as likely as the likeliest.
    """

    candidates: int = 16
    seed: int = 0
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0

    @property
    def sampling(self) -> Sampling:
        """How tokens are drawn."""
        generator = torch.Generator().manual_seed(self.seed)
        return Sampling(self.temperature, self.top_k, self.top_p, self.min_p, generator=generator)


def infill(prompt: Path, out: Path, bars: tuple[int, int], run: Run | None, drawing: Drawing) -> dict[str, Any]:
    """Play some bars of a MIDI file anew, so that they lead from what stands before them to what stands behind.

    Args:
        prompt: MIDI file. Notes that begin in other bars stay as they are.
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
    with heard_warnings() as told:
        tune = read_midi(prompt)
        first, stop, last = _places(prompt, tune, bars)
        kept = _without(tune, first, stop)
        with clock("generation"):
            new = _filled(kept, first, stop, last, run, drawing)
        whole = replace(kept, notes=tidy(np.concatenate([kept.notes, new])))
        if is_midi(out):
            write_midi(out, whole)
        else:
            _sound(out, whole, drawing.seed)
    filled = replace(tune, notes=new)
    said = {"bars": list(bars), "filled": {"notes": len(new), "removed": len(tune.notes) - len(kept.notes)}}
    with with_its_sidecar(out):
        return _told(prompt, out, drawing, run, said, measured(kept, filled), clock, told)


def accompany(prompt: Path, out: Path, parts: int, program: int | None, run: Run, drawing: Drawing) -> dict[str, Any]:
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
    with heard_warnings() as told:
        tune = read_midi(prompt)
        if len(tune.notes) > MOST_NOTES:
            raise InputError(prompt, f"{len(tune.notes)} notes are too many", f"accompany at most {MOST_NOTES} at once")
        given, scheme = len(tune.parts), _scheme(run)
        if given + parts > scheme.options.parts:
            raise InputError("--parts", f"there is no place for {parts} beside {given}", "ask for fewer")
        added = Part(tune.parts[0].program if program is None else program, name="accompaniment")
        whole = replace(tune, parts=(*tune.parts, *[added] * parts))
        spans = [(0, 0)] * given + [(0, tune.end)] * parts
        with clock("generation"):
            played = Filler(run.model, scheme, whole, spans, tune.end).fill(drawing.sampling, drawing.candidates)  # type: ignore[arg-type]
        notes = played.rescaled(tune.ticks_per_quarter).notes
        new = replace(whole, notes=notes[notes["part"] >= given], pedals=tune.pedals[:0])
        if is_midi(out):
            extend_midi(prompt, replace(new, tempos=tune.tempos[:1], meters=tune.meters[:1]), out)
        else:
            both = replace(new, notes=tidy(np.concatenate([tune.notes, new.notes])), pedals=tune.pedals)
            _sound(out, both, drawing.seed)
    said = {"parts": {"given": given, "added": parts}, "added": {"notes": len(new.notes)}}
    with with_its_sidecar(out):
        return _told(prompt, out, drawing, run, said, measured(tune, new), clock, told)


def _places(prompt: Path, tune: Tune, bars: tuple[int, int]) -> tuple[int, int, int]:
    """Ticks at which the bars begin and end, and up to where is looked ahead."""
    lines = np.append(tune.bar_lines(), tune.end)
    first, last = bars
    if not 1 <= first <= last < len(lines):
        raise InputError(prompt, f"it has {len(lines) - 1} bars", f"choose from 1 to {len(lines) - 1}")
    return int(lines[first - 1]), int(lines[last]), int(lines[min(last + BARS_AHEAD, len(lines) - 1)])


def _without(tune: Tune, first: int, stop: int) -> Tune:
    notes, pedals = tune.notes, tune.pedals
    return replace(
        tune,
        notes=notes[(notes["start"] < first) | (notes["start"] >= stop)],
        pedals=pedals[(pedals[:, 0] < first) | (pedals[:, 0] >= stop)],
    )


def _filled(kept: Tune, first: int, stop: int, last: int, run: Run | None, drawing: Drawing) -> np.ndarray:
    """The notes that are played from ``first`` to ``stop``, on the tune's resolution."""
    offset, _ = late(kept.between(0, first))
    heard = kept.between(offset, last).shifted(-offset)
    scheme = _scheme(run)
    # Before and behind, each by itself: a chain that had heard the gap would expect it.
    around = [kept.between(0, first), kept.between(stop, kept.end).shifted(-stop)]
    model = run.model if run else markov_chain([tune for tune in around if len(tune.notes)], scheme, ORDER, keys=(0,))
    spans = [(first - offset, stop - offset)] * len(kept.parts[: scheme.options.parts])
    played = Filler(model, scheme, heard, spans, last - offset).fill(drawing.sampling, drawing.candidates)  # type: ignore[arg-type]
    notes = played.rescaled(kept.ticks_per_quarter).shifted(offset).notes
    notes = notes[(notes["start"] >= first) & (notes["start"] < stop)]
    notes["end"] = np.minimum(notes["end"], stop)
    return notes[~_struck_again(notes, kept.notes[kept.notes["start"] < first])]


def _struck_again(notes: np.ndarray, sounding: np.ndarray) -> np.ndarray:
    """Which notes would cut short a given one of their part and pitch."""
    alike = (notes["part"][:, None] == sounding["part"]) & (notes["pitch"][:, None] == sounding["pitch"])
    return (alike & (notes["start"][:, None] < sounding["end"])).any(axis=1)


def _scheme(run: Run | None) -> Events:
    if run is None:
        return TOKENIZERS["events"](TOKENIZERS["events"].Options())  # type: ignore[return-value]
    if not isinstance(run.representation, Midi):
        raise InputError(run.path or "--run", "it predicts sound, not notes", "name a Run of the midi representation")
    if not isinstance(run.representation.tokenizer, Events):
        raise InputError(run.path or "--run", "its tokens hold one melody", "name a Run of the scheme events")
    return run.representation.tokenizer


def _sound(out: Path, tune: Tune, seed: int) -> None:
    sound = render(tune, SAMPLE_RATE)
    with Writer(out, sound.sample_rate, sound.channels, subtype_for(sound, out), seed) as to:
        to.write(sound.samples)


def _told(
    prompt: Path,
    out: Path,
    drawing: Drawing,
    run: Run | None,
    said: dict[str, Any],
    measures: dict[str, Any],
    clock: Clock,
    warnings: list[str],
) -> dict[str, Any]:
    settings = {key: value for key, value in asdict(drawing).items() if key != "seed"}
    sidecar = {"prompt": str(prompt), "output": out.name, **said, "seed": drawing.seed}
    sidecar |= {"settings": settings | learned_from(run), "versions": versions(), "measures": measures}
    sidecar |= {"timings": dict(clock.seconds), "warnings": warnings}
    write_text(sidecar_of(out), dump_json(sidecar))
    return sidecar
