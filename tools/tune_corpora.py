"""Two corpora of tunes with a trained base each, for the checks of planning and of fine-tuning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from audiogen.data.datasets import folder_of_files
from audiogen.experiment import read_experiment
from audiogen.run import Run
from audiogen.training.trainer import train
from audiogen.tunes.metrics.note_copying import NoteMatchIndex
from audiogen.tunes.midi_representation import Midi
from audiogen.tunes.tokens.tokenizer import Tokenizer
from audiogen.tunes.tune import Tune

CONFIGS = Path(__file__).parents[1] / "configs" / "midi"
CORPORA = {"fiddle": ("oneills_*.mid", "ryan_*.mid"), "chorales": ("bach_*.mid",)}
BASES = {
    "fiddle": ("training.steps=600", "training.split_fractions={validation: 0.15, test: 0.15}"),
    "chorales": ("training.steps=400", "training.split_fractions={validation: 0.2, test: 0.3}"),
}
"""Overrides of ``midi/lstm`` by corpus."""
SHARED = (
    "representation.scheme={kind: events, resolution: 8, velocities: 1, parts: 8}",
    "training={log_media_every: 0, checkpoint_every: 100}",
)
BASE_SECONDS = 1800.0
DRAWS = 4000  # of the bootstrap


@dataclass
class Corpus:
    """A base, and the tunes that it was and was not trained on.

    Args:
        name: key of `CORPORA`.
        folder: of links to its files.
        base: trained Run.
        tunes: quantised, by split and name.
    """

    name: str
    folder: Path
    base: Run
    tunes: dict[str, dict[str, Tune]]

    @property
    def tokenizer(self) -> Tokenizer:
        assert isinstance(self.base.representation, Midi)
        return self.base.representation.tokenizer

    @property
    def held_out(self) -> dict[str, Tune]:
        """Tunes of the test and validation splits, by name."""
        return self.tunes["test"] | self.tunes["validation"]

    @cached_property
    def index(self) -> NoteMatchIndex:
        """Of the training split."""
        return NoteMatchIndex(list(self.tunes["train"].values()))


def prepared(name: str, folder: Path, runs: Path, base: Path | None = None) -> Corpus:
    """A corpus with its base.

    Args:
        name: key of `CORPORA`.
        folder: of MIDI files.
        runs: where links to the files and the base are kept; the base is trained, or its training resumed, if it is
            not complete.
        base: a Run that was trained on them already.
    """
    links = runs / name
    links.mkdir(parents=True, exist_ok=True)
    for pattern in CORPORA[name]:
        for path in folder.glob(pattern):
            if not (links / path.name).exists():
                (links / path.name).symlink_to(path.resolve())
    out = base or runs / f"base-{name}"
    if not (out / "metrics.json").exists():
        experiment = read_experiment(CONFIGS / "lstm.yaml", (*SHARED, *BASES[name]))
        train(experiment, links, out, BASE_SECONDS, resume=out.exists(), device="cpu")
    run = Run.open(out)
    assert isinstance(run.representation, Midi)
    tunes: dict[str, dict[str, Tune]] = {"train": {}, "validation": {}, "test": {}}
    for item in folder_of_files(links):
        tune = item.tune() if item.name in run.metrics["split"] else None
        if tune is not None:
            tunes[run.metrics["split"][item.name]][item.name] = run.representation.tokenizer.quantised(tune)
    return Corpus(name, links, run, tunes)


def interval(values: Sequence[float] | np.ndarray) -> tuple[float, float, float]:
    """Mean and its 95 % interval, by the bootstrap over the values (one for each prompt)."""
    numbers = np.asarray(values, float)
    random = np.random.default_rng(0)
    means = numbers[random.integers(len(numbers), size=(DRAWS, len(numbers)))].mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5]).tolist()
    return float(numbers.mean()), low, high


def named(texts: Sequence[str]) -> dict[str, Path]:
    """``NAME=PATH`` texts -> paths by name."""
    return {text.partition("=")[0]: Path(text.partition("=")[2]) for text in texts}
