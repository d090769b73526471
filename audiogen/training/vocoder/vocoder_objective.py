"""The neural vocoder as a trainable Model: its network, its discriminators and the losses of both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from audiogen.experiment import VocoderTraining
from audiogen.training.vocoder.discriminators import (
    Discriminators,
    discriminator_loss,
    feature_matching_loss,
    generator_loss,
)
from audiogen.training.vocoder.spectral_losses import mel_loss, multi_resolution_stft_loss
from audiogen.vocoders.neural import Neural


class Excerpts(NamedTuple):
    """Excerpts of recordings and the frames to render them from.

    Args:
        samples: ``[batch, win + time * hop]``.
        frames: ``[batch, time, n_mels]`` log-mel frames of all samples but the first ``win``.
        shape: ``[batch, 1, bins]`` long-term spectra of the recordings.
    """

    samples: Tensor
    frames: Tensor
    shape: Tensor


class VocoderObjective(nn.Module):
    """A vocoder's network and its discriminators, trained in the same step.

    The discriminators are trained on the detached output, the network through frozen discriminators. Their parameters
    are disjoint, so the gradient of one sum of losses is that of both.

    Args:
        vocoder: whose network is trained.
        options: weights of the losses and size of the discriminators.
    """

    def __init__(self, vocoder: Neural, options: VocoderTraining) -> None:
        super().__init__()
        self.vocoder, self.options = vocoder, options
        self.network = vocoder.network.train()
        channels = options.discriminator_channels
        self.discriminators = Discriminators(channels) if options.adversarial_weight > 0 else None
        self.weights = {
            "spectral": options.spectral_weight,
            "mel": options.mel_weight,
            "discriminator_loss": 1.0,
            "generator_loss": options.adversarial_weight,
            "features": options.features_weight,
        }

    def loss(self, excerpts: Excerpts) -> Mapping[str, Tensor]:
        """Losses by name; ``"loss"`` is their weighted sum. In evaluation mode, without the adversarial ones."""
        spec, losses = self.vocoder.spec, dict[str, Tensor]()
        past, real = excerpts.samples.split([spec.win, excerpts.samples.shape[1] - spec.win], dim=1)
        output = self.vocoder.excerpt(excerpts.frames, past, excerpts.shape)
        losses["spectral"], losses["mel"] = multi_resolution_stft_loss(output, real), mel_loss(output, real, spec)
        losses |= self._adversarial_losses(output, real)
        total = torch.stack([self.weights[name] * value for name, value in losses.items()]).sum()
        return losses | {"loss": total}

    def fit_closed_form(self, sequences: list[Tensor]) -> None:
        """Nothing: no part of it has a closed form."""

    def _adversarial_losses(self, output: Tensor, real: Tensor) -> dict[str, Tensor]:
        discriminators = self.discriminators
        if not isinstance(discriminators, Discriminators) or not self.training:
            return {}
        of_real, of_output = discriminators(real), discriminators.frozen(output)
        return {
            "discriminator_loss": discriminator_loss(of_real, discriminators(output.detach())),
            "generator_loss": generator_loss(of_output),
            "features": feature_matching_loss(of_real, of_output),
        }
