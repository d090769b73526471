"""What a training on tunes looks and sounds like, in TensorBoard: a real one, and the same continued."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytorch_lightning as lightning
import torch

from audiogen.models import Sampling
from audiogen.training.mel.mel_media_logging import MediaLogger
from audiogen.tunes.rendering import render
from audiogen.tunes.tokens.tokenizer import Tokenizer
from audiogen.tunes.tune import Tune, joined
from audiogen.tunes.tune_continuation import TuneContinuer

BARS = 4  # that are heard, and as many that are added
STEPS = 12  # pixels a quarter note
LOWEST, HIGHEST = 21, 108  # the piano's keys
MOST_SECONDS = 60.0


class TuneMediaLogger(MediaLogger):
    """Adds piano rolls and audio every ``every`` steps, from the validation part (or the training part).

    Args:
        every: steps from one to the next.
        tokenizer: of the batches.
    """

    def __init__(self, every: int, tokenizer: Tokenizer) -> None:
        super().__init__(every)
        self.tokenizer = tokenizer

    def _listen(self, trainer: lightning.Trainer, module: Any) -> None:
        loader: Any = trainer.val_dataloaders or trainer.train_dataloader
        tokens = next(iter(loader))[0]
        real = self.tokenizer.decode(tokens[tokens >= 0].tolist())
        lines = real.bar_lines()
        prompt = real.between(0, int(lines[BARS]) if len(lines) > BARS else real.end)
        if not len(prompt.notes):
            return
        for name, tune in {"real": real, "continued": self._continued(module, prompt)}.items():
            heard = tune.between(0, int(tune.ticks_at(MOST_SECONDS)))
            writer = trainer.logger.experiment  # type: ignore[union-attr]
            writer.add_image(f"piano_roll/{name}", piano_roll(heard), trainer.global_step)
            sound = render(heard)
            samples = torch.from_numpy(sound.samples.mean(axis=0))
            writer.add_audio(f"audio/{name}", samples, trainer.global_step, sound.sample_rate)

    def _continued(self, module: Any, prompt: Tune) -> Tune:
        model = module.model
        was_training, device = model.training, module.device
        model.eval().cpu()
        sampling = Sampling(generator=torch.Generator().manual_seed(module.options.seed))
        tail = TuneContinuer(model, self.tokenizer, prompt).tail(sampling, bars=BARS)
        model.train(was_training).to(device)
        return joined(prompt, tail)


def piano_roll(tune: Tune) -> np.ndarray:
    """``[3, key, time]`` image in 0..1 of the piano's keys, low ones at the bottom; louder notes are brighter."""
    scale = STEPS / tune.ticks_per_quarter
    roll = np.zeros((HIGHEST - LOWEST + 1, max(round(tune.end * scale), 1)), np.float32)
    for start, end, pitch, velocity in zip(
        *(tune.notes[name].tolist() for name in ("start", "end", "pitch", "velocity")), strict=True
    ):
        if LOWEST <= pitch <= HIGHEST:
            first = round(start * scale)
            roll[HIGHEST - pitch, first : max(round(end * scale), first + 1)] = 0.3 + 0.7 * velocity / 127
    return np.broadcast_to(roll, (3, *roll.shape))
