"""Data module of fine-tuning: the openings of tunes as prompts, and the reward of what the policy plays after them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from audiogen.data.datasets import DATASETS, guess
from audiogen.errors import InputError
from audiogen.experiment import Experiment
from audiogen.file_names import MIDI_SUFFIXES
from audiogen.models import Model
from audiogen.run import Run
from audiogen.training.data_module import Batch, DataModule
from audiogen.training.tunes.policy_objective import TOTAL, PolicyObjective
from audiogen.training.tunes.rollouts import opening
from audiogen.training.tunes.tune_data_module import MAX_VALIDATION_TUNES, readable
from audiogen.training.tunes.tune_media_logging import continuation, log_tune
from audiogen.tunes.metrics.note_likelihood import likelihood_of
from audiogen.tunes.midi.reader import read_midi
from audiogen.tunes.midi.writer import write_midi
from audiogen.tunes.midi_representation import Midi
from audiogen.tunes.models.token_model import TokenModel
from audiogen.tunes.rewards import WeightedReward, build_reward, weighted_mean
from audiogen.tunes.tune import Tune

if TYPE_CHECKING:
    from audiogen.training.tensorboard import EventWriter

TRAIN, VALIDATION = 0, 1
"""Splits as they stand in a batch."""
MAX_VALIDATION_PROMPTS = 16
MAX_REPORTED_TUNES = 64
TUNES = "tunes"  # folder in the Run, of the tunes that the log plays


class FineTuningDataModule(DataModule):
    """Prompts, each transposed at random by ``augmentation.transposition``, and the objective that continues them.

    Args:
        prompts: of the training split, at least one, and of the validation split.
        held_out: whole tunes of the validation split, to report their likelihood.
        split: name of each tune -> its split.
        experiment: its ``training``, ``augmentation`` and ``fine_tuning``.
        base: Run whose Model is the policy's beginning and the reference.
        reward: of the tails.
    """

    representation: Midi

    def __init__(
        self,
        prompts: tuple[list[Tune], list[Tune]],
        held_out: list[Tune],
        split: dict[str, str],
        experiment: Experiment,
        base: Run,
        reward: WeightedReward,
    ) -> None:
        assert isinstance(base.representation, Midi)
        self.prompts, self.held_out, self.split = prompts, held_out, split
        self.experiment, self.base, self.reward = experiment, base, reward
        self.representation = base.representation

    def batch(self, step: int, size: int) -> Batch:
        """``[size, 4]`` of (step, split, index, semitones); different prompts as long as there are enough."""
        random = np.random.Generator(np.random.PCG64([self.experiment.training.seed, step]))
        count, most = len(self.prompts[TRAIN]), self.experiment.augmentation.transposition
        index = random.choice(count, size, replace=size > count)
        return self._rows(step, TRAIN, index, random.integers(-most, most + 1, size))

    def validation_batch(self) -> Batch | None:
        count = min(len(self.prompts[VALIDATION]), MAX_VALIDATION_PROMPTS)
        return self._rows(0, VALIDATION, np.arange(count), np.zeros(count, np.int64)) if count else None

    def _rows(self, step: int, split: int, index: np.ndarray, semitones: np.ndarray) -> Tensor:
        return torch.from_numpy(np.stack([np.full(len(index), step), np.full(len(index), split), index, semitones], 1))

    def frames(self, batch: Batch, augmented: bool = False) -> Tensor:
        return batch

    def prompt(self, row: Sequence[int]) -> Tune:
        """The prompt of (split, index, semitones), transposed as far as its pitches remain in the range of MIDI."""
        split, index, semitones = row
        tune = self.prompts[split][index]
        lowest, highest = tune.transposition_range()
        return tune.transposed(min(max(semitones, lowest), highest))

    def rewards(self, tail: Tune, prompt: Tune) -> Mapping[str, float]:
        """Each term of the reward of a tail, and their weighted mean."""
        terms = self.reward.given(prompt, self.experiment.fine_tuning.bars).values(tail)
        return {TOTAL: weighted_mean(terms)} | {term.name: term.value for term in terms}

    def initial_model(self, experiment: Experiment, base: Run | None) -> PolicyObjective:
        policy = self.new_model(experiment)
        policy.load_state_dict(self.base.model.state_dict())
        return PolicyObjective(policy, self.representation.tokenizer, self.prompt, self.rewards, experiment.fine_tuning)

    def run(self, experiment: Experiment, model: PolicyObjective, metrics: dict[str, Any]) -> Run:
        return Run(experiment, self.representation, model.policy.eval(), metrics)

    def fingerprint(self) -> str:
        """SHA-256 of the prompts and of the base's weights."""
        digest = hashlib.sha256(weights_digest(self.base.model).encode())
        for tune in (*self.prompts[TRAIN], *self.prompts[VALIDATION]):
            digest.update(self.representation.tokenizer.encode(tune).tobytes())
        return digest.hexdigest()

    def log_media(self, model: PolicyObjective, batch: Batch, writer: EventWriter, step: int) -> None:
        prompt = self.prompt(batch[0, 1:].tolist())
        tokenizer, bars = self.representation.tokenizer, self.experiment.fine_tuning.bars
        seed = self.experiment.training.seed
        folder = Path(writer.log_dir).parent / TUNES
        for name, policy in {"continued": model.policy, "base": model.reference}.items():
            tune = continuation(policy, tokenizer, prompt, seed, bars)
            log_tune(writer, step, name, tune)
            folder.mkdir(exist_ok=True)
            write_midi(folder / f"{step:06d}-{name}.mid", tune)

    def report(self, model: Any) -> dict[str, Any]:
        """What the Run came from, and what the fine-tuning cost in likelihood of real tunes."""
        found: dict[str, Any] = {
            "base": {"run": self.experiment.fine_tuning.base, "weights_sha256": weights_digest(self.base.model)},
            "reward": self.reward.name,
            "kl_weight": float(model.kl_weight),
        }
        if self.held_out:
            tunes, tokenizer = self.held_out[:MAX_REPORTED_TUNES], self.representation.tokenizer
            found["held_out_nats_per_note"] = {
                name: round(likelihood_of(policy, tokenizer, tunes).per_note, 4)
                for name, policy in {"base": model.reference, "fine_tuned": model.policy}.items()
            }
        return found


