"""Which Model? Each on the same recordings, by order and texture, raw and finished, as a Markdown table, best first.

    python tools/compare_families.py RECORDING ... -o docs/families.md --runs FOLDER [--seeds 3] [--models gan ...]

The first three quarters of each recording (of its first 80 s) are a prompt; a tail of at most 8 s is compared with what
followed. With each seed, each Model is trained once, on all prompts together, in as many steps as take the same CPU
time, and continues every prompt. Models: all backbones with the head of the base, all heads on its backbone, and all
without a backbone. Finished tails are those of `continue`; raw ones are the frames that the Model itself draws. The
controls and the default have no training and no raw tail. Times are CPU seconds of one thread, which hardly depend on
the load of the machine. Runs are kept in FOLDER, and finished cells (recording, Model and seed) in a .jsonl beside the
table; neither is computed again.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path
from shutil import rmtree
from typing import Any, TypeVar

import numpy as np
import torch
from markdown_table import table

import audiogen
from audiogen.audio import Recording, write
from audiogen.experiment import read_experiment
from audiogen.jobs.control_baselines import CONTROL_BASELINES
from audiogen.jobs.model_likelihood import ModelLikelihood
from audiogen.jobs.run_choice import single_recording
from audiogen.metrics.order import OrderReference
from audiogen.metrics.tail_evaluator import TailEvaluator
from audiogen.models.backbones import BACKBONES
from audiogen.models.heads import HEADS
from audiogen.pretrained import base
from audiogen.run import Run
from audiogen.sound.context_predictor import ContextPredictor
from audiogen.sound.continuation import Continuer
from audiogen.sound.predictor import RunPredictor
from audiogen.sound.raw_tail import RawContinuer
from audiogen.text_files import write_text
from audiogen.training.trainer import train
from tools.check_order import split, wrapped

CONFIGS = Path(__file__).parents[1] / "configs" / "mel"
DEFAULT, CONTEXTS, BASE, REAL = "default", "contexts", "base", "real"
BACKBONE, HEAD = "lstm", "flow"  # of the base, with which the other heads and backbones are combined
MODELS = (
    *(f"{backbone}-{HEAD}" for backbone in BACKBONES),
    *(f"{BACKBONE}-{head}" for head in HEADS if head != HEAD),
    *("hmm", "gmm", "var", "vae", "gan"),
)
OTHERS = (REAL, DEFAULT, CONTEXTS, BASE, *CONTROL_BASELINES)
CPU_SECONDS = "cpu_seconds.txt"  # of the training, in the folder of a Run
PROBE_STEPS = 6  # by which the CPU time of a step is measured
BOOTSTRAPS, CONFIDENCE = 2000, (2.5, 97.5)
Cell = dict[str, Any]
T = TypeVar("T")


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """The result of a call and its CPU seconds."""
    started = time.process_time()
    return work(), time.process_time() - started


@dataclass
class Piece:
    """A recording, divided, with what its tails are measured by."""

    path: Path
    seconds: float

    @cached_property
    def parts(self) -> tuple[Recording, Recording]:
        """Prompt and real continuation."""
        return split(self.path, self.seconds)

    @cached_property
    def order(self) -> OrderReference:
        """Order of the prompt, with the real continuation's in the floor."""
        prompt, real = self.parts
        return OrderReference(prompt, real, real.seconds)

    @cached_property
    def evaluator(self) -> TailEvaluator:
        """Texture and copies."""
        return TailEvaluator(*self.parts)

    def measured(self, tail: Recording) -> Cell:
        """Order and texture of a tail, and the fraction that it copies."""
        order, texture, copied = self.order.distance(tail), self.evaluator.texture(tail), self.evaluator.copying(tail)
        return {
            "order": order.overall,
            "order without forecasts": order.without_forecasts,
            "texture": texture.overall if texture else None,
            "copied": copied.fraction if copied else None,
        }


def rendered(continuer: Continuer | RawContinuer, prompt: Recording, seconds: float, seed: int) -> Recording:
    """A tail of a continuer."""
    blocks = list(continuer.tail(round(seconds * prompt.sample_rate), seed))
    return Recording(np.concatenate(blocks, axis=1), prompt.sample_rate)


