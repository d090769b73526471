"""TensorBoard audio and spectrograms of a mel training: the recording, its reconstruction and its continuation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from audiogen.models import Model, Sampling
from audiogen.representation.mel import MelSpec
from audiogen.representation.mel_latents import MelLatents
from audiogen.vocoders.registry import build as build_vocoder

if TYPE_CHECKING:
    from audiogen.training.tensorboard import EventWriter

SECONDS = 4.0  # of the continuation


def log_media(
    writer: EventWriter,
    step: int,
    model: Model,
    representation: MelLatents,
    windows: tuple[Tensor, Tensor],
    seed: int,
) -> None:
    """Write ``real``, ``reconstructed`` and ``continued`` versions of the first window of a batch.

    The audio is rendered with Griffin-Lim: a training on a folder has no single source to select units from.

    Args:
        writer: of the training's events.
        step: optimiser steps taken.
        model: in evaluation mode.
        representation: of its frames.
        windows: ``[batch, time, feature]`` log-mel frames and ``[batch, 1, feature]`` centres.
        seed: of the continuation.
    """
    frames, centres = (part[:1] for part in windows)
    analysis = representation.latents.to(frames.device)
    latents = analysis.encode(frames, centres)[0]
    steps = max(round(SECONDS / representation.step_seconds), 1)
    continued = torch.cat([latents, rollout(model, latents[None], steps, seed)])
    versions = {
        "real": frames[0],
        "reconstructed": analysis.decode(latents, centres[0]),
        "continued": analysis.decode(continued, centres[0]),
    }
    spec = representation.options.spec
    for name, version in versions.items():
        version = version.cpu()
        writer.add_image(f"spectrogram/{name}", spectrogram_image(version, spec), step)
        samples = build_vocoder("griffin_lim", spec).vocode(version[None, :, : spec.n_mels])
        writer.add_audio(f"audio/{name}", samples / samples.abs().max().clamp(min=1.0), step, spec.sample_rate)


def rollout(model: Model, prompt: Tensor, steps: int, seed: int) -> Tensor:
    """A free-running continuation ``[steps, feature]`` of a prompt ``[1, time, feature]``."""
    sampling = Sampling(1.0, generator=torch.Generator().manual_seed(seed))
    state, frames = model.start(prompt), []
    for _ in range(steps):
        frame, state = model.step(state, sampling)
        frames.append(frame)
    return torch.cat(frames)


def spectrogram_image(frames: Tensor, spec: MelSpec) -> np.ndarray:
    """``[time, feature]`` log-mel frames -> ``[3, feature, time]`` image in 0..1, low bands at the bottom."""
    from matplotlib import colormaps

    low, high = spec.silence, 2.0
    shades = ((frames - low) / (high - low)).clamp(0, 1).T.flip(0).numpy()
    return np.asarray(colormaps["magma"](shades)[..., :3]).transpose(2, 0, 1)
