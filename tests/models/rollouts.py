"""Free-running rollouts of Models."""

from __future__ import annotations

import torch
from torch import Tensor

from audiogen.models import Model, Sampling


@torch.no_grad()
def rollout(model: Model, prompt: Tensor, steps: int, source: Sampling) -> Tensor:
    """``[batch, steps, features]`` frames that follow a prompt ``[batch, time, features]``."""
    state, sampled = model.start(prompt), []
    for _ in range(steps):
        frame, state = model.step(state, source)
        sampled.append(frame)
    return torch.stack(sampled, dim=1)
