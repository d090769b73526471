"""Random grains of what was heard (Roads 2001, "Microsound"): each frame is right, and nothing leads anywhere."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from audiogen.config.option_types import PositiveInt
from audiogen.models.base import Sampling, State
from audiogen.models.baselines.replay import FrameBuffer, ReplayBaseline


@dataclass(frozen=True)
class GrainsOptions:
    """Args:
    memory: most frames that are remembered, the last ones.
    """

    memory: PositiveInt = 2048


class Grains(ReplayBaseline):
    """Frames from places that are drawn uniformly. Temperature has no effect.

    Args:
        features: size of a frame.
        options: see `GrainsOptions`.
    """

    Options = GrainsOptions

    def __init__(self, features: int, options: GrainsOptions) -> None:
        super().__init__()
        self.memory = options.memory

    def start(self, prompt: Tensor) -> State:
        return FrameBuffer.of(prompt, self.memory)

    def expected(self, state: State) -> Tensor:
        return state.frames.sum(1) / state.held[:, None]

    def draw(self, state: State, sampling: Sampling) -> Tensor:
        draws = sampling.uniform(len(state.held), device=state.held.device)
        return state.at(self.memory - 1 - (draws * state.held).long())

    def read(self, state: State, frame: Tensor) -> State:
        return state.read(frame)
