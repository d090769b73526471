"""Nearest-neighbour walk: frames of the prompt in order, with jumps between similar ones.

Schödl et al. (2000), "Video textures". Nothing is trained; it copies.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from audiogen.config.option_types import Fraction, PositiveInt
from audiogen.models.base import Sampling, State
from audiogen.models.baselines.replay import FrameBuffer, ReplayBaseline

MIN_JUMP = 3  # frames


@dataclass(frozen=True)
class WalkOptions:
    """Options of the nearest-neighbour walk.

    Args:
        memory: number of most recent frames to walk through.
        jump: probability of a jump, to a frame similar to the successor instead of the successor.
        neighbours: number of most similar frames that a jump chooses from.
    """

    memory: PositiveInt = 2048
    jump: Fraction = 0.5
    neighbours: PositiveInt = 8


class Walk(ReplayBaseline):
    """Walks through the frames read so far. Temperature multiplies the probability of a jump.

    Args:
        features: size of a frame.
        options: see `WalkOptions`.
    """

    Options = WalkOptions

    def __init__(self, features: int, options: WalkOptions) -> None:
        super().__init__()
        self.options = options

    def start(self, prompt: Tensor) -> State:
        return FrameBuffer.of(prompt, self.options.memory)

    def expected(self, state: State) -> Tensor:
        """The successor of the current frame; for the newest frame, the successor of the most similar one."""
        return state.at(self._successor(state))

    def draw(self, state: State, sampling: Sampling) -> Tensor:
        jumping, which = sampling.uniform(2, len(state.filled), device=state.filled.device)
        successor = self._successor(state)
        nearest, count = self._neighbours(state, successor)
        chosen = nearest.gather(1, (which * count).long()[:, None])[:, 0]
        return state.at(torch.where(jumping < self.options.jump * sampling.temperature, chosen, successor))

    def read(self, state: State, frame: Tensor) -> State:
        return state.read(frame)

    def _successor(self, state: State) -> Tensor:
        newest = self.options.memory - 1
        similar = self._neighbours(state, state.position)[0][:, 0]
        return torch.where(state.position < newest, state.position, similar).add(1).clamp(max=newest)

    def _neighbours(self, state: State, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Nearest neighbours of the frames at ``[batch]`` positions, at least `MIN_JUMP` frames away.

        Returns:
            Positions ``[batch, neighbours]``, nearest first, and how many of them are valid, ``[batch]``, at least one:
            without any neighbour, the position itself.
        """
        distance = (state.frames - state.at(positions).unsqueeze(1)).square().sum(-1)
        offset = (torch.arange(self.options.memory, device=positions.device) - positions[:, None]).abs()
        elsewhere = state.filled & (offset >= MIN_JUMP)
        distance = distance.masked_fill(~elsewhere, torch.inf).masked_fill(offset == 0, torch.finfo().max)
        count = elsewhere.sum(1).clamp(1, self.options.neighbours)
        return distance.topk(min(self.options.neighbours, self.options.memory), largest=False).indices, count