def weights_digest(model: Model) -> str:
    """SHA-256 of a Model's weights."""
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def fine_tuning_data_module(experiment: Experiment, data: object, folder: Path | None, base: Run | None) -> DataModule:
    """The data module of tunes: their openings are prompts in the split of the base, so that nothing is leaked.

    Args:
        experiment: what to train and how.
        data: folder, data set or file of the tunes that the base was trained on, or a Tune.
        folder: of the Run; unused.
        base: Run to fine-tune.

    Raises:
        InputError: no base, or one that is no token Model with gradients; no reward; data of another type, or without
            tunes that the base was trained on.
    """
    options, training = experiment.fine_tuning, experiment.training
    if base is None:
        raise InputError("training.task", "fine-tuning begins with a trained Run", "name it: --run RUN")
    if not isinstance(base.model, TokenModel):
        cure = "name a Run of midi/lstm or another network"
        raise InputError(base.path or "--run", f"a {base.experiment.model.kind} Model cannot be fine-tuned", cure)
    for key in ("validate_every", "checkpoint_every"):
        if getattr(training, key) % options.rollout_steps:
            cause = f"it is no multiple of fine_tuning.rollout_steps ({options.rollout_steps})"
            raise InputError(f"training.{key}", cause, "tails would be used after a checkpoint that lacks them")
    if not options.reward:
        cause = "there is none, and nothing to learn"
        raise InputError("fine_tuning.reward", cause, "for example fine_tuning.reward=[key]")
    reward = build_reward(list(options.reward))
    if isinstance(data, Path) and data.suffix.lower() in MIDI_SUFFIXES:
        data = read_midi(data)
    if isinstance(data, Tune):
        tunes, split = {"train": [data]}, {"tune": "train"}
    elif isinstance(data, Path):
        tunes, split = tunes_by_split(data, experiment, base)
    else:
        raise InputError("training data", "a midi Model is trained on tunes", "give a Tune or a folder of MIDI files")
    quantised = base.representation.tokenizer.quantised  # type: ignore[attr-defined]
    openings = [
        [prompt for tune in tunes.get(name, []) if (prompt := opening(quantised(tune), options.prompt_bars))]
        for name in ("train", "validation")
    ]
    if not openings[TRAIN]:
        cause = f"no tune is longer than {options.prompt_bars} bars"
        raise InputError("training data", cause, "lower fine_tuning.prompt_bars")
    held_out = tunes.get("validation", [])[:MAX_VALIDATION_TUNES]
    return FineTuningDataModule((openings[0], openings[1]), held_out, split, experiment, base, reward)


def tunes_by_split(path: Path, experiment: Experiment, base: Run) -> tuple[dict[str, list[Tune]], dict[str, str]]:
    """The tunes of a folder by the split that the base was trained with."""
    training = experiment.training
    known = base.metrics.get("split", {})
    items = DATASETS[guess(path)](path, training.split_fractions, training.seed)
    items = [replace(item, split=known[item.name]) for item in items if item.name in known]
    tunes: dict[str, list[Tune]] = {}
    split: dict[str, str] = {}
    for item, tune in readable(items):
        tunes.setdefault(item.split, []).append(tune)
        split[item.name] = item.split
    if "train" not in tunes:
        cause = f"none of its tunes is in the training split of {base.path or 'the base'}"
        raise InputError(path, cause, "give the folder that it was trained on")
    return tunes, split
