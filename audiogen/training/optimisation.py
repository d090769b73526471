"""Optimisers and learning-rate schedules by name."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import torch
from torch import nn

from audiogen.experiment import Training

Optimizer = torch.optim.Optimizer
Parameters = Iterable[nn.Parameter]
MEASURED_STEPS = 16  # after which a training on a wall-clock budget settles its horizon

OPTIMIZERS: dict[str, Callable[[Parameters, float, float], Optimizer]] = {
    "adamw": lambda weights, rate, decay: torch.optim.AdamW(weights, lr=rate, weight_decay=decay),
    "adam": lambda weights, rate, decay: torch.optim.Adam(weights, lr=rate, weight_decay=decay),
    "rmsprop": lambda weights, rate, decay: torch.optim.RMSprop(weights, lr=rate, weight_decay=decay),
    "sgd": lambda weights, rate, decay: torch.optim.SGD(
        weights, lr=rate, weight_decay=decay, momentum=0.9, nesterov=True
    ),
}

SCHEDULES: dict[str, Callable[[float], float]] = {
    # Share of the training that is done (0..1) -> factor on the peak learning rate.
    "cosine": lambda done: 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * done)),
    "step": lambda done: 0.1 ** int(3 * min(done, 0.999)),
    "constant": lambda done: 1.0,
    "plateau": lambda done: 1.0,  # lowered by Plateau below, whenever validation stalls
}


class Plateau:
    """Halves a factor each time that a value has not fallen for ``patience`` looks.

    `torch.optim.lr_scheduler.ReduceLROnPlateau` sets the rate itself and so would undo the warm-up.
    """

    def __init__(self, patience: int = 2) -> None:
        self.patience, self.best, self.waited, self.factor = patience, math.inf, 0, 1.0

    def look(self, value: float) -> None:
        """Take note of a validation loss."""
        if value < self.best:
            self.best, self.waited = value, 0
            return
        self.waited += 1
        if self.waited >= self.patience:
            self.factor, self.waited = self.factor / 2, 0


def rate_factor(options: Training, step: int, horizon: int) -> float:
    """Factor on the peak learning rate at an optimiser step (from 0): linear warm-up, then the schedule."""
    if step < options.warmup:
        return (step + 1) / (options.warmup + 1)
    # No rate before `MEASURED_STEPS` depends on the horizon: a training on a budget does not know it yet.
    begun = max(options.warmup, MEASURED_STEPS)
    done = (step - begun) / max(horizon - begun, 1)
    return SCHEDULES[options.schedule](min(max(done, 0.0), 1.0))
