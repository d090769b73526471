"""What is trained and how: the Experiment, its YAML files and overrides."""

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
    Seed,
    Steps,
    Width,
)
from audiogen.config.schema import build, merge, override_tree, read_tree, to_tree
from audiogen.data.recordings import SplitFractions
from audiogen.models import MODELS
from audiogen.representation import REPRESENTATIONS
from audiogen.vocoders.registry import VOCODERS


@dataclass(frozen=True)
class Augmentation:
    """What is done to training windows; 0 switches each off. Time shift: windows start at any frame.

    The first five concern sound, the last two tunes.

    Args:
        gain: standard deviation of a level shift of the whole window, dB.
        tilt: standard deviation of a spectral tilt over the whole band, dB.
        frequency_mask: widest stretch of bands held at their mean over the window, as a share of all bands
            (SpecAugment).
        time_mask: longest stretch of frames replaced by the window's mean frame, as a share of it
            (SpecAugment).
        mixing: share of windows to which another recording's is added, in power.
        transposition: farthest transposition of a tune each way, semitones.
        tempo: largest relative change of a tune's tempo each way.
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
    """How a Model is trained, or a vocoder.

    Args:
        steps: most optimiser steps.
        schedule_steps: steps over which the schedule runs out; None for ``steps``. A training stopped by a
            wall-clock budget is repeated exactly by the ``steps`` and ``schedule_steps`` that it reports.
        batch_size: windows a step.
        window: length of a window: seconds of sound, or tokens of a tune.
        optimizer: "adamw", "adam", "rmsprop" or "sgd" (with Nesterov momentum 0.9).
        learning_rate: peak rate.
        weight_decay: decoupled for adamw, an L2 penalty for the others.
        schedule: after the warm-up, "cosine" to 2 % of the peak, "step" (a tenth at each third), "plateau"
            (halved when validation stalls) or "constant".
        warmup: steps of linear rise.
        gradient_clip: largest gradient norm; 0 for no clipping.
        ema_decay: decay of the exponential moving average of the weights that is kept; 0 keeps the last
            weights.
        validate_every: steps between validations.
        patience: validations without improvement before the training stops; 0 never stops early.
        checkpoint_every: steps between checkpoints, for trainings with a Run folder; taken at the next
            validation.
        log_media_every: steps between audio and pictures in TensorBoard; 0 for none.
        precision: "32", "bf16" or "16"; mixed precision on CUDA.
        compile: compile the model with torch.compile on CUDA.
        split_fractions: of the recordings (or of one recording's time) that validate and test.
        seed: of weights, windows and noise.
        task: what is trained: the experiment's "model" or its "vocoder" (see `VocoderTraining`).
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
    task: Literal["model", "vocoder"] = "model"


@dataclass(frozen=True)
class VocoderTraining:
    """What a vocoder's training begins with, what it renders, and the weights of its losses; 0 leaves one out.

    Args:
        init_from: weights to go on from: a file or the Run of a training, "shipped", or "" for none.
        frames_from: a trained Run: the frames that its Model predicts, one step at a time, are rendered instead of the
            true ones; "" for the true ones. For a single recording.
        spectral_weight: multi-resolution STFT distance of the rendered sound.
        mel_weight: mean distance of its log-mel frames.
        adversarial_weight: what the discriminators doubt of it.
        features_weight: its distance in what the discriminators hear.
        discriminator_channels: channels of the discriminators' first layers.
    """

    init_from: str = ""
    frames_from: str = ""
    spectral_weight: NonNegativeFloat = 1.0
    mel_weight: NonNegativeFloat = 1.0
    adversarial_weight: NonNegativeFloat = 0.1
    features_weight: NonNegativeFloat = 0.1
    discriminator_channels: Layers = 8


def predicted_frames_vocoder() -> Choice:
    """The source vocoder with one iteration: what follows a prompt is made of the source's own frames, found as they
    are, and only where patches meet is there anything to mend; other frames, which `audiogen vocode` renders, gain by
    more."""
    return Choice("source", VOCODERS["source"].Options(iterations=1))


@dataclass(frozen=True)
class Experiment:
    """One YAML file: what is heard, what predicts, what renders, and how it is trained."""

    representation: Choice = choice(REPRESENTATIONS, "mel")
    model: Choice = choice(MODELS, "sequence")
    vocoder: Choice = field(default_factory=predicted_frames_vocoder, metadata={"table": VOCODERS})
    training: Training = field(default_factory=Training)
    augmentation: Augmentation = field(default_factory=Augmentation)
    vocoder_training: VocoderTraining = field(default_factory=VocoderTraining)

    def __post_init__(self) -> None:
        made, read = REPRESENTATIONS[self.representation.kind].tokens, MODELS[self.model.kind].tokens
        if made != read:
            fitting = [kind for kind, model in MODELS.items() if model.tokens == made]
            raise ValueError(
                f"the model {self.model.kind} does not read what the representation {self.representation.kind} makes"
                f"; choose model.kind from {', '.join(fitting)}"
            )


def read_experiment(
    path: Path | None = None, overrides: tuple[str, ...] = (), inside: Path | None = None
) -> Experiment:
    """The experiment of a YAML file (None: the defaults) with ``key.key=value`` overrides.

    A file may name another with ``base:``, relative to itself, and then says only what differs.

    Args:
        path: the YAML file.
        overrides: values that take the place of the file's.
        inside: folder that the file and its bases must lie in; None for anywhere.

    Raises:
        InputError: an unreadable file, an unknown key or kind (the message lists the choices), a wrong value.
    """
    tree = to_tree(Experiment())
    if path is not None:
        merge(tree, read_tree(path, inside=inside))
    for override in overrides:
        merge(tree, override_tree(override))
    return build(Experiment, tree, str(path) if path is not None else "configuration")


def checked(experiment: Experiment) -> Experiment:
    """The experiment, once all its values are known to lie within their ranges.

    Raises:
        InputError: one does not; files are checked as they are read, an Experiment made in Python is not.
    """
    return build(Experiment, to_tree(experiment), "experiment")


def dump_yaml(experiment: Experiment) -> str:
    """The experiment as YAML, every key written out."""
    return yaml.safe_dump(to_tree(experiment), sort_keys=False, allow_unicode=True)
