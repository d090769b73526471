"""What a vocoder's training sounds and looks like, in TensorBoard: the real, and the rendered from its frames."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as lightning

from audiogen.representation.mel import log_mel
from audiogen.training.mel.mel_media_logging import MediaLogger, picture

EXCERPTS = 4


class VocoderMediaLogger(MediaLogger):
    """Adds audio and pictures every ``every`` steps, from the validation part (or the training part)."""

    def _listen(self, trainer: lightning.Trainer, module: Any) -> None:
        loader: Any = trainer.val_dataloaders or trainer.train_dataloader
        batch = tuple(part[:EXCERPTS].to(module.device) for part in next(iter(loader)))
        excerpts = module.lessons.frames(batch)
        vocoder = module.model.vocoder
        past, real = excerpts.samples.split([vocoder.spec.win, excerpts.samples.shape[1] - vocoder.spec.win], dim=1)
        output = vocoder.excerpt(excerpts.frames, past, excerpts.shape)
        writer = trainer.logger.experiment  # type: ignore[union-attr]
        for name, version in {"real": real, "rendered": output}.items():
            whole = version.cpu().flatten()[None]
            frames = log_mel(whole, vocoder.spec)[0]
            writer.add_image(f"spectrogram/{name}", picture(frames, vocoder.spec), trainer.global_step)
            samples = whole / whole.abs().max().clamp(min=1.0)
            writer.add_audio(f"audio/{name}", samples, trainer.global_step, vocoder.spec.sample_rate)
