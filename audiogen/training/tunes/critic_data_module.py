"""Data module of the critic: bars of tunes as they were written, as a Run plays on instead, and as nobody would.

Degenerate passages (random pitches, one pitch, few notes, the same notes in another order) stand beside the Run's
tails, so that a policy that is rewarded by the critic gains nothing by leaving for what the critic has never seen.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from audiogen.errors import InputError
from audiogen.experiment import Experiment
from audiogen.models import Sampling
from audiogen.run import Run
from audiogen.training.data_module import Batch, DataModule
from audiogen.training.tunes.fine_tuning_data_module import tunes_by_split, weights_digest
from audiogen.training.tunes.rollouts import sample_rollouts
from audiogen.tunes.metrics.detection import detection_auc
from audiogen.tunes.models.critic_network import CriticNetwork, NoteBatch
from audiogen.tunes.models.token_model import TokenModel
from audiogen.tunes.rewards.critic import CriticInput, CriticRun, critic_input, new_critic, note_batch
from audiogen.tunes.tune import Tune, tidy

if TYPE_CHECKING:
    from audiogen.training.tensorboard import EventWriter

MAX_WINDOWS = 3  # of a tune
MAX_TUNES = 300  # of each split, whose continuations are sampled
ROLLOUTS = 64  # tails sampled in one batch
SPLITS = ("train", "validation", "test")
DEGENERATE = 0.25  # fraction of the passages that are not from the corpus
MIN_PASSAGES = 2  # of each kind in a split


@dataclass(frozen=True)
class Passages:
    """Passages of one split: what was written after some prompts, what the Run plays, and degenerate tails."""

    written: list[CriticInput]
    played: list[CriticInput]
    degenerate: list[CriticInput]

    @property
    def are_enough(self) -> bool:
        """Whether there are `MIN_PASSAGES` of each kind."""
        return min(len(self.written), len(self.played), len(self.degenerate)) >= MIN_PASSAGES

    def choose(self, random: np.random.Generator, count: int) -> NoteBatch:
        """``count`` random passages, half of them written; of the rest, `DEGENERATE` are."""
        real = [self.written[index] for index in random.integers(len(self.written), size=count // 2)]
        rest = count - len(real)
        kinds = np.where(random.random(rest) < DEGENERATE, 1, 0).tolist()
        pools = (self.played, self.degenerate)
        fake = [pools[kind][int(random.integers(len(pools[kind])))] for kind in kinds]
        return note_batch([*real, *fake], [True] * len(real) + [False] * rest)

    def weighted(self) -> tuple[NoteBatch, Tensor]:
        """All passages, and their importance, such that kinds count as often as in `choose`."""
        kinds = (self.written, self.played, self.degenerate)
        shares = (0.5, 0.5 * (1 - DEGENERATE), 0.5 * DEGENERATE)
        importance = [torch.full((len(kind),), share / len(kind)) for kind, share in zip(kinds, shares, strict=True)]
        marks = [True] * len(self.written) + [False] * (len(self.played) + len(self.degenerate))
        return note_batch([passage for kind in kinds for passage in kind], marks), torch.cat(importance)


class CriticDataModule(DataModule):
    """Passages of the training and validation splits; nothing is augmented, since the features are relative.

    Args:
        passages: of the training split, and of the validation and the test split or None.
        split: name of each tune -> its split.
        experiment: its ``model`` and ``training``.
        base: Run that plays.
    """

    def __init__(
        self,
        passages: tuple[Passages, Passages | None, Passages | None],
        split: dict[str, str],
        experiment: Experiment,
        base: Run,
    ) -> None:
        self.passages, self.split, self.experiment, self.base = passages, split, experiment, base
        self.representation = base.representation

    def batch(self, step: int, size: int) -> Batch:
        return tuple(self.passages[0].choose(np.random.Generator(np.random.PCG64([self._seed, step])), size))

    def validation_batch(self) -> Batch | None:
        held_out = self.passages[1]
        if held_out is None:
            return None
        count = (len(held_out.written) + len(held_out.played)) // 2 * 2
        return tuple(held_out.choose(np.random.Generator(np.random.PCG64([self._seed, 2**32])), count))

    @property
    def _seed(self) -> int:
        return self.experiment.training.seed

    def frames(self, batch: Batch, augmented: bool = False) -> NoteBatch:
        return NoteBatch(*batch)

    def initial_model(self, experiment: Experiment, base: Run | None) -> CriticNetwork:
        return new_critic(experiment)

    def run(self, experiment: Experiment, model: CriticNetwork, metrics: dict[str, Any]) -> CriticRun:
        """The critic, calibrated on the validation split, and how well it distinguishes the Run's tails from written
        ones in the test split, which has decided nothing."""
        validation, test = self.passages[1:]
        metrics = metrics | {"calibrated": validation is not None}
        if validation is not None:
            model.calibrate(*validation.weighted())
        if test is not None:
            metrics = metrics | _judged(model, test)
        return CriticRun(experiment, model, self.base, metrics)

    def fingerprint(self) -> str:
        digest = hashlib.sha256(weights_digest(self.base.model).encode())
        for passage in self.passages[0].written:
            digest.update(passage.notes.tobytes())
        return digest.hexdigest()

    def log_media(self, model: Any, batch: Batch, writer: EventWriter, step: int) -> None:
        """Nothing: a critic plays no tunes."""


@torch.no_grad()
def _judged(model: CriticNetwork, passages: Passages) -> dict[str, Any]:
    """Areas under the ROC curve, and mean probabilities, of the passages of a split."""
    kinds = {"written": passages.written, "played": passages.played, "degenerate": passages.degenerate}
    batches = {kind: note_batch(own, [kind == "written"] * len(own)) for kind, own in kinds.items()}
    scores = {kind: model.scores(batch).numpy() for kind, batch in batches.items()}
    return {
        "auc": round(detection_auc(scores["written"], scores["played"]), 4),
        "auc_degenerate": round(detection_auc(scores["written"], scores["degenerate"]), 4),
        "mean_probability": {
            kind: round(float(model.probabilities(batch).mean()), 4) for kind, batch in batches.items()
        },
    }


def critic_data_module(experiment: Experiment, data: object, folder: Path | None, base: Run | None) -> DataModule:
    """The data module of a folder of tunes, in the split of the Run that the critic is to tell from them.

    Args:
        experiment: what to train and how; the lengths of prompts and tails are those of ``fine_tuning``.
        data: folder or data set of the tunes that the Run was trained on.
        folder: of the Run; unused.
        base: Run whose tails are told from the corpus.

    Raises:
        InputError: no Run, or data without tunes of its training split that are long enough.
    """
    if base is None or not isinstance(base.model, TokenModel):
        raise InputError("training.task", "a critic needs a Run of tunes that it listens to", "name it: --run RUN")
    if not isinstance(data, Path):
        raise InputError("training data", "a critic is trained on a folder of tunes", "name a folder of MIDI files")
    tunes, split = tunes_by_split(data, experiment, base)
    random = np.random.Generator(np.random.PCG64([experiment.training.seed, 2**33]))
    made = [_passages(tunes.get(name, []), experiment, base, random) for name in SPLITS]
    if len(made[0].written) < MIN_PASSAGES:
        options = experiment.fine_tuning
        cause = f"fewer than {MIN_PASSAGES} of its tunes have {options.prompt_bars + options.bars} bars"
        raise InputError(data, cause, "lower fine_tuning.prompt_bars and fine_tuning.bars")
    if not made[0].are_enough:
        cause = f"fewer than {MIN_PASSAGES} of the tails that it plays have notes"
        raise InputError(base.path or "--run", cause, "name a Run that was trained for longer")
    validation, test = (each if each.are_enough else None for each in made[1:])
    return CriticDataModule((made[0], validation, test), split, experiment, base)


def _passages(tunes: Sequence[Tune], experiment: Experiment, base: Run, random: np.random.Generator) -> Passages:
    """Written, played and degenerate tails after windows of some tunes."""
    options, tokenizer = experiment.fine_tuning, base.representation.tokenizer  # type: ignore[attr-defined]
    assert isinstance(base.model, TokenModel)
    windows = [
        window
        for tune in tunes[:MAX_TUNES]
        for window in _windows(tokenizer.quantised(tune), options.prompt_bars, options.bars)
    ]
    sampling = Sampling(generator=torch.Generator().manual_seed(int(random.integers(2**31))))
    played: list[CriticInput] = []
    for first in range(0, len(windows), ROLLOUTS):
        prompts = [prompt for prompt, _ in windows[first : first + ROLLOUTS]]
        made = sample_rollouts(base.model, tokenizer, prompts, options.bars, 1, sampling, options.max_tokens)
        played += [critic_input(base, tail, prompt) for tail, prompt in zip(made.tails, made.prompts, strict=True)]
    written = [critic_input(base, tail, prompt) for prompt, tail in windows]
    degenerate = [critic_input(base, _spoiled(tail, random), prompt) for prompt, tail in windows]
    return Passages(*([each for each in group if each.judged.any()] for group in (written, played, degenerate)))


def _windows(tune: Tune, prompt_bars: int, bars: int) -> list[tuple[Tune, Tune]]:
    """Prompts and what follows them, from the first bar and from multiples of their length on; few of a long tune."""
    lines = tune.bar_lines()
    found = []
    first = int(np.searchsorted(lines, int(tune.notes["start"].min()), side="right")) - 1
    for begin in range(first, len(lines) - prompt_bars - bars, prompt_bars + bars)[:MAX_WINDOWS]:
        start, join, stop = (int(lines[begin + count]) for count in (0, prompt_bars, prompt_bars + bars))
        prompt, tail = tune.between(start, join), tune.between(join, stop)
        if len(prompt.melodic_notes) and len(tail.melodic_notes) and begin == first:
            found.append((prompt, tail))
        elif len(prompt.melodic_notes) and len(tail.melodic_notes):
            found.append((prompt.shifted(-start), tail.shifted(-start)))
    return found


def _spoiled(tail: Tune, random: np.random.Generator) -> Tune:
    """A tail as no person would write it: random pitches, one pitch, few notes, or pitches in random order."""
    notes = tail.notes.copy()
    pitches = notes["pitch"]
    kind = int(random.integers(4))
    if kind == 0:
        notes["pitch"] = random.integers(int(pitches.min()), int(pitches.max()) + 13, len(notes))
    elif kind == 1:
        notes["pitch"] = random.choice(pitches)
    elif kind == 2:
        notes = notes[np.sort(random.choice(len(notes), max(len(notes) // 8, 1), replace=False))]
    else:
        notes["pitch"] = random.permutation(pitches)
    return replace(tail, notes=tidy(notes))
