"""Likelihood of held-out frames under the heads and under linear autoregression, as a Markdown table, worst first.

    python tools/compare_likelihood.py FOLDER -o docs/likelihood.md [--heads mixture flow] [--rates 0.002 0.0005]

A Model with each head is trained on the first three quarters of each recording (mixed to mono). The likelihood of each
later frame given all previous ones (teacher forcing) is reported in nats per latent coordinate. All use the same
frames: the linear autoregression is fitted on all patch offsets, as the Models are, and its order and ridge are chosen
on the end of the training split. Finished recordings are kept in a .jsonl beside the table.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

from audiogen.audio import Recording, read
from audiogen.experiment import read_experiment
from audiogen.jobs.run_choice import single_recording
from audiogen.representation.mel_latents import MelLatents
from audiogen.representation.recording_features import extract_features
from audiogen.text_files import write_text
from audiogen.training.trainer import train
from tools.sequence_likelihood import LinearAutoregression, one_step_likelihood

SUFFIXES = {".ogg", ".flac", ".wav", ".mp3"}
LINEAR = "linear autoregression"


def compare(path: Path, heads: dict[str, list[str]], budget: float | None) -> dict[str, Any]:
    """Nats per coordinate of the held-out frames under each head and under the linear autoregression."""
    with warnings.catch_warnings(action="ignore"):
        whole = read(path)
    mono = Recording(whole.samples.mean(axis=0, keepdims=True), whole.sample_rate)
    prompt = mono.cut(0, 3 * mono.length // 4)
    found: dict[str, Any] = {"recording": path.stem, "seconds": {}}
    for head, overrides in heads.items():
        started = time.monotonic()
        experiment = single_recording(read_experiment(None, (f"model.head={head}", *overrides)))
        with warnings.catch_warnings(action="ignore"):
            run = train(experiment, prompt, budget=budget)
        representation = run.representation
        assert isinstance(representation, MelLatents)
        frames = extract_features(mono, representation.options.spec).side_by_side(1)
        cut = round(0.75 * len(frames)) // representation.patch * representation.patch
        centre = representation.centre(frames[:cut])
        stop = len(frames) // representation.patch * representation.patch
        latents = representation.encode(frames[:stop], centre)
        later = stop // representation.patch - cut // representation.patch
        nats = one_step_likelihood(run.model, latents[None], later)  # type: ignore[arg-type]
        assert nats is not None, f"head {head} has no density"
        name = experiment.model.options.head.kind
        found[name] = float(nats.mean()) / representation.features
        found["seconds"][name] = round(time.monotonic() - started, 1)
        if LINEAR not in found:
            found[LINEAR] = linear(representation, frames[:cut], centre, latents, later)
            found["frames"] = later
    return found


def linear(
    representation: MelLatents, known: torch.Tensor, centre: torch.Tensor, latents: torch.Tensor, later: int
) -> float:
    """Nats per coordinate of the last ``later`` latents under an autoregression fitted to the previous frames."""
    patch = representation.patch
    sequences = []
    for offset in range(patch):
        part = known[offset:]
        part = part[: len(part) // patch * patch]
        sequences.append(representation.encode(part, centre).double())
    fitted = LinearAutoregression.best(sequences)
    nats = fitted.log_likelihood(latents)
    return float(nats[-later:].mean()) / representation.features


def table(rows: list[dict[str, Any]], heads: list[str]) -> str:
    """Markdown, worst first."""
    rows = sorted(rows, key=lambda row: max(row[head] for head in heads) - row[LINEAR])
    names = [LINEAR, *heads]
    lines = ["| " + " | ".join(["recording", "frames", *names]) + " |", "|" + " --- |" * (len(names) + 2)]
    for row in rows:
        cells = [f"{row[name]:.3f}{'' if name == LINEAR or row[name] > row[LINEAR] else ' *'}" for name in names]
        lines.append("| " + " | ".join([row["recording"], str(row["frames"]), *cells]) + " |")
    won = [f"{head} {np.mean([row[head] > row[LINEAR] for row in rows]):.0%}" for head in heads]
    return "\n".join(
        [
            *lines,
            "",
            "Nats per latent coordinate, mean over the held-out frames (teacher forcing): higher is better. An",
            "asterisk marks what does not beat the linear autoregression.",
            f"It is beaten on: {', '.join(won)} of {len(rows)} recordings.",
            "",
        ]
    )


def main() -> None:
    """Compare and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder of recordings of at least 8 s")
    parser.add_argument("-o", "--output", type=Path, required=True, help="Markdown file to write")
    parser.add_argument(
        "--heads", nargs="+", default=["mixture", "lowrank", "flow"], help="kinds of heads, or {kind: ..., ...}"
    )
    parser.add_argument("--rates", nargs="+", help="learning rate of each head [the configuration's]")
    parser.add_argument("--only", nargs="*", help="stems of the recordings")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="overrides of the experiment")
    parser.add_argument("--budget", type=float, help="time limit of each training in seconds")
    arguments = parser.parse_args()
    rates = (
        [[f"training.learning_rate={rate}"] for rate in arguments.rates]
        if arguments.rates
        else [[] for _ in arguments.heads]
    )
    overrides = {head: [*arguments.set, *rate] for head, rate in zip(arguments.heads, rates, strict=True)}
    store = arguments.output.with_suffix(".jsonl")
    rows = [json.loads(line) for line in store.read_text("utf-8").splitlines()] if store.exists() else []
    for path in sorted(arguments.folder.iterdir()):
        wanted = path.suffix.lower() in SUFFIXES and (arguments.only is None or path.stem in arguments.only)
        if wanted and path.stem not in [row["recording"] for row in rows]:
            rows.append(compare(path, overrides, arguments.budget))
            print(rows[-1], file=sys.stderr, flush=True)
            write_text(store, "".join(json.dumps(row) + "\n" for row in rows))
    named = [" with ".join([head, *rate]) for head, rate in zip(arguments.heads, rates, strict=True)]
    settings = ", ".join([*named, *arguments.set, *([f"budget {arguments.budget:g} s"] if arguments.budget else [])])
    heads = [read_experiment(None, (f"model.head={head}",)).model.options.head.kind for head in arguments.heads]
    head = f"# One-step likelihood of held-out frames\n\nSettings: {settings}.\n\n"
    write_text(arguments.output, head + table(rows, heads))
    print(arguments.output.read_text("utf-8"))


if __name__ == "__main__":
    main()
