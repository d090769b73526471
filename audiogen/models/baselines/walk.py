"""Nearest-neighbour walk: the source's own frames, with jumps between similar ones (Schödl et al. 2000, "Video
textures"). Nothing is trained, and nothing is new: it copies.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from audiogen.config.option_types import PositiveInt, Unit
from audiogen.models.base import Sampling, State
from audiogen.models.baselines.replay import FrameBuffer, ReplayBaseline

APART = 3  # frames that a jump bridges at least


@dataclass(frozen=True)
class WalkOptions:
    """Args:
    memory: most frames of the source that are remembered, the last ones.
    jump: share of the frames that are followed by one like their successor instead of it.
    neighbours: among how many such frames a jump chooses.
    """

    memory: PositiveInt = 2048
    jump: Unit = 0.5
    neighbours: PositiveInt = 8


class Walk(ReplayBaseline):
    """Places in what was heard, one after the other. Temperature multiplies the share of jumps.

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
        """The successor of the place; of the newest frame, that of the one most like it."""
        return state.at(self._after(state))

    def draw(self, state: State, sampling: Sampling) -> Tensor:
        jumping, which = sampling.uniform(2, len(state.held), device=state.held.device)
        after = self._after(state)
        nearest, count = self._like(state, after)
        chosen = nearest.gather(1, (which * count).long()[:, None])[:, 0]
        return state.at(torch.where(jumping < self.options.jump * sampling.temperature, chosen, after))

    def read(self, state: State, frame: Tensor) -> State:
        return state.read(frame)

    def _after(self, state: State) -> Tensor:
        newest = self.options.memory - 1
        like = self._like(state, state.place)[0][:, 0]
        return torch.where(state.place < newest, state.place, like).add(1).clamp(max=newest)

    def _like(self, state: State, places: Tensor) -> tuple[Tensor, Tensor]:
        """Places elsewhere of the frames most like those at ``[batch]`` places, nearest first, ``[batch, neighbours]``,
        and how many of them there are, at least one: if there is no other, the same."""
        distance = (state.frames - state.at(places).unsqueeze(1)).square().sum(-1)
        apart = (torch.arange(self.options.memory, device=places.device) - places[:, None]).abs()
        elsewhere = state.holding & (apart >= APART)
        distance = distance.masked_fill(~elsewhere, torch.inf).masked_fill(apart == 0, torch.finfo().max)
        count = elsewhere.sum(1).clamp(1, self.options.neighbours)
        return distance.topk(min(self.options.neighbours, self.options.memory), largest=False).indices, count
