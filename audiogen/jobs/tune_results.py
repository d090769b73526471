"""What the jobs on MIDI files share: rendered output, measures and entries of the sidecar."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from audiogen.audio import Writer, subtype_for
from audiogen.errors import InputError
from audiogen.experiment import to_tree
from audiogen.jobs.provenance import Clock, remove_output_on_failure, versions
from audiogen.jobs.tune_request import SamplingOptions
from audiogen.output_names import sidecar_of
from audiogen.run import Run
from audiogen.text_files import dump_json, write_text
from audiogen.tunes.metrics.note_copying import NoteMatchIndex
from audiogen.tunes.metrics.tune_statistics import SCALARS
from audiogen.tunes.midi_representation import Midi
from audiogen.tunes.rendering import SAMPLE_RATE, render
from audiogen.tunes.tokens import TOKENIZERS
from audiogen.tunes.tokens.events_tokenizer import EventsTokenizer
from audiogen.tunes.tune import Tune

MARKOV_ORDER = 8  # tokens, two or three notes: of the chain fitted to a prompt alone
LIBRARIES = ("torch", "numpy", "mido", "midirenderer", "pretty_midi")


def write_audio(out: Path, tune: Tune, seed: int, subtype: str | None = None) -> None:
    """Render a tune to an audio file.

    Args:
        out: file to write.
        tune: to render.
        seed: of the dither.
        subtype: sample format; None for the container's default.
    """
    recording = render(tune, SAMPLE_RATE)
    subtype = subtype or subtype_for(recording, out)
    with Writer(out, recording.sample_rate, recording.channels, subtype, seed) as writer:
        writer.write(recording.samples)


def measure_tail(prompt: Tune, tail: Tune) -> dict[str, Any]:
    """Note statistics of prompt and tail, and the longest run of notes that the tail copies from the prompt."""
    if not len(tail.melodic_notes) or not len(prompt.melodic_notes):
        return {}
    return {
        "prompt": {name: round(measure(prompt), 4) for name, measure in SCALARS.items()},
        "tail": {name: round(measure(tail), 4) for name, measure in SCALARS.items()},
        "longest_run_of_prompt_notes": NoteMatchIndex([prompt]).longest(tail).notes,
    }


def sidecar_entries(settings: dict[str, Any], run: Run | None, measures: dict[str, Any]) -> dict[str, Any]:
    """Entries that the sidecars of all these jobs have: settings, versions and measures.

    Args:
        settings: of the request, of which the seed has an entry of its own.
        run: that predicted; None for a Markov chain.
        measures: from `measure_tail`.
    """
    settings = {key: value for key, value in settings.items() if key != "seed"}
    return {"settings": settings | _model_settings(run), "versions": versions(LIBRARIES), "measures": measures}


def _model_settings(run: Run | None) -> dict[str, Any]:
    if run is None:
        return {"run": None, "training": None, "model": {"kind": "markov", "order": MARKOV_ORDER}}
    path = str(run.path) if run.path else None
    return {"run": path, "training": run.metrics, "experiment": to_tree(run.experiment)}


def write_infill_sidecar(
    prompt: Path,
    out: Path,
    details: dict[str, Any],
    options: SamplingOptions,
    run: Run | None,
    tunes: tuple[Tune, Tune],
    clock: Clock,
    texts: list[str],
) -> dict[str, Any]:
    """Write the sidecar of an infilling or accompaniment, and return its content.

    Args:
        prompt: file that was read.
        out: file that was written; removed if this fails.
        details: entries of the job itself.
        options: how notes were sampled.
        run: that predicted; None for a Markov chain.
        tunes: given and sampled notes, to be measured.
        clock: with the timings.
        texts: warnings.
    """
    with remove_output_on_failure(out):
        sidecar = {"prompt": str(prompt), "output": out.name, **details, "seed": options.seed}
        sidecar |= sidecar_entries(asdict(options), run, measure_tail(*tunes))
        sidecar |= {"timings": dict(clock.seconds), "warnings": texts}
        write_text(sidecar_of(out), dump_json(sidecar))
        return sidecar


def events_tokenizer(run: Run | None) -> EventsTokenizer:
    """Tokenizer of a Run, or the default one without a Run.

    Raises:
        InputError: the Run does not predict notes, or only a single melody.
    """
    if run is None:
        return TOKENIZERS["events"](TOKENIZERS["events"].Options())  # type: ignore[return-value]
    tokenizer = midi_representation_of(run).tokenizer
    if not isinstance(tokenizer, EventsTokenizer):
        raise InputError(run.path or "--run", "its tokens hold one melody", "name a Run of the scheme events")
    return tokenizer


def midi_representation_of(run: Run) -> Midi:
    """The Representation of a Run that predicts notes; raises an InputError for any other Run."""
    if not isinstance(run.representation, Midi):
        raise InputError(run.path or "--run", "it predicts sound, not notes", "name a Run of the midi representation")
    return run.representation
