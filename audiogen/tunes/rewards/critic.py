"""The reward ``critic:FOLDER``: how likely it is that a tail is from a corpus rather than played by a Model.

A discriminator that `audiogen train midi/critic` has trained (`audiogen.training.tunes.critic_data_module`), in the
spirit of adversarial post-training: a reward that is learned from the corpus and from what the policy plays now
(GAPT; Wu et al. 2025, arXiv 2511.17879).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from audiogen.errors import InputError
from audiogen.experiment import Experiment, dump_yaml, read_experiment
from audiogen.run import CONFIG, METRICS, WEIGHTS, Run
from audiogen.tensors import layout_in, layout_of, read_tensors, require_layout
from audiogen.text_files import dump_json, write_text
from audiogen.tunes.models.critic_network import CriticNetwork, NoteBatch
from audiogen.tunes.models.token_model import TokenModel
from audiogen.tunes.rewards.base import Rule
from audiogen.tunes.rewards.passage import Passage
from audiogen.tunes.rewards.surprise import SURPRISE_SIZE, surprise
from audiogen.tunes.tune import Tune, joined

STEPS = 12  # per quarter note
MAX_STEPS, MAX_INTERVAL, MAX_PARTS = 96, 24, 8
RUN = "run"  # folder, within that of a critic, of the Run whose tails it distinguishes from written ones
MAX_NOTES = 1024  # of prompt and tail: the last ones
SIZES = (2 * MAX_INTERVAL + 2, 2 * MAX_INTERVAL + 1, 2 * MAX_INTERVAL + 1, *3 * (MAX_STEPS + 1,), MAX_PARTS)
"""Number of values of each of the `note_features`."""


def note_features(tail: Tune, prompt: Tune) -> tuple[np.ndarray, np.ndarray]:
    """What the critic sees of the notes of a prompt and its tail; the same in all keys and tempos.

    Returns:
        ``[notes, 7]``, for each note its interval to the last one of its part (the highest value for the first), to
        the note before it, and to the first of all; its duration, the time since the last onset and its position in
        the bar, in `STEPS` per quarter note; and its part. And which notes are the tail's, ``[notes]`` bool. Drums are
        left out.
    """
    whole = joined(prompt, tail)
    notes = whole.melodic_notes[-MAX_NOTES:]
    if not len(notes):
        return np.zeros((0, len(SIZES)), np.int64), np.zeros(0, bool)
    pitch, start = notes["pitch"].astype(np.int64), notes["start"]
    own = np.full(len(notes), 2 * MAX_INTERVAL + 1)
    for part in np.unique(notes["part"]):
        line = np.flatnonzero(notes["part"] == part)
        own[line[1:]] = _interval(np.diff(pitch[line]))
    lines = whole.bar_lines(int(start.max()) + 1)
    position = start - lines[np.searchsorted(lines, start, side="right") - 1]
    times = (notes["end"] - start, np.diff(start, prepend=start[:1]), position)
    steps = [np.rint(STEPS * time / whole.ticks_per_quarter).clip(0, MAX_STEPS).astype(np.int64) for time in times]
    before = np.diff(pitch, prepend=pitch[:1])
    columns = [own, _interval(before), _interval(pitch - pitch[0]), *steps, notes["part"].clip(0, MAX_PARTS - 1)]
    return np.stack(columns, 1).astype(np.int64), start >= prompt.end


def _interval(semitones: np.ndarray) -> np.ndarray:
    return semitones.clip(-MAX_INTERVAL, MAX_INTERVAL) + MAX_INTERVAL


class CriticInput(NamedTuple):
    """What the critic sees of a tail after its prompt: `note_features`, and `surprise` to the Run."""

    notes: np.ndarray
    judged: np.ndarray
    surprise: np.ndarray


def critic_input(run: Run, tail: Tune, prompt: Tune) -> CriticInput:
    """What the critic of a Run sees of a tail after a prompt."""
    return CriticInput(*note_features(tail, prompt), surprise(run, tail, prompt))


def note_batch(passages: Sequence[CriticInput], written: Sequence[bool]) -> NoteBatch:
    """Passages, padded to one length, and whether each is from the corpus."""
    length = max(max(len(passage.notes) for passage in passages), 1)
    table = np.zeros((len(passages), length, len(SIZES)), np.int64)
    judged = np.zeros((len(passages), length), bool)
    for row, passage in enumerate(passages):
        table[row, : len(passage.notes)], judged[row, : len(passage.notes)] = passage.notes, passage.judged
    nats = np.stack([passage.surprise for passage in passages])
    marks = torch.tensor(written, dtype=torch.float32)
    return NoteBatch(torch.from_numpy(table), torch.from_numpy(judged), torch.from_numpy(nats), marks)


@dataclass
class CriticRun:
    """A trained critic, the Experiment that made it, and the Run whose tails it distinguishes from written ones.

    Args:
        experiment: the whole configuration.
        network: in evaluation mode.
        run: to which tails are more or less surprising.
        metrics: plain numbers and strings.
        path: folder that it was opened from or saved to, if any.
    """

    experiment: Experiment
    network: CriticNetwork
    run: Run
    metrics: dict[str, Any] = field(default_factory=dict)
    path: Path | None = None

    def save(self, folder: Path) -> None:
        """Write its files into a folder, each atomically, and the metrics last."""
        from safetensors.torch import save_file

        replace(self.run).save(folder / RUN)  # a copy of it
        part = folder / (WEIGHTS + ".part")
        save_file({name: value.cpu().contiguous() for name, value in self.network.state_dict().items()}, part)
        part.replace(folder / WEIGHTS)
        write_text(folder / CONFIG, dump_yaml(self.experiment))
        write_text(folder / METRICS, dump_json(self.metrics))

    @classmethod
    def open(cls, folder: Path | str) -> CriticRun:
        """Open one, which need not be trusted: nothing in it is executed.

        Raises:
            InputError: it is none, or its weights do not fit its configuration.
        """
        from safetensors import SafetensorError

        folder = Path(folder)
        if not (folder / CONFIG).is_file() or not (folder / WEIGHTS).is_file():
            raise InputError(folder, "it is not a critic", "name a folder that `audiogen train midi/critic` wrote")
        experiment = read_experiment(folder / CONFIG, inside=folder)
        if experiment.training.task != "critic":
            raise InputError(folder, "it contains a Model, not a critic", "train one: audiogen train midi/critic")
        try:
            layout = layout_in(folder / WEIGHTS)
            require_layout(layout, layout_of(lambda: new_critic(experiment)))
            network = new_critic(experiment)
            network.load_state_dict(read_tensors(folder / WEIGHTS, layout))
        except (SafetensorError, RuntimeError, KeyError, ValueError) as error:
            raise InputError(folder, f"its weights do not fit its {CONFIG} ({error})", "train it again") from error
        metrics = json.loads((folder / METRICS).read_text("utf-8")) if (folder / METRICS).is_file() else {}
        run = Run.open(folder / RUN)
        if not isinstance(run.model, TokenModel):
            raise InputError(folder / RUN, "it is no Run of tunes", "train the critic again")
        return cls(experiment, network.eval(), run, metrics, folder)


def new_critic(experiment: Experiment) -> CriticNetwork:
    """An untrained critic with the backbone of an Experiment's model."""
    return CriticNetwork(SIZES, SURPRISE_SIZE, experiment.model.options)


@lru_cache(maxsize=8)
def _opened(folder: str, changed: int) -> CriticRun:
    return CriticRun.open(folder)


class Critic(Rule):
    """The calibrated probability of a `CriticRun` that a tail is from its corpus: 1/2 where it cannot tell.

    It judges the notes of a tail, not their number, and the `Passage.substance` of silence is 0.
    """

    kind = "critic"

    def __init__(self, argument: str = "") -> None:
        super().__init__(argument)
        if not argument:
            raise InputError("reward critic", "its folder is missing", "write critic:FOLDER")
        weights = Path(argument) / WEIGHTS
        self.critic = _opened(argument, weights.stat().st_mtime_ns if weights.is_file() else 0)

    @torch.no_grad()
    def judge(self, passage: Passage) -> float:
        tail = passage.tail
        prompt = passage.prompt if passage.prompt is not None else tail.between(0, 0)
        return float(
            self.critic.network.probabilities(note_batch([critic_input(self.critic.run, tail, prompt)], [True]))
        )