def prompts_in(pieces: Sequence[Piece], folder: Path) -> Path:
    """The prompts as files of a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for piece in pieces:
        if not (out := folder / f"{piece.path.stem}.wav").exists():
            write(out, piece.parts[0], "FLOAT")
    return folder


def trained(name: str, seed: int, prompts: Path, budget: float, folder: Path) -> Run:
    """The Run of a configuration: opened if it is there, or trained.

    With the seed 0 in as many steps as take ``budget`` CPU seconds, with others in as many as with that.
    """
    out = folder / f"{name}-{seed}"
    if (out / CPU_SECONDS).is_file():
        return Run.open(out)

    def train_for(steps: int) -> float:
        rmtree(out, ignore_errors=True)
        # Without validation, which would take a whole recording out of the training.
        given = (f"training.steps={steps}", f"training.seed={seed}", "training.split_fractions.validation=0")
        experiment = single_recording(read_experiment(CONFIGS / f"{name}.yaml", given))
        return timed(lambda: train(experiment, prompts, out, device="cpu"))[1]

    if seed:
        seconds = train_for(max(trained(name, 0, prompts, budget, folder).metrics["steps"], 1))
    else:
        seconds = train_for(1)
        if Run.open(out).metrics["steps"]:  # else it is complete, in closed form
            first, second = train_for(1), train_for(1 + PROBE_STEPS)  # the first time of all, libraries are loaded
            seconds = train_for(max(round(budget * PROBE_STEPS / max(second - first, 1e-3)), 1))
    write_text(out / CPU_SECONDS, f"{seconds:.2f}")
    return Run.open(out)


def of_run(run: Run, piece: Piece, seed: int, predictor: Callable[..., RunPredictor]) -> Cell:
    """Measures of the finished and of the raw tail of a Run."""
    prompt, real = piece.parts
    tail, seconds = timed(
        lambda: rendered(Continuer(run, prompt, make_predictor=predictor), prompt, real.seconds, seed)
    )
    found = {**piece.measured(tail), "rendering": seconds / real.seconds}
    if predictor is RunPredictor:
        raw = rendered(RawContinuer(run, prompt), prompt, real.seconds, seed)
        found |= {f"raw {name}": value for name, value in piece.measured(raw).items()}
        if seed == 0:  # three quarters of the time of a flow
            likelihood = ModelLikelihood(run, prompt)
            found |= {"likelihood": likelihood(real), "raw likelihood": likelihood(raw)}
    return found


def of_other(name: str, piece: Piece, seed: int) -> Cell:
    """The default, a control, or the real continuation."""
    prompt, real = piece.parts
    if name == REAL:  # its texture is what that of tails is measured from
        return {**piece.measured(real), "texture": None}
    if name in (CONTEXTS, BASE):
        return of_run(base(), piece, seed, ContextPredictor if name == CONTEXTS else RunPredictor)
    if name == DEFAULT:
        given = (prompt.samples, prompt.sample_rate, real.seconds, seed)
        call = lambda: Recording(  # noqa: E731
            np.atleast_2d(audiogen.continue_audio(*given, tail_only=True)), prompt.sample_rate
        )
    else:
        call = lambda: CONTROL_BASELINES[name](prompt, real.seconds, seed)  # noqa: E731
    tail, seconds = timed(call)
    return {**piece.measured(tail), "rendering": seconds / real.seconds}


def cell_of(name: str, piece: Piece, seed: int, prompts: Path, arguments: argparse.Namespace) -> Cell:
    """What is kept of a Model, a recording and a seed."""
    cell: Cell = {"model": name, "recording": piece.path.stem, "seed": seed}
    if name in OTHERS:
        return cell | of_other(name, piece, seed)
    run = trained(name, seed, prompts, arguments.budget, arguments.runs)
    cell |= {**of_run(run, piece, seed, RunPredictor), "steps": run.metrics["steps"]}
    return cell | {"training": float((run.path / CPU_SECONDS).read_text("utf-8"))}


def interval(values: Sequence[float | None]) -> tuple[float, float, float] | None:
    """Geometric mean over the recordings, and its bootstrapped 95 % confidence interval."""
    known = np.log([value for value in values if value is not None])
    if not len(known):
        return None
    drawn = np.random.default_rng(0).integers(0, len(known), (BOOTSTRAPS, len(known)))
    low, high = np.percentile(known[drawn].mean(axis=1), CONFIDENCE)
    return float(np.exp(known.mean())), float(np.exp(low)), float(np.exp(high))


def by_recording(cells: list[Cell], model: str, column: str) -> dict[str, float]:
    """Recording -> geometric mean over the seeds of a column of a Model, where it is known."""
    values: dict[str, list[float]] = {}
    for cell in cells:
        if cell["model"] == model and cell.get(column) is not None:
            values.setdefault(cell["recording"], []).append(cell[column])
    return {name: float(np.exp(np.log(own).mean())) for name, own in values.items()}


def paired(cells: list[Cell], model: str, column: str = "order") -> tuple[float, float, float] | None:
    """Mean and interval of the ratios to the default's, recording by recording."""
    own, default = by_recording(cells, model, column), by_recording(cells, DEFAULT, column)
    return interval([value / default[name] for name, value in own.items() if name in default])


