"""The Experiment: everything that can be configured, its defaults, and its YAML files."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import yaml

from audiogen.config.choice import Choice, choice
from audiogen.config.option_types import (
    Fraction,
    FractionBelowOne,
    Layers,
    NonNegativeFloat,
    NonNegativeInt,
    NonNegativeSteps,
    PositiveFloat,
    PositiveInt,
    Seed,
    Steps,
    Width,
)
from audiogen.config.schema import build, build_overridden, to_tree
from audiogen.config.trees import merge, read_tree
from audiogen.data.recordings import SplitFractions
from audiogen.models import MODELS
from audiogen.representation import REPRESENTATIONS
from audiogen.vocoders.registry import VOCODERS


@dataclass(frozen=True)
class Augmentation:
    """Random changes of training windows; 0 switches each off.

    Windows start at any frame, so there is no time shift to configure. The first five options concern recordings, the
    last two concern tunes.

    Args:
        gain: standard deviation of a gain of the whole window, in dB.
        tilt: standard deviation of a spectral tilt from the lowest to the highest band, in dB.
        frequency_mask: maximum width of a mask over adjacent bands, as a fraction of all bands, 0..1 (SpecAugment;
            Park et al. 2019). Masked values are replaced by the band's mean over the window.
        time_mask: maximum width of a mask over adjacent frames, as a fraction of the window, 0..1 (SpecAugment).
        mixing: probability that another window of the batch is added in power, 0..1 (between-class learning;
            Tokozume et al. 2018).
        transposition: maximum transposition of a tune up or down, in semitones.
        tempo: maximum relative change of a tune's tempo up or down, 0..1.
    """

    gain: NonNegativeFloat = 1.0
    tilt: NonNegativeFloat = 0.0
    frequency_mask: Fraction = 0.0
    time_mask: Fraction = 0.0
    mixing: Fraction = 0.0
    transposition: NonNegativeInt = 6
    tempo: Fraction = 0.1


@dataclass(frozen=True)
class Training:
    """How a Model or a vocoder is trained.

    Args:
        steps: maximum number of optimiser steps.
        schedule_steps: step at which the learning-rate schedule ends; null for ``steps``. A training that a wall-clock
            budget stopped is reproduced by the ``steps`` and ``schedule_steps`` that it reports.
        batch_size: windows per step.
        window: length of a training window: seconds of a recording, or tokens of a tune.
        optimizer: "adamw", "adam", "rmsprop" or "sgd" (with Nesterov momentum 0.9).
        learning_rate: peak learning rate.
        weight_decay: decoupled weight decay for adamw, an L2 penalty for the others.
        schedule: learning rate after the warm-up: "cosine" (to 2 % of the peak), "step" (a tenth after each third),
            "plateau" (halved when the validation loss stalls) or "constant".
        warmup: steps of linear warm-up.
        gradient_clip: maximum norm of the gradient; 0 for no clipping.
        ema_decay: decay per step of the exponential moving average of the weights, 0..1, which is validated and kept;
            0 keeps the weights themselves.
        validate_every: steps from one validation to the next.
        patience: validations without improvement before early stopping; 0 for no early stopping.
        checkpoint_every: steps from one checkpoint to the next, for trainings with a Run folder; each is written after
            the next validation. Where these steps take longer than 20 s, a validation writes one after that time, too.
        log_media_every: steps from one set of TensorBoard audio and images to the next; 0 for none.
        precision: "32", or mixed precision on CUDA: "bf16" or "16".
        compile: compile the loss with `torch.compile` on CUDA.
        split_fractions: fractions of the recordings (or of the only recording's time) for validation and test.
        seed: of the initial weights, the windows and the noise.
        task: what is trained: the experiment's "model" or its "vocoder" (see `VocoderTraining`); or "fine_tune", a
            trained token Model towards a reward (see `FineTuning`); or "critic", which tells a Run's tails from tunes.
    """

    steps: Steps = 400
    schedule_steps: Steps | None = None
    batch_size: Width = 16
    window: PositiveFloat = 3.0
    optimizer: Literal["adamw", "adam", "rmsprop", "sgd"] = "adamw"
    learning_rate: PositiveFloat = 2e-3
    weight_decay: NonNegativeFloat = 0.01
    schedule: Literal["cosine", "step", "plateau", "constant"] = "cosine"
    warmup: NonNegativeSteps = 20
    gradient_clip: NonNegativeFloat = 1.0
    ema_decay: FractionBelowOne = 0.98
    validate_every: Steps = 25
    patience: NonNegativeSteps = 3
    checkpoint_every: Steps = 200
    log_media_every: NonNegativeSteps = 200
    precision: Literal["32", "bf16", "16"] = "32"
    compile: bool = False
    split_fractions: SplitFractions = field(default_factory=SplitFractions)
    seed: Seed = 0
    task: Literal["model", "vocoder", "fine_tune", "critic"] = "model"


@dataclass(frozen=True)
class VocoderTraining:
    """How a vocoder is trained: initial weights, frames to render, and weights of its losses (0 leaves one out).

    Args:
        init_from: initial weights: a file or the folder of a vocoder's Run, "shipped", or "" for random ones.
        frames_from: folder of a Run whose one-step predictions are rendered instead of the true frames; "" for the
            true ones. For a single recording.
        spectral_weight: of the multi-resolution STFT loss.
        mel_weight: of the mean absolute difference of log-mel frames.
        adversarial_weight: of the adversarial loss; 0 trains without discriminators.
        features_weight: of the feature-matching loss of the discriminators.
        discriminator_channels: channels of the discriminators' first layers.
    """

    init_from: str = ""
    frames_from: str = ""
    spectral_weight: NonNegativeFloat = 1.0
    mel_weight: NonNegativeFloat = 1.0
    adversarial_weight: NonNegativeFloat = 0.1
    features_weight: NonNegativeFloat = 0.1
    discriminator_channels: Layers = 8


@dataclass(frozen=True)
class FineTuning:
    """How a trained token Model is fine-tuned towards a reward, with ``training.task: fine_tune``.

    A batch is ``training.batch_size`` prompts, the openings of training tunes.

    Args:
        base: the Run that the training begins with, as it was named; recorded by the training.
        reward: terms of the reward (`audiogen.tunes.rewards`), each with its weight if that is not 1, such as [key,
            "range:..B5=2"].
        algorithm: "rloo" or "grpo", policy gradients, or "dpo", preferences
            (see `audiogen.training.tunes.policy_objective`).
        prompt_bars: length of the prompts.
        bars: length of the tails.
        group: tails sampled after each prompt, at least 2.
        rollout_steps: optimiser steps from one set of tails to the next; "training.validate_every" and
            "training.checkpoint_every" must be multiples of it.
        max_tokens: limit of a tail.
        kl_weight: initial weight of the KL divergence from the base, in rewards per nat; for dpo, its constant weight;
            0 for none.
        kl_target: divergence that the weight is adapted to, in nats per token; 0 keeps the weight.
        clip: largest change of a token's probability that is rewarded, relative to the policy that sampled it.
        positive_weight: dpo's penalty per nat by which preferred tails become less likely than under the base.
        entropy_floor: fraction of the base's entropy per token below which the weight of the divergence grows.
        diversity_floor: the same for the fraction of distinct n-grams of notes. Validations below a floor, or at more
            than twice ``kl_target``, count as worse than all others.
    """

    base: str = ""
    reward: tuple[str, ...] = ()
    algorithm: Literal["rloo", "grpo", "dpo"] = "rloo"
    prompt_bars: Layers = 4
    bars: Layers = 8
    group: Layers = 8
    rollout_steps: Layers = 1
    max_tokens: PositiveInt = 1024
    kl_weight: NonNegativeFloat = 0.01
    kl_target: NonNegativeFloat = 0.1
    clip: PositiveFloat = 0.2
    positive_weight: NonNegativeFloat = 0.0
    entropy_floor: Fraction = 0.6
    diversity_floor: Fraction = 0.85

    def __post_init__(self) -> None:
        if self.group < 2:
            raise ValueError("group must be at least 2: tails are compared with each other")


def default_vocoder() -> Choice:
    """The source vocoder with one iteration, for continuations.

    A continuation consists of the source's own frames, so only the seams between patches need phases. Frames that come
    from elsewhere, as in `audiogen vocode`, gain from more iterations.
    """
    return Choice("source", VOCODERS["source"].Options(iterations=1))


@dataclass(frozen=True)
class Experiment:
    """A whole configuration, as one YAML file holds it.

    Args:
        representation: analysis of recordings or tunes into the Model's frames.
        model: what predicts them.
        vocoder: what renders mel frames to samples.
        predictor: what chooses how a recording goes on: the "model", or the "contexts" of the recording itself
            (`audiogen.sound.context_predictor`), for which the Representation alone is needed. The base that ships says
            "contexts". Several Runs that predict together, and raw tails, use their Models whatever it says.
        training: how the Model or the vocoder is trained.
        augmentation: random changes of the training windows.
        vocoder_training: how the vocoder is trained, with ``training.task: vocoder``.
        fine_tuning: how a token Model is fine-tuned, with ``training.task: fine_tune``.

    Raises:
        ValueError: the Model does not read the frames of the Representation, or contexts are to predict a tune.
    """

    representation: Choice = choice(REPRESENTATIONS, "mel")
    model: Choice = choice(MODELS, "sequence")
    vocoder: Choice = field(default_factory=default_vocoder, metadata={"table": VOCODERS})
    predictor: Literal["model", "contexts"] = "model"
    training: Training = field(default_factory=Training)
    augmentation: Augmentation = field(default_factory=Augmentation)
    vocoder_training: VocoderTraining = field(default_factory=VocoderTraining)
    fine_tuning: FineTuning = field(default_factory=FineTuning)

    def __post_init__(self) -> None:
        tokens = REPRESENTATIONS[self.representation.kind].tokens
        if tokens != MODELS[self.model.kind].tokens:
            kinds = [kind for kind, model in MODELS.items() if model.tokens == tokens]
            raise ValueError(
                f"the model {self.model.kind} does not read the frames of the representation "
                f"{self.representation.kind}; choose model.kind from {', '.join(kinds)}"
            )
        if tokens and self.predictor == "contexts":
            raise ValueError("contexts predict recordings, not tunes; write predictor: model")


def read_experiment(
    path: Path | None = None, overrides: tuple[str, ...] = (), inside: Path | None = None
) -> Experiment:
    """Read an Experiment from a YAML file and ``key.key=value`` overrides.

    A file may name another one with ``base:``, relative to itself or by its name if it ships (``mel/lstm-flow``), and
    then holds only the differences.

    Args:
        path: YAML file; None for the defaults.
        overrides: values that replace those of the file.
        inside: folder that the file and its bases must lie in; None for any.

    Raises:
        InputError: an unreadable file, an unknown key or kind (the message lists the choices), or a value of the wrong
            type or out of range.
    """
    tree = to_tree(Experiment())
    if path is not None:
        merge(tree, read_tree(path, inside=inside))
    return build_overridden(Experiment, tree, overrides, str(path) if path is not None else "configuration")


def checked(experiment: Experiment) -> Experiment:
    """Validate an Experiment that was made in Python; files are validated as they are read.

    Raises:
        InputError: a value of the wrong type or out of range.
    """
    return build(Experiment, to_tree(experiment), "experiment")


def dump_yaml(experiment: Experiment) -> str:
    """The experiment as YAML, with every key."""
    return yaml.safe_dump(to_tree(experiment), sort_keys=False, allow_unicode=True)
