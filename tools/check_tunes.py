"""Check of a Run's continuations of held-out tunes: valid files, similarity to real tunes, and copying.

Usage: python tools/check_tunes.py RUN FOLDER -o OUT_DIR [--count 100] [--prompt-bars 8] [--bars 16] [--takes 8]

FOLDER contains the tunes that the Run was trained on. Tunes of its validation and test splits that are long enough are
continued from their first bars, and the tails are compared with the real continuations. The column "training tunes"
shows the values of real tunes: bars of the training split at the same position. The MIDI files and report.md are
written to OUT_DIR.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from typing import Any

import mido
import numpy as np
import pretty_midi
import symusic
import torch

from audiogen.data.datasets import DATASETS, guess
from audiogen.jobs.tune_request import TuneRequest
from audiogen.models import Sampling
from audiogen.progress import progress
from audiogen.run import Run
from audiogen.tunes.metrics.note_copying import NoteMatchIndex
from audiogen.tunes.metrics.tune_statistics import distances
from audiogen.tunes.midi.editor import extend_midi
from audiogen.tunes.midi.reader import read_midi
from audiogen.tunes.midi.writer import write_midi
from audiogen.tunes.midi_representation import Midi
from audiogen.tunes.tune import Tune, joined
from audiogen.tunes.tune_continuation import TuneContinuer

MAX_DISTANCE_RATIO = 1.5  # relative to the distance between halves of the held-out tunes
COPY_TOLERANCE = 4  # notes by which a copied sequence may be longer than those of held-out tunes


def bar_range(tune: Tune, first: int, last: int) -> Tune | None:
    """A range of bars of a tune, counted from the bar of its first note; None if the tune is shorter."""
    lines = tune.bar_lines()
    begun = int(np.searchsorted(lines, int(tune.notes["start"].min()), side="right")) - 1
    if begun + last >= len(lines):
        return None
    cut = tune.between(int(lines[begun + first]), int(lines[begun + last]))
    return cut if len(cut.notes) else None


def faults(prompt: Path, out: Path, tail: Tune) -> list[str]:
    """Faults of a written file, in words; empty if there are none."""
    given, found = read_midi(prompt), read_midi(out)
    expected = len(given.notes) + len(tail.notes)
    result = {
        "mido": sum(message.type == "note_on" and message.velocity > 0 for message in mido.MidiFile(out)),
        "symusic": symusic.Score(out).note_num(),
        "pretty_midi": sum(len(part.notes) for part in pretty_midi.PrettyMIDI(str(out)).instruments),
    }
    wrong = [f"{name} finds {count} notes, not {expected}" for name, count in result.items() if count != expected]
    if not np.array_equal(found.notes[: len(given.notes)], given.notes):
        wrong.append("the prompt's notes have changed")
    notes = found.notes[np.lexsort((found.notes["start"], found.notes["pitch"], found.notes["part"]))]
    alike = (np.diff(notes["part"]) == 0) & (np.diff(notes["pitch"]) == 0)
    if (alike & (notes["start"][1:] < notes["end"][:-1])).any():
        wrong.append("notes of one pitch overlap")
    ends = joined(given, tail).end
    if found.end > ends:
        wrong.append("a note is stuck")
    return wrong


def similarity_report(
    tails: list[Tune], held: list[Tune], learned: list[Tune], index: NoteMatchIndex
) -> tuple[list[str], bool]:
    """Markdown lines on similarity and copying, and whether all checks pass; ``learned`` are bars of training tunes."""
    lines = ["| measure | tails | held-out | distance | between halves | ratio | training tunes |"]
    lines += ["|---|---:|---:|---:|---:|---:|---:|"]
    well, real = True, distances(learned, held)
    for name, result in distances(tails, held).items():
        ratio = result.ratio
        well &= result.value == 0 if ratio is None else ratio <= MAX_DISTANCE_RATIO
        mean, reference = ("" if value is None else f"{value:.3f}" for value in (result.mean, result.reference))
        shown, theirs = ("-" if value is None else f"{value:.2f}" for value in (ratio, real[name].ratio))
        lines.append(
            f"| {name} | {mean} | {reference} | {result.value:.4f} | {result.floor:.4f} | {shown} | {theirs} |"
        )
    ours, chance = index.lengths(tails), index.lengths(held)
    copied = int(ours.max()) <= int(chance.max()) + COPY_TOLERANCE
    lines += [
        "",
        f"Longest run shared with a training tune, in any key: {ours.max()} notes (median {np.median(ours):.0f}); "
        f"held-out tunes of that length: {chance.max()} (median {np.median(chance):.0f}).",
    ]
    return lines, well and copied


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--prompt-bars", type=int, default=8)
    parser.add_argument("--bars", type=int, default=16)
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--top-p", type=float, default=1.0)
    parser.add_argument("--min-p", type=float, default=TuneRequest().min_p)
    parser.add_argument("--takes", type=int, default=TuneRequest().takes)
    parser.add_argument(
        "--seed", type=int, default=0, help="random seed of the first continuation; the others use the following seeds"
    )
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # pretty_midi's on tempos outside its first track
    run = Run.open(arguments.run)
    assert isinstance(run.representation, Midi)
    tokenizer, split = run.representation.tokenizer, run.metrics["split"]
    items = [item for item in DATASETS[guess(arguments.folder)](arguments.folder, None, 0) if item.name in split]
    tunes: dict[str, Any] = {item.name: item.tune() for item in items}
    first, last = arguments.prompt_bars, arguments.prompt_bars + arguments.bars
    cut = {name: bar_range(tokenizer.quantised(tune), first, last) for name, tune in tunes.items()}
    learned, held = (
        {name: tail for name, tail in cut.items() if tail is not None and (split[name] == "train") == wanted}
        for wanted in (True, False)
    )
    cut = {name: bar_range(tokenizer.quantised(tunes[name]), 0, first) for name in sorted(held)}
    prompts = {name: prompt for name, prompt in cut.items() if prompt is not None}
    index = NoteMatchIndex([tune for name, tune in tunes.items() if split[name] == "train"])
    arguments.output.mkdir(parents=True, exist_ok=True)
    wrong: list[str] = []
    tails: list[Tune] = []
    with progress(arguments.count, "continuing", "tune") as bar:
        for number in range(arguments.count):
            name, prompt = list(prompts.items())[number % len(prompts)]
            source, out = arguments.output / f"{name}.prompt.mid", arguments.output / f"{number:03d}.mid"
            write_midi(source, prompt)
            generator = torch.Generator().manual_seed(arguments.seed + number)
            sampling = Sampling(
                arguments.temperature, top_p=arguments.top_p, min_p=arguments.min_p, generator=generator
            )
            tail = TuneContinuer(run.model, tokenizer, read_midi(source)).tail(
                sampling, bars=arguments.bars, takes=arguments.takes
            )
            extend_midi(source, tail, out)
            wrong += [f"{out.name}: {fault}" for fault in faults(source, out, tail)]
            tails.append(tail)
            bar.update()
    lines, well = similarity_report(tails, list(held.values()), list(learned.values()), index)
    head = f"{arguments.count} continuations of {arguments.bars} bars after {arguments.prompt_bars} "
    head += f"of {len(prompts)} held-out tunes, "
    head += f"temperature {arguments.temperature:g}, top-p {arguments.top_p:g}, "
    head += f"min-p {arguments.min_p:g}, takes {arguments.takes}."
    text = "\n".join(
        [head, "", *(wrong or ["Every file parses with mido, symusic and pretty_midi; no fault."]), "", *lines]
    )
    (arguments.output / "report.md").write_text(text + "\n", encoding="utf-8")
    print(text)
    raise SystemExit(0 if well and not wrong else 1)


if __name__ == "__main__":
    main()