def text(values: tuple[float, float, float] | None) -> str:
    """A mean and its interval."""
    return "–" if values is None else f"{values[0]:.2f} ({values[1]:.2f}–{values[2]:.2f})"


def mean_text(values: Sequence[float | None], form: str) -> str:
    """Arithmetic mean of what is known."""
    known = [value for value in values if value is not None]
    return format(float(np.mean(known)), form) if known else "–"


COLUMNS = ("raw order", "texture", "raw texture")
TITLES = (
    *("Model", "tails", "order", "over the default's", "without forecasts, over the default's"),
    *("raw order", "texture", "raw texture"),
    *("copied", "likelihood, real", "likelihood, raw", "training, s", "steps", "tail, s per s"),
)


def lines_of(cells: list[Cell]) -> Iterator[list[str]]:
    """The rows of the table, best order first."""
    order = {name: interval([*by_recording(cells, name, "order").values()]) for name in names_of(cells)}
    for name in sorted(order, key=lambda name: (order[name] or (np.inf,))[0]):
        mine = [cell for cell in cells if cell["model"] == name]
        ratios = [text(paired(cells, name, each)) for each in ("order", "order without forecasts")]
        yield [
            name,
            str(len(mine)),
            text(order[name]),
            *(["–", "–"] if name == DEFAULT else ratios),
            *(text(interval([*by_recording(cells, name, column).values()])) for column in COLUMNS),
            mean_text([cell.get("copied") for cell in mine], ".0%"),
            *(mean_text([cell.get(key) for cell in mine], ".2f") for key in ("likelihood", "raw likelihood")),
            mean_text([cell.get("training") for cell in mine], ".1f"),
            mean_text([cell.get("steps") for cell in mine], ".0f"),
            mean_text([cell.get("rendering") for cell in mine], ".2f"),
        ]


def names_of(cells: list[Cell]) -> list[str]:
    """The Models of the cells."""
    return list(dict.fromkeys(cell["model"] for cell in cells))


def verdict(cells: list[Cell], column: str) -> str:
    """Which Models are better or worse than the default, by the interval of the paired ratios."""
    lists: dict[str, list[str]] = {"worse than": [], "not distinguished from": [], "better than": []}
    for name in names_of(cells):
        found = paired(cells, name, column)
        if name in (DEFAULT, REAL) or found is None:
            continue
        kind = "worse than" if found[1] > 1 else "better than" if found[2] < 1 else "not distinguished from"
        lists[kind].append(name)
    return "\n".join(f"- {kind} the default by {column}: {', '.join(names) or 'none'}" for kind, names in lists.items())


