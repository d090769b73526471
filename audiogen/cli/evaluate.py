"""audiogen evaluate: a continuation and real audio in, a judgement out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from audiogen.cli.command import Command, report, say, show
from audiogen.cli.options import FILE, FORCE, refuse_to_overwrite, require_input
from audiogen.errors import InputError
from audiogen.file_names import require_name
from audiogen.progress import stage

if TYPE_CHECKING:
    from audiogen.metrics.evaluation import Evaluation

WRITTEN = ("report.html", "blind.html", "evaluation.json", "evaluation.csv")
TABLED = ("texture", "copying", "looping")  # measures that the table of candidates shows


@click.command(cls=Command)
@click.argument("output", type=FILE, metavar="OUT")
@click.option("--reference", type=FILE, required=True, help="Real audio: best what truly came next.")
@click.option("--prompt", type=FILE, help="What was continued, when OUT does not begin with it.")
@click.option("-o", "--output", "folder", type=FILE, metavar="DIR", help="Folder for a report to look at.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the baselines.")
@FORCE
def evaluate(output: Path, reference: Path, prompt: Path | None, folder: Path | None, seed: int, force: bool) -> None:
    """Judge the continuation OUT against real audio and against cheap baselines.

    Where the continuation begins is read from the .json beside OUT, or found by comparing OUT with the prompt.
    Texture distance: 1.00 is as close to the real audio as another real stretch of it. With -o, DIR gets
    report.html, blind.html (a blind listening test), evaluation.json and evaluation.csv.
    """
    require_input(output, reference, prompt)
    if folder is not None:
        require_name(folder)
    if folder is not None and folder.is_file():
        raise InputError(folder, "it is a file", "name a folder for the report")
    for other, name in ((reference, "the reference"), (prompt, "the prompt")):
        if other is not None and output.samefile(other):
            raise InputError(output, f"it is {name} too", "name the continuation and real audio, two files")
    if folder is not None:
        refuse_to_overwrite(*(folder / name for name in WRITTEN), force=force)

    with stage("loading libraries"):
        from audiogen.audio import read
        from audiogen.metrics.evaluation import evaluate_inputs
        from audiogen.metrics.evaluation_inputs import prepare_inputs
        from audiogen.output_names import join_beside
        from audiogen.reports.evaluation_report import write_report
        from audiogen.reports.listening_test import write_blind

    with stage("reading the recordings"):
        continued, real = read(output), read(reference)
        join = join_beside(output)
        source = read(prompt) if prompt is not None else None
    if source is None and join:  # the prompt stands before the join
        source = continued.cut(0, min(join, continued.length))
    sounds = prepare_inputs(continued, real, source, join, seed=seed)
    found = evaluate_inputs(sounds)
    show(f"{output}: {found.measures['seconds']:.2f} s against {reference}")
    for line in lines(found):
        show(line)
    report(found.as_dict())
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        with stage("writing the report"):
            found.write(folder)
            write_report(folder / "report.html", output, reference, sounds, found, seed)
            write_blind(folder / "blind.html", output.name, sounds, seed)
        say(f"\nreport: {folder / 'report.html'}\nblind test: {folder / 'blind.html'}")


def lines(found: Evaluation) -> Iterator[str]:
    """The evaluation for a terminal: the candidates side by side, the other measures, the verdicts."""
    from audiogen.reports.scorecard import scorecard

    unit = "as close as another real stretch" if found.mismatch is None else "as close as another stretch of REFERENCE"
    yield f"\ntexture distance (1.00: {unit}), copied and looped shares\n"
    yield from side_by_side(found)
    yield ""
    others = scorecard({name: value for name, value in found.measures.items() if name not in TABLED})
    width = max((len(line.label) for line in others), default=0) + 1
    for line in others:
        yield f"{line.label:<{width}} {line.value:>12}{'' if line.good else '   listen here'}"
    yield ""
    yield from found.verdicts()


def side_by_side(found: Evaluation) -> Iterator[str]:
    """A line for each class of texture, then copied and looped; a column for each candidate."""
    rows = found.rows()
    heads = [row["candidate"] for row in rows]
    names = ["overall", *(name for name in rows[0] if name not in ("candidate", "overall", "copied", "looped"))]
    yield " " * 16 + "".join(f"{head:>{len(head) + 3}}" for head in heads)
    for name in [*names, "copied", "looped"]:
        form = "{:.0%}" if name in ("copied", "looped") else "{:.2f}"
        cells = ["–" if row[name] is None else form.format(row[name]) for row in rows]
        yield f"{name:<16}" + "".join(f"{cell:>{len(head) + 3}}" for cell, head in zip(cells, heads, strict=True))
