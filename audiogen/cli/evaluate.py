"""`audiogen evaluate`: evaluate a continuation against real audio and baselines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from audiogen.cli.command import DATA, MODEL, OUTPUT, Command, option, print_output, print_summary, set_json_result
from audiogen.cli.options import FILE, FORCE, refuse_to_overwrite, require_input
from audiogen.errors import InputError
from audiogen.file_names import require_name
from audiogen.progress import stage

if TYPE_CHECKING:
    from audiogen.metrics.evaluation import Evaluation

REPORT_FILES = ("report.html", "blind.html", "evaluation.json", "evaluation.csv", "webmushra")
TABLE_MEASURES = ("texture", "copying", "looping")  # shown in the table of candidates


@click.command(
    cls=Command,
    examples=(
        "audiogen evaluate longer.wav --reference what-really-followed.wav",
        "audiogen evaluate tail.wav --prompt rain.wav --reference more-rain.wav -o report",
    ),
)
@click.argument("output", type=FILE, metavar="OUT")
@option(
    "--reference",
    group=DATA,
    type=FILE,
    required=True,
    help="Real audio, ideally what followed the prompt.",
)
@option("--prompt", group=DATA, type=FILE, help="The prompt, if OUT does not include it.")
@option("-o", "--output", "folder", group=OUTPUT, type=FILE, metavar="DIR", help="Folder for a report.")
@option("--seed", group=OUTPUT, type=click.IntRange(min=0), default=0, help="Random seed of the baselines.")
@option(
    "--raw",
    group=MODEL,
    type=FILE,
    metavar="RAW",
    help="The same continuation as its model draws it, by `continue --raw`: shown beside OUT.",
)
@option("--run", "run_folder", group=MODEL, type=FILE, metavar="RUN", help="Its model: how likely does it find each?")
@FORCE
def evaluate(
    output: Path,
    reference: Path,
    prompt: Path | None,
    folder: Path | None,
    seed: int,
    raw: Path | None,
    run_folder: Path | None,
    force: bool,
) -> None:
    """Evaluate the continuation OUT against real audio, simple baselines and controls.

    The join is read from OUT.json, or found by comparing OUT with the prompt. A texture distance of 1.00 means as
    close to the real audio as another segment of it, and an order of 1.00 that things follow each other as in another.
    The controls are the engine without its model: patches of the prompt in random order (random-patches), what
    followed similar moments in the prompt (context-walk), and jumps between moments with the same past (factor-oracle).
    With --raw and --run, what the model itself draws and how likely it finds each tail stand beside. With -o, DIR
    receives report.html, blind.html (a blind listening test), evaluation.json and evaluation.csv.
    """
    require_input(output, reference, prompt, raw)
    if folder is not None:
        require_name(folder)
    if folder is not None and folder.is_file():
        raise InputError(folder, "it is a file", "name a folder for the report")
    for other, name in ((reference, "the reference"), (prompt, "the prompt")):
        if other is not None and output.samefile(other):
            raise InputError(output, f"it is also {name}", "name two files: the continuation, and real audio")
    if folder is not None:
        refuse_to_overwrite(*(folder / name for name in REPORT_FILES), force=force)

    with stage("loading libraries"):
        from audiogen.audio import read
        from audiogen.jobs.control_baselines import CONTROL_BASELINES
        from audiogen.jobs.model_likelihood import ModelLikelihood
        from audiogen.metrics.evaluation import LIKELIHOOD, evaluate_inputs
        from audiogen.metrics.evaluation_inputs import prepare_inputs
        from audiogen.output_names import join_beside, sidecar_of
        from audiogen.reports.blind_listening import write_listening_test
        from audiogen.reports.evaluation_report import write_evaluation_report
        from audiogen.run import Run

    with stage("reading the recordings"):
        continued, real = read(output), read(reference)
        join = join_beside(output)
        source = read(prompt) if prompt is not None else None
        drawn = read(raw) if raw is not None else None
    if source is None and join:  # the prompt precedes the join
        source = continued.cut(0, min(join, continued.length))
    run = None if run_folder is None else Run.open(run_folder, with_vocoder=False)  # refused before minutes are spent
    inputs = prepare_inputs(continued, real, source, join, seed=seed, controls=CONTROL_BASELINES, raw=drawn)
    likelihood = None if run is None else ModelLikelihood(run, inputs.source)
    evaluation = evaluate_inputs(inputs, likelihood)
    if likelihood is not None and LIKELIHOOD not in evaluation.output.others:
        print_output(f"{run_folder}: its model ({likelihood.kind}) has no likelihood")
    if join is None and prompt is None:
        print_output(f"{output}: taken as a tail without its prompt, since there is no {sidecar_of(output).name}")
    print_output(f"{output}: {evaluation.measures['seconds']:.2f} s compared with {reference}")
    for line in text_report(evaluation):
        print_output(line)
    set_json_result(evaluation.as_dict())
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        with stage("writing the report"):
            evaluation.write(folder)
            write_evaluation_report(folder / "report.html", output, reference, inputs, evaluation, seed)
            write_listening_test(folder / "blind.html", output.name, inputs, seed)
        print_summary(f"\nreport: {folder / 'report.html'}\nblind test: {folder / 'blind.html'}")


def text_report(evaluation: Evaluation) -> Iterator[str]:
    """The evaluation for a terminal: a table of the candidates, the other measures, and the verdicts."""
    from audiogen.reports.scorecard import scorecard

    segment = "real segment" if evaluation.mismatch is None else "segment of REFERENCE"
    yield f"\ntexture distance (1.00: as close as another {segment}), fractions copied and looped\n"
    yield from candidate_table(evaluation)
    yield ""
    others = scorecard({name: value for name, value in evaluation.measures.items() if name not in TABLE_MEASURES})
    width = max((len(line.label) for line in others), default=0) + 1
    for line in others:
        yield f"{line.label:<{width}} {line.value:>12}{'' if line.good else '   check by ear'}"
    yield ""
    yield from evaluation.verdicts()


def candidate_table(evaluation: Evaluation) -> Iterator[str]:
    """Texture distance per class of statistics, then copying and looping; one column per candidate."""
    rows = evaluation.rows()
    heads = [row["candidate"] for row in rows]
    names = ["overall", *(name for name in rows[0] if name not in ("candidate", "overall", "copied", "looped"))]
    yield " " * 16 + "".join(f"{head:>{len(head) + 3}}" for head in heads)
    for name in [*names, "copied", "looped"]:
        form = "{:.0%}" if name in ("copied", "looped") else "{:.2f}"
        cells = ["–" if row[name] is None else form.format(row[name]) for row in rows]
        yield f"{name:<16}" + "".join(f"{cell:>{len(head) + 3}}" for cell, head in zip(cells, heads, strict=True))
