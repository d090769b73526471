"""Granular baseline: frames of the prompt, sampled uniformly and in no order (Roads 2001, "Microsound")."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from audiogen.config.option_types import PositiveInt
from audiogen.models.base import Sampling, State
from audiogen.models.baselines.replay import FrameBuffer, ReplayBaseline


@dataclass(frozen=True)
class GrainsOptions:
    """Options of the granular baseline.

    Args:
        memory: number of most recent frames to sample from.
    """

    memory: PositiveInt = 2048


class Grains(ReplayBaseline):
    """Samples uniformly from the frames read so far. Temperature has no effect.

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
        return state.frames.sum(1) / state.length[:, None]

    def draw(self, state: State, sampling: Sampling) -> Tensor:
        ages = (sampling.uniform(len(state.length), device=state.length.device) * state.length).long()
        return state.at(self.memory - 1 - ages)

    def read(self, state: State, frame: Tensor) -> State:
        return state.read(frame)
