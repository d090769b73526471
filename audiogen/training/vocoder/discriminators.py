"""Multi-period and multi-resolution discriminators for the training of a vocoder, and their losses.

Multi-period: Kong et al. 2020 (HiFi-GAN, arXiv 2010.05646). Multi-resolution spectrograms: Jang et al. 2021 (UnivNet,
arXiv 2106.07889). Least-squares losses: Mao et al. 2017 (arXiv 1611.04076). Feature matching: Kumar et al. 2019
(MelGAN, arXiv 1910.06711).
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.utils.parametrizations import weight_norm

PERIODS = (2, 3, 5, 7, 11)
WINDOWS = (512, 1024, 2048)  # samples; hops of a quarter
SLOPE = 0.1  # of the leaky rectifiers
LayerOutputs = list[Tensor]
"""Output of each layer of a discriminator; the last is the score."""


def _convolutions(channels: list[int], kernel: tuple[int, int], stride: tuple[int, int]) -> nn.ModuleList:
    padding = (kernel[0] // 2, kernel[1] // 2)
    layers = [weight_norm(nn.Conv2d(narrow, wide, kernel, stride, padding)) for narrow, wide in pairwise(channels)]
    return nn.ModuleList([*layers, weight_norm(nn.Conv2d(channels[-1], 1, 3, padding=1))])


def _outputs(layers: nn.ModuleList, x: Tensor) -> LayerOutputs:
    outputs = []
    for layer in layers:
        x = layer(x)
        outputs.append(x)
        x = nn.functional.leaky_relu(x, SLOPE)
    return outputs


class PeriodDiscriminator(nn.Module):
    """Scores samples ``[batch, time]`` folded into rows of ``period`` samples."""

    def __init__(self, period: int, width: int) -> None:
        super().__init__()
        self.period = period
        self.layers = _convolutions([1, width, 2 * width, 4 * width, 4 * width], (5, 1), (3, 1))

    def forward(self, samples: Tensor) -> LayerOutputs:
        whole = samples.shape[-1] // self.period * self.period
        return _outputs(self.layers, samples[:, :whole].unflatten(-1, (-1, self.period))[:, None])


class SpectrumDiscriminator(nn.Module):
    """Scores the log magnitudes of the STFT of samples ``[batch, time]``, with windows of ``size`` samples."""

    window: Tensor

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("window", torch.hann_window(size), persistent=False)
        self.layers = _convolutions([1, width, width, 2 * width, 2 * width], (3, 9), (1, 2))

    def forward(self, samples: Tensor) -> LayerOutputs:
        spectrum = torch.fft.rfft(samples.unfold(-1, self.size, self.size // 4) * self.window)
        return _outputs(self.layers, (spectrum.abs().clamp(min=1e-5).log() / 3.0)[:, None])


class Discriminators(nn.Module):
    """Discriminators of all `PERIODS` and `WINDOWS`.

    Args:
        width: channels of their first layers.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.each = nn.ModuleList(
            [
                *(PeriodDiscriminator(period, width) for period in PERIODS),
                *(SpectrumDiscriminator(size, width) for size in WINDOWS),
            ]
        )

    def forward(self, samples: Tensor) -> list[LayerOutputs]:
        return [discriminator(samples) for discriminator in self.each]

    def frozen(self, samples: Tensor) -> list[LayerOutputs]:
        """Their outputs, with gradients to the samples only."""
        weights = {name: value.detach() for name, value in self.named_parameters()}
        return functional_call(self, weights, (samples,))


def discriminator_loss(real: list[LayerOutputs], rendered: list[LayerOutputs]) -> Tensor:
    """Least-squares loss of the discriminators: scores of 1 for real samples, 0 for rendered ones."""
    pairs = zip(real, rendered, strict=True)
    return torch.stack([(1 - r[-1]).square().mean() + o[-1].square().mean() for r, o in pairs]).mean()


def generator_loss(rendered: list[LayerOutputs]) -> Tensor:
    """Least-squares loss of the vocoder: scores of 1 for rendered samples."""
    return torch.stack([(1 - layers[-1]).square().mean() for layers in rendered]).mean()


def feature_matching_loss(real: list[LayerOutputs], rendered: list[LayerOutputs]) -> Tensor:
    """Mean absolute difference of the layers' outputs, relative to their mean size on the real samples."""
    terms = [
        (r.detach() - o).abs().mean() / r.detach().abs().mean().clamp(min=1e-3)
        for layers, others in zip(real, rendered, strict=True)
        for r, o in zip(layers[:-1], others[:-1], strict=True)
    ]
    return torch.stack(terms).mean()
