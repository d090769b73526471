"""Which Model? Each on the same recordings, by order and texture, raw and finished, as a Markdown table, best first.

    python tools/compare_families.py RECORDING ... -o docs/families.md --runs FOLDER [--models lstm-flow ...]

The first three quarters of each recording (of its first 80 s) are a prompt; a tail of at most 8 s is compared with what
followed. Each Model is trained once, on all prompts together, for the same CPU time. Finished tails are those of
`continue`; raw ones are the frames that the Model itself draws. The controls and the default have no training and no
raw tail. One seed. Times are CPU seconds of one thread, which do not depend on the load of the machine. Runs are kept
in FOLDER, and finished cells in a .jsonl beside the table; neither is computed again.
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
from pathlib import Path
from shutil import rmtree
from typing import Any, TypeVar

import numpy as np
import torch

import audiogen
from audiogen.audio import Recording, write
from audiogen.experiment import read_experiment
from audiogen.jobs.control_baselines import CONTROL_BASELINES
from audiogen.jobs.model_likelihood import ModelLikelihood
from audiogen.jobs.run_choice import single_recording
from audiogen.metrics.order import OrderReference
from audiogen.metrics.tail_evaluator import TailEvaluator
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
MODELS = (
    *("lstm-flow", "conv-flow", "transformer-flow"),
    *("lstm-point", "lstm-mixture"),
    *("hmm", "gmm", "vae", "gan"),
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
            "ratios": order.ratios,
            "texture": texture.overall if texture else None,
            "copied": copied.fraction if copied else None,
        }


def rendered(continuer: Continuer | RawContinuer, prompt: Recording, seconds: float) -> Recording:
    """A tail of a continuer."""
    blocks = list(continuer.tail(round(seconds * prompt.sample_rate)))
    return Recording(np.concatenate(blocks, axis=1), prompt.sample_rate)


def prompts_in(pieces: Sequence[Piece], folder: Path) -> Path:
    """The prompts as files of a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for piece in pieces:
        if not (out := folder / f"{piece.path.stem}.wav").exists():
            write(out, piece.parts[0], "FLOAT")
    return folder


def trained(name: str, prompts: Path, budget: float, folder: Path) -> Run:
    """The Run of a configuration: opened if it is there, or trained in as many steps as take ``budget`` CPU seconds."""
    out = folder / name
    if (out / CPU_SECONDS).is_file():
        return Run.open(out)

    def train_for(steps: int) -> float:
        rmtree(out, ignore_errors=True)
        # Without validation, which would take a whole recording out of the training.
        overrides = (f"training.steps={steps}", "training.split_fractions.validation=0")
        experiment = single_recording(read_experiment(CONFIGS / f"{name}.yaml", overrides))
        return timed(lambda: train(experiment, prompts, out, device="cpu"))[1]

    seconds = train_for(1)
    run = Run.open(out)
    if run.metrics["steps"]:  # else it is complete, in closed form
        first, second = train_for(1), train_for(1 + PROBE_STEPS)  # the first time of all, libraries are loaded
        seconds = train_for(max(round(budget * PROBE_STEPS / max(second - first, 1e-3)), 1))
        run = Run.open(out)
    write_text(out / CPU_SECONDS, f"{seconds:.2f}")
    return run


def of_run(run: Run, piece: Piece, predictor: Callable[..., RunPredictor]) -> Cell:
    """Measures of the finished and of the raw tail of a Run."""
    prompt, real = piece.parts
    tail, seconds = timed(lambda: rendered(Continuer(run, prompt, make_predictor=predictor), prompt, real.seconds))
    found = {**piece.measured(tail), "rendering": seconds / real.seconds}
    if predictor is RunPredictor:
        raw, likelihood = rendered(RawContinuer(run, prompt), prompt, real.seconds), ModelLikelihood(run, prompt)
        found |= {f"raw {name}": value for name, value in piece.measured(raw).items()}
        found |= {"likelihood": likelihood(real), "raw likelihood": likelihood(raw)}
    return found