EXPLANATIONS = (
    "*Order* and *texture* are relative to another real segment (1.0; larger is worse): geometric means over the"
    " recordings, after those over the seeds, and their 95 % intervals by bootstrap over recordings. *Over the"
    " default's*: of the ratios, recording by recording; *without forecasts*, of order by the five measures that do"
    " not forecast from contexts, as the default does (docs/order.md). *Raw*: the frames that the Model itself draws,"
    " by Griffin-Lim, without patch selection, guards and texture matching. *Likelihood*: nats per latent coordinate"
    " of the real continuation, and of the Model's own raw tail, under the Model of the first seed; of a VAE a lower"
    " bound; a GAN and a head of points have none, and that of the base, which has other latents, cannot be compared."
    " *Copied*: of the finished tail, half seconds that the prompt holds. Times are CPU seconds of one thread; of a"
    " tail, per second of sound.",
    "`default` is what `continue` does: the recording's own contexts, or its beats where it has a pulse, which"
    " are played whole and therefore count as copied. `contexts` leaves out the beats. `base` is the shipped"
    " network. `random-patches`, `context-walk` and `factor-oracle` are controls without a network. `gmm` has no"
    " memory. `real` is what followed.",
)


def page(cells: list[Cell], budget: float) -> str:
    """The Markdown file."""
    recordings, seeds = dict.fromkeys(cell["recording"] for cell in cells), {cell["seed"] for cell in cells}
    head = (
        f"Made by `tools/compare_families.py` on {len(recordings)} recordings ({', '.join(recordings)}), {len(seeds)}"
        f" {'seeds' if len(seeds) > 1 else 'seed'}. Each Model is trained once per seed, on all prompts together, in as"
        f" many steps as take {budget:g} CPU seconds. All backbones have a head of {HEAD}s, all heads a backbone of"
        f" {BACKBONE.upper()}s, those of the base."
    )
    prose = [wrapped(text) for text in EXPLANATIONS]
    verdicts = [wrapped(verdict(cells, column)) for column in ("order", "order without forecasts")]
    return (
        "\n\n".join(["# Which Model?", wrapped(head), table(TITLES, lines_of(cells)).rstrip(), *prose, *verdicts])
        + "\n"
    )


def main() -> None:
    """Compute the missing cells, seed by seed, and write the page after each recording."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recordings", type=Path, nargs="+", help="files of at least 12 s")
    parser.add_argument("-o", "--output", type=Path, required=True, help="Markdown file to write")
    parser.add_argument("--models", nargs="+", default=[*OTHERS, *MODELS], help="names of configs/mel, or of controls")
    parser.add_argument("--runs", type=Path, required=True, help="folder of the prompts and of the trained Runs")
    parser.add_argument("--seeds", type=int, default=3, help="trainings and tails of each Model [3]")
    parser.add_argument("--first", type=int, help="continue this many of the recordings only [all]")
    parser.add_argument("--budget", type=float, default=10.0, help="CPU seconds of a training [10]")
    parser.add_argument("--seconds", type=float, default=8.0, help="maximum length of a tail [8]")
    parser.add_argument("--rows", type=Path, help="file of finished cells [the output's name with .jsonl]")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    store = arguments.rows or arguments.output.with_suffix(".jsonl")
    cells = [json.loads(line) for line in store.read_text("utf-8").splitlines()] if store.exists() else []
    pieces = [Piece(path, arguments.seconds) for path in arguments.recordings]
    prompts = prompts_in(pieces, arguments.runs / "prompts")
    for seed, piece in product(range(arguments.seeds), pieces[: arguments.first]):
        found = {cell["model"] for cell in cells if (cell["recording"], cell["seed"]) == (piece.path.stem, seed)}
        for name in arguments.models:
            if name in found or (name == REAL and seed):
                continue
            cells.append(cell_of(name, piece, seed, prompts, arguments))
            print(cells[-1], file=sys.stderr, flush=True)
            with store.open("a", encoding="utf-8") as file:
                file.write(json.dumps(cells[-1]) + "\n")
        write_text(arguments.output, page(cells, arguments.budget))


if __name__ == "__main__":
    main()
