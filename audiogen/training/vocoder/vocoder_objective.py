"""The neural vocoder as the trainer sees it: a Model whose frames are excerpts of recordings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from audiogen.experiment import VocoderTraining
from audiogen.training.vocoder.discriminators import (
    Discriminators,
    discriminator_loss,
    feature_distance,
    generator_loss,
)
from audiogen.training.vocoder.spectral_losses import mel_distance, multi_resolution
from audiogen.vocoders.neural import Neural


class Excerpts(NamedTuple):
    """Args:
    samples: ``[batch, win + time * hop]``.
    frames: ``[batch, time, n_mels]`` that all but the first ``win`` samples are to be rendered from.
        shape: ``[batch, 1, bins]``, long-term spectra of the recordings.
    """

    samples: Tensor
    frames: Tensor
    shape: Tensor


class VocoderObjective(nn.Module):
    """A vocoder's network, its discriminators, and the weighted losses of both.

    Both learn in the same step: the discriminators from the rendered sound as it is, the network through discriminators
    that stand still. Their parameters are disjoint, so one sum of losses has the gradients of both.
    """

    def __init__(self, vocoder: Neural, options: VocoderTraining) -> None:
        super().__init__()
        self.vocoder, self.options = vocoder, options
        self.network = vocoder.network.train()
        self.discriminators = Discriminators(options.discriminator_channels) if options.adversarial_weight > 0 else None

    def loss(self, excerpts: Excerpts) -> Mapping[str, Tensor]:
        """Named losses; ``"loss"`` is the one to minimise. What discriminators say is no part of it in evaluation."""
        spec, losses = self.vocoder.spec, dict[str, Tensor]()
        past, real = excerpts.samples.split([spec.win, excerpts.samples.shape[1] - spec.win], dim=1)
        output = self.vocoder.excerpt(excerpts.frames, past, excerpts.shape)
        losses["spectral"], losses["mel"] = multi_resolution(output, real), mel_distance(output, real, spec)
        losses |= self._against_discriminators(output, real)
        total = torch.stack([self._weight(name) * value for name, value in losses.items()]).sum()
        return losses | {"loss": total}

    def fit_closed_form(self, sequences: list[Tensor]) -> None:
        """Nothing of it has a closed form."""

    def _weight(self, name: str) -> float:
        return 1.0 if name == "discrimination" else float(getattr(self.options, f"{name}_weight"))

    def _against_discriminators(self, output: Tensor, real: Tensor) -> dict[str, Tensor]:
        judges = self.discriminators
        if not isinstance(judges, Discriminators) or not self.training:
            return {}
        heard, doubted = judges(real), judges.frozen(output)
        return {
            "discrimination": discriminator_loss(heard, judges(output.detach())),
            "adversarial": generator_loss(doubted),
            "features": feature_distance(heard, doubted),
        }