def of_other(name: str, piece: Piece) -> Cell:
    """The default, a control, or the real continuation."""
    prompt, real = piece.parts
    if name == REAL:
        return piece.measured(real)
    if name in (CONTEXTS, BASE):
        return of_run(base(), piece, ContextPredictor if name == CONTEXTS else RunPredictor)
    if name == DEFAULT:
        call = lambda: Recording(  # noqa: E731
            np.atleast_2d(audiogen.continue_audio(prompt.samples, prompt.sample_rate, real.seconds, 0, tail_only=True)),
            prompt.sample_rate,
        )
    else:
        call = lambda: CONTROL_BASELINES[name](prompt, real.seconds, 0)  # noqa: E731
    tail, seconds = timed(call)
    return {**piece.measured(tail), "rendering": seconds / real.seconds}


def interval(values: Sequence[float | None]) -> tuple[float, float, float] | None:
    """Geometric mean over the recordings, and its bootstrapped 95 % confidence interval."""
    known = np.log([value for value in values if value is not None])
    if not len(known):
        return None
    drawn = np.random.default_rng(0).integers(0, len(known), (BOOTSTRAPS, len(known)))
    low, high = np.percentile(known[drawn].mean(axis=1), CONFIDENCE)
    return float(np.exp(known.mean())), float(np.exp(low)), float(np.exp(high))


def by_recording(cells: list[Cell], model: str) -> dict[str, Cell]:
    """The cells of a Model."""
    return {cell["recording"]: cell for cell in cells if cell["model"] == model}


def text(values: tuple[float, float, float] | None) -> str:
    """A mean and its interval."""
    return "–" if values is None else f"{values[0]:.2f} ({values[1]:.2f}–{values[2]:.2f})"


def mean_text(values: Sequence[float | None], form: str) -> str:
    """Arithmetic mean of what is known."""
    known = [value for value in values if value is not None]
    return format(float(np.mean(known)), form) if known else "–"


COLUMNS = ("order", "raw order", "texture", "raw texture")
HEADS = (
    *("Model", "recordings", "order", "over the default's", "raw order", "texture", "raw texture"),
    *("copied", "likelihood, real", "likelihood, raw", "training, s", "steps", "tail, s per s"),
)


def lines_of(cells: list[Cell]) -> Iterator[list[str]]:
    """The rows of the table, best order first."""
    default = by_recording(cells, DEFAULT)
    own = {name: by_recording(cells, name) for name in dict.fromkeys(cell["model"] for cell in cells)}

    def order(name: str) -> float:
        found = interval([cell["order"] for cell in own[name].values()])
        return found[0] if found else np.inf

    for name in sorted(own, key=order):
        mine = list(own[name].values())
        over = [cell["order"] / default[key]["order"] for key, cell in own[name].items() if key in default]
        order_text, raw_order, texture, raw_texture = (
            text(interval([cell.get(column) for cell in mine])) for column in COLUMNS
        )
        yield [
            name,
            str(len(mine)),
            order_text,
            "–" if name == DEFAULT else text(interval(over)),
            raw_order,
            texture,
            raw_texture,
            mean_text([cell.get("copied") for cell in mine], ".0%"),
            *(mean_text([cell.get(key) for cell in mine], ".2f") for key in ("likelihood", "raw likelihood")),
            mean_text([cell.get("training") for cell in mine], ".1f"),
            mean_text([cell.get("steps") for cell in mine], ".0f"),
            mean_text([cell.get("rendering") for cell in mine], ".2f"),
        ]


def verdict(cells: list[Cell]) -> str:
    """Which Models are better or worse than the default, by the interval of the paired ratios."""
    default, lists = by_recording(cells, DEFAULT), {"worse than": [], "not distinguished from": [], "better than": []}
    for name in dict.fromkeys(cell["model"] for cell in cells):
        own = by_recording(cells, name)
        found = interval([cell["order"] / default[key]["order"] for key, cell in own.items() if key in default])
        if name in (DEFAULT, REAL) or found is None:
            continue
        kind = "worse than" if found[1] > 1 else "better than" if found[2] < 1 else "not distinguished from"
        lists[kind].append(name)
    parts = [f"- {kind} the default by order: {', '.join(names) or 'none'}" for kind, names in lists.items()]
    return "\n".join(parts)


