"""What tells rendered from real sound.

By periods (Kong et al. 2020, arXiv 2010.05646) and by spectra (Jang et al. 2021, arXiv 2106.07889), with least-squares
losses (Mao et al. 2017, arXiv 1611.04076) and feature matching (Kumar et al. 2019, arXiv 1910.06711).
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.utils.parametrizations import weight_norm

PERIODS = (2, 3, 5, 7, 11)
WINDOWS = (512, 1024, 2048)  # samples; a quarter of each from one to the next
SLOPE = 0.1  # of the leaky activations
Layers = list[Tensor]
"""What each layer says; the last one's is the score."""


def _convolutions(channels: list[int], kernel: tuple[int, int], stride: tuple[int, int]) -> nn.ModuleList:
    padding = (kernel[0] // 2, kernel[1] // 2)
    layers = [weight_norm(nn.Conv2d(narrow, wide, kernel, stride, padding)) for narrow, wide in pairwise(channels)]
    return nn.ModuleList([*layers, weight_norm(nn.Conv2d(channels[-1], 1, 3, padding=1))])


def _through(layers: nn.ModuleList, x: Tensor) -> Layers:
    heard = []
    for layer in layers:
        x = layer(x)
        heard.append(x)
        x = nn.functional.leaky_relu(x, SLOPE)
    return heard


class PeriodDiscriminator(nn.Module):
    """Every ``period``-th sample of ``[batch, time]``, side by side."""

    def __init__(self, period: int, width: int) -> None:
        super().__init__()
        self.period = period
        self.layers = _convolutions([1, width, 2 * width, 4 * width, 4 * width], (5, 1), (3, 1))

    def forward(self, samples: Tensor) -> Layers:
        whole = samples.shape[-1] // self.period * self.period
        return _through(self.layers, samples[:, :whole].unflatten(-1, (-1, self.period))[:, None])


class SpectrumDiscriminator(nn.Module):
    """Log magnitudes of the STFT of ``[batch, time]``."""

    window: Tensor

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("window", torch.hann_window(size), persistent=False)
        self.layers = _convolutions([1, width, width, 2 * width, 2 * width], (3, 9), (1, 2))

    def forward(self, samples: Tensor) -> Layers:
        spectrum = torch.fft.rfft(samples.unfold(-1, self.size, self.size // 4) * self.window)
        return _through(self.layers, (spectrum.abs().clamp(min=1e-5).log() / 3.0)[:, None])


class Discriminators(nn.Module):
    """All of them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.each = nn.ModuleList(
            [
                *(PeriodDiscriminator(period, width) for period in PERIODS),
                *(SpectrumDiscriminator(size, width) for size in WINDOWS),
            ]
        )

    def forward(self, samples: Tensor) -> list[Layers]:
        return [one(samples) for one in self.each]

    def frozen(self, samples: Tensor) -> list[Layers]:
        """The same, with gradients to the samples only."""
        weights = {name: value.detach() for name, value in self.named_parameters()}
        return functional_call(self, weights, (samples,))


def discriminator_loss(real: list[Layers], output: list[Layers]) -> Tensor:
    """What the discriminators minimise: 1 is real, 0 rendered."""
    pairs = zip(real, output, strict=True)
    return torch.stack([(1 - r[-1]).square().mean() + o[-1].square().mean() for r, o in pairs]).mean()


def generator_loss(output: list[Layers]) -> Tensor:
    """What the vocoder minimises: the discriminators' doubts."""
    return torch.stack([(1 - layers[-1]).square().mean() for layers in output]).mean()


def feature_distance(real: list[Layers], output: list[Layers]) -> Tensor:
    """Mean absolute difference between what the layers hear in both, over its mean size in the real sound."""
    terms = [
        (r.detach() - o).abs().mean() / r.detach().abs().mean().clamp(min=1e-3)
        for layers, others in zip(real, output, strict=True)
        for r, o in zip(layers[:-1], others[:-1], strict=True)
    ]
    return torch.stack(terms).mean()
