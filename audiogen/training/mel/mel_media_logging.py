"""What a training sounds and looks like, in TensorBoard: the real, the reconstructed and the continued."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytorch_lightning as lightning
import torch
from pytorch_lightning.callbacks import Callback
from torch import Tensor

from audiogen.models import Sampling
from audiogen.representation.mel import MelSpec
from audiogen.representation.mel_latents import MelLatents
from audiogen.vocoders.registry import build as build_vocoder

SECONDS = 4.0


class MediaLogger(Callback):
    """Adds audio and pictures every ``every`` steps, from the validation part (or the training part).

    The waveforms come from Griffin-Lim, since a training on a folder has no one source to render from.
    """

    def __init__(self, every: int) -> None:
        self.every = every

    def on_train_batch_end(self, trainer: lightning.Trainer, module: Any, *ignored: Any) -> None:
        # Cheap to know, dear to do: a second or two of audio is rendered each time.
        if trainer.global_step % self.every == 0:
            with torch.random.fork_rng(devices=[]), torch.no_grad():
                self._listen(trainer, module)

    def _listen(self, trainer: lightning.Trainer, module: Any) -> None:
        loader: Any = trainer.val_dataloaders or trainer.train_dataloader
        frames, centres = next(iter(loader))
        frames, centre = frames[:1].to(module.device), centres[:1].to(module.device)
        representation = module.lessons.representation
        latents = module.lessons.frames((frames, centre))
        was_training = module.model.training
        module.model.eval()
        steps = max(round(SECONDS / representation.step_seconds), 1)
        continued = torch.cat([latents[0], self._rollout(module, latents, steps)])
        module.model.train(was_training)
        decode = representation.latents.to(module.device).decode
        versions = {
            "real": frames[0],
            "reconstructed": decode(latents[0], centre[0]),
            "continued": decode(continued, centre[0]),
        }
        writer = trainer.logger.experiment  # type: ignore[union-attr]
        spec = representation.options.spec
        for name, version in versions.items():
            version = version.cpu()
            writer.add_image(f"spectrogram/{name}", picture(version, spec), trainer.global_step)
            samples = self._samples(version, representation)
            writer.add_audio(f"audio/{name}", samples, trainer.global_step, spec.sample_rate)

    def _rollout(self, module: Any, latents: Tensor, steps: int) -> Tensor:
        sampling = Sampling(1.0, generator=torch.Generator().manual_seed(module.options.seed))
        state, drawn = module.model.start(latents), []
        for _ in range(steps):
            latent, state = module.model.step(state, sampling)
            drawn.append(latent)
        return torch.cat(drawn)

    def _samples(self, frames: Tensor, representation: MelLatents) -> Tensor:
        spec = representation.options.spec
        strongest = frames[None, :, : spec.n_mels]
        samples = build_vocoder("griffin_lim", spec).vocode(strongest)
        return samples / samples.abs().max().clamp(min=1.0)


def picture(frames: Tensor, spec: MelSpec) -> np.ndarray:
    """``[time, feature]`` log-mel frames -> ``[3, feature, time]`` image in 0..1, low bands at the bottom."""
    from matplotlib import colormaps

    low, high = spec.silence, 2.0
    shades = ((frames - low) / (high - low)).clamp(0, 1).T.flip(0).numpy()
    return np.asarray(colormaps["magma"](shades)[..., :3]).transpose(2, 0, 1)