EXPLANATIONS = (
    "*Order* and *texture* are relative to another real segment (1.0; larger is worse): geometric means over the"
    " recordings, and their 95 % intervals by bootstrap over recordings. *Over the default's*: of the ratios,"
    " recording by recording. *Raw*: the frames that the Model itself draws, by Griffin-Lim, without patch"
    " selection, guards and texture matching. *Likelihood*: nats per latent coordinate of the real continuation,"
    " and of the Model's own raw tail, under the Model; of a VAE a lower bound; a GAN and a head of points have"
    " none, and that of the base, which has other latents, cannot be compared. *Copied*: of the finished tail,"
    " half seconds that the prompt holds. Times are CPU seconds of one thread; of a tail, per second of sound.",
    "`default` is what `continue` does: the recording's own contexts, or its beats where it has a pulse, which"
    " are played whole and therefore count as copied. `contexts` leaves out the beats. `base` is the shipped"
    " network. `random-patches`, `context-walk` and `factor-oracle` are controls without a network. `gmm` has no"
    " memory. `real` is what followed.",
)


def page(cells: list[Cell], budget: float) -> str:
    """The Markdown file."""
    recordings = dict.fromkeys(cell["recording"] for cell in cells)
    head = (
        f"Made by `tools/compare_families.py` on {len(recordings)} recordings ({', '.join(recordings)}), one seed. Each"
        f" Model is trained once, on all prompts together, in as many steps as take {budget:g} CPU seconds."
    )
    rows = [list(HEADS), ["---"] * len(HEADS), *lines_of(cells)]
    table = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    prose = [wrapped(text) for text in EXPLANATIONS]
    return "\n\n".join(["# Which Model?", wrapped(head), table, *prose, wrapped(verdict(cells))]) + "\n"


def main() -> None:
    """Compute the missing cells, and write the page after each recording."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recordings", type=Path, nargs="+", help="files of at least 12 s")
    parser.add_argument("-o", "--output", type=Path, required=True, help="Markdown file to write")
    parser.add_argument("--models", nargs="+", default=[*OTHERS, *MODELS], help="names of configs/mel, or of controls")
    parser.add_argument("--runs", type=Path, required=True, help="folder of the prompts and of the trained Runs")
    parser.add_argument("--first", type=int, help="continue this many of the recordings only [all]")
    parser.add_argument("--budget", type=float, default=20.0, help="CPU seconds of a training [20]")
    parser.add_argument("--seconds", type=float, default=8.0, help="maximum length of a tail [8]")
    parser.add_argument("--rows", type=Path, help="file of finished cells [the output's name with .jsonl]")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    store = arguments.rows or arguments.output.with_suffix(".jsonl")
    cells = [json.loads(line) for line in store.read_text("utf-8").splitlines()] if store.exists() else []
    pieces = [Piece(path, arguments.seconds) for path in arguments.recordings]
    prompts = prompts_in(pieces, arguments.runs / "prompts")
    for piece in pieces[: arguments.first]:
        path, done = piece.path, {cell["model"] for cell in cells if cell["recording"] == piece.path.stem}
        for name in arguments.models:
            if name in done:
                continue
            cell: Cell = {"model": name, "recording": path.stem}
            if name in OTHERS:
                cell |= of_other(name, piece)
            else:
                run = trained(name, prompts, arguments.budget, arguments.runs)
                cell |= {**of_run(run, piece, RunPredictor), "steps": run.metrics["steps"]}
                cell["training"] = float((arguments.runs / name / CPU_SECONDS).read_text("utf-8"))
            cells.append(cell)
            print(cell, file=sys.stderr, flush=True)
            write_text(store, "".join(json.dumps(each) + "\n" for each in cells))
        write_text(arguments.output, page(cells, arguments.budget))


if __name__ == "__main__":
    main()
