"""TensorBoard audio and piano rolls of a tune training: a tune, and its continuation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from audiogen.models import Sampling
from audiogen.tunes.models.token_model import TokenModel
from audiogen.tunes.rendering import render
from audiogen.tunes.tokens.tokenizer import Tokenizer
from audiogen.tunes.tune import Tune, joined
from audiogen.tunes.tune_continuation import TuneContinuer

if TYPE_CHECKING:
    from audiogen.training.tensorboard import EventWriter

BARS = 4  # of the prompt, and of its continuation
PIXELS_PER_QUARTER = 12
MIN_PITCH, MAX_PITCH = 21, 108  # the piano's keys
MAX_SECONDS = 60.0


def log_media(
    writer: EventWriter, step: int, model: TokenModel, tokenizer: Tokenizer, tokens: torch.Tensor, seed: int
) -> None:
    """Write ``real`` and ``continued`` versions of the tune in the first row of a batch of tokens.

    Args:
        writer: of the training's events.
        step: optimiser steps taken.
        model: in evaluation mode.
        tokenizer: of the tokens.
        tokens: ``[batch, time]``, padded with negative numbers.
        seed: of the continuation.
    """
    row = tokens[0]
    real = tokenizer.decode(row[row >= 0].tolist())
    lines = real.bar_lines()
    prompt = real.between(0, int(lines[BARS]) if len(lines) > BARS else real.end)
    if not len(prompt.notes):
        return
    log_tune(writer, step, "real", real)
    log_tune(writer, step, "continued", continuation(model, tokenizer, prompt, seed))


def log_tune(writer: EventWriter, step: int, name: str, tune: Tune) -> None:
    """Write the piano roll and the sound of a tune, at most `MAX_SECONDS` of it."""
    excerpt = tune.between(0, int(tune.ticks_at(MAX_SECONDS)))
    writer.add_image(f"piano_roll/{name}", piano_roll(excerpt), step)
    sound = render(excerpt)
    writer.add_audio(f"audio/{name}", torch.from_numpy(sound.samples.mean(axis=0)), step, sound.sample_rate)


def continuation(model: TokenModel, tokenizer: Tokenizer, prompt: Tune, seed: int, bars: int = BARS) -> Tune:
    """A tune and ``bars`` more bars of it, computed on the CPU."""
    device = next(model.parameters()).device
    sampling = Sampling(generator=torch.Generator().manual_seed(seed))
    try:
        tail = TuneContinuer(model.cpu(), tokenizer, prompt).tail(sampling, bars=bars)
    finally:
        model.to(device)
    return joined(prompt, tail)


def piano_roll(tune: Tune) -> np.ndarray:
    """``[3, key, time]`` image in 0..1 of the piano's range, low notes at the bottom, loud ones brighter."""
    scale = PIXELS_PER_QUARTER / tune.ticks_per_quarter
    roll = np.zeros((MAX_PITCH - MIN_PITCH + 1, max(round(tune.end * scale), 1)), np.float32)
    for start, end, pitch, velocity in zip(
        *(tune.notes[name].tolist() for name in ("start", "end", "pitch", "velocity")), strict=True
    ):
        if MIN_PITCH <= pitch <= MAX_PITCH:
            first = round(start * scale)
            roll[MAX_PITCH - pitch, first : max(round(end * scale), first + 1)] = 0.3 + 0.7 * velocity / 127
    return np.broadcast_to(roll, (3, *roll.shape))
