"""Loop baseline: repeats the end of the prompt; the cheapest continuation, which copies and loops."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from audiogen.config.option_types import FractionBelowOne, PositiveInt
from audiogen.models.base import Sampling, State
from audiogen.models.baselines.replay import ReplayBaseline, same


@dataclass(frozen=True)
class LoopOptions:
    """Options of the loop baseline.

    Args:
        period: frames that are repeated, or all frames of a shorter prompt; 43 patches of 93 ms are 4 s.
        fade: factor per frame by which the step from the end of the loop to its beginning decays.
    """

    period: PositiveInt = 43
    fade: FractionBelowOne = 0.5


class Loop(ReplayBaseline):
    """Repeats with ``frame[t] = frame[t - period] + fade * (frame[t - 1] - frame[t - 1 - period])``.

    Within the loop the second term is zero; at the seam it fades from the last frame into the beginning of the loop, in
    the same way each time. Temperature has no effect.

    Args:
        features: size of a frame.
        options: see `LoopOptions`.
    """

    Options = LoopOptions

    def __init__(self, features: int, options: LoopOptions) -> None:
        super().__init__()
        self.period, self.fade = options.period, options.fade

    def start(self, prompt: Tensor) -> State:
        prompt = prompt[:, -2 * (self.period + 1) :]  # earlier frames have no influence
        # The frames before the first one are taken to equal it.
        line = prompt[:, :1].expand(-1, self.period + 1, -1)
        state: State = (line, torch.ones(len(prompt), dtype=torch.long, device=prompt.device))
        for frame in prompt[:, 1:].unbind(1):
            state = self.read(state, frame)
        return state

    def expected(self, state: State) -> Tensor:
        line, period = state
        rows, lagged = torch.arange(len(line), device=line.device), line.shape[1] - period
        return line[rows, lagged] + self.fade * (line[:, -1] - line[rows, lagged - 1])

    def draw(self, state: State, sampling: Sampling) -> Tensor:
        return self.expected(state)

    def read(self, state: State, frame: Tensor) -> State:
        """The last frames, and the period: frames that the loop itself predicted do not lengthen it."""
        line, period = state
        longer = (period + 1).clamp(max=self.period)
        return (
            torch.cat([line[:, 1:], frame.unsqueeze(1)], dim=1),
            torch.where(same(self.expected(state), frame), period, longer),
        )
