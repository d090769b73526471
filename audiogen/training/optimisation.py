"""Optimisers, learning-rate schedules, averaged weights and the wall-clock budget."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from audiogen.experiment import Training

Optimizer = torch.optim.Optimizer
Parameters = Iterable[nn.Parameter]
Tensors = tuple[Tensor, ...] | list[Tensor]
MEASURED_STEPS = 16  # after these, a training with a wall-clock budget fixes its number of steps
UNTIMED_STEPS = 4  # slower than those that follow
VALIDATION_FRACTION = 0.1  # of the remaining budget, reserved for validations


def counting(optimizer: Optimizer) -> Optimizer:
    """Have an optimiser count its changes of the weights, as autograd does.

    Fused updates leave the versions of the tensors as they were, by which `PackedWeights` notices that training has
    changed what it holds.
    """

    def count(changed: Optimizer, *_: object) -> None:
        weights = [weight for group in changed.param_groups for weight in group["params"]]
        torch.autograd.graph.increment_version(weights)

    optimizer.register_step_post_hook(count)
    return optimizer


# Fused: on the CPU, an update in torch's default takes seven times as long, 5 % of a step.
OPTIMIZERS: dict[str, Callable[[Parameters, float, float], Optimizer]] = {
    "adamw": lambda weights, rate, decay: counting(torch.optim.AdamW(weights, lr=rate, weight_decay=decay, fused=True)),
    "adam": lambda weights, rate, decay: counting(torch.optim.Adam(weights, lr=rate, weight_decay=decay, fused=True)),
    "rmsprop": lambda weights, rate, decay: torch.optim.RMSprop(weights, lr=rate, weight_decay=decay),
    "sgd": lambda weights, rate, decay: torch.optim.SGD(
        weights, lr=rate, weight_decay=decay, momentum=0.9, nesterov=True
    ),
}

SCHEDULES: dict[str, Callable[[float], float]] = {
    "cosine": lambda done: 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * done)),
    "step": lambda done: 0.1 ** int(3 * min(done, 0.999)),
    "constant": lambda done: 1.0,
    "plateau": lambda done: 1.0,  # `Plateau` lowers it
}
"""Fraction of the training that is done, 0 to 1 -> factor on the peak learning rate."""


class Plateau:
    """Halves the learning rate when the validation loss stalls.

    `torch.optim.lr_scheduler.ReduceLROnPlateau` sets the rate itself and would undo the warm-up.

    Args:
        patience: validations without improvement before each halving.

    Attributes:
        factor: on the learning rate.
    """

    def __init__(self, patience: int = 2) -> None:
        self.patience, self.waited, self.factor = patience, 0, 1.0

    def step(self, improved: bool) -> None:
        """Take a validation into account: whether its loss is the lowest so far."""
        if improved:
            self.waited = 0
            return
        self.waited += 1
        if self.waited >= self.patience:
            self.factor, self.waited = self.factor / 2, 0


class TimeBudget:
    """Wall-clock limit of a training: times the first steps to find how many fit.

    Args:
        seconds: limit, from ``started`` on.
        started: `time.monotonic` at the beginning.

    Attributes:
        deadline: `time.monotonic` at which the training stops in any case.
    """

    def __init__(self, seconds: float, started: float) -> None:
        self.deadline = started + seconds
        self._timed_from: float | None = None

    def steps_that_fit(self, step: int, now: float) -> int | None:
        """The number of steps that fit, known once `MEASURED_STEPS` are taken; None at any other step.

        Args:
            step: optimiser steps taken; to be called after each.
            now: `time.monotonic`.
        """
        if step == UNTIMED_STEPS:
            self._timed_from = now
        if step != MEASURED_STEPS or self._timed_from is None:
            return None
        seconds_per_step = max((now - self._timed_from) / (MEASURED_STEPS - UNTIMED_STEPS), 1e-6)
        return MEASURED_STEPS + int((1 - VALIDATION_FRACTION) * (self.deadline - now) / seconds_per_step)


def averaged_model(model: nn.Module, decay: float, warmup: int) -> AveragedModel:
    """A copy of a model that holds the exponential moving average of its weights and buffers.

    During the warm-up the average is the weights themselves: the first steps are far from where the weights settle.

    Args:
        model: what is trained.
        decay: of the average, per step.
        warmup: steps of the warm-up.
    """

    def average(averaged: Tensors, weights: Tensors, count: Tensor | int) -> None:
        """Update tensors of one type in place; together, as one by one they take 3 % of a step on the CPU."""
        if int(count) <= warmup or not averaged[0].is_floating_point():
            torch._foreach_copy_(averaged, weights)
            return
        torch._foreach_lerp_(averaged, weights, 1 - decay)

    return AveragedModel(model, multi_avg_fn=average, use_buffers=True)


def rate_factor(options: Training, step: int, schedule_steps: int) -> float:
    """Factor on the peak learning rate at a step: linear warm-up, then the schedule.

    Args:
        options: of the training.
        step: optimiser steps taken before.
        schedule_steps: steps after which the schedule has ended.
    """
    if step < options.warmup:
        return (step + 1) / (options.warmup + 1)
    # No rate before `MEASURED_STEPS` depends on the schedule's end, which a wall-clock budget does not know until then.
    begun = max(options.warmup, MEASURED_STEPS)
    done = (step - begun) / max(schedule_steps - begun, 1)
    return SCHEDULES[options.schedule](min(max(done, 0.0), 1.0))
