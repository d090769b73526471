"""Nearest-neighbour walk: the source's own frames, with jumps between similar ones (Schödl et al. 2000, "Video
textures"). Nothing is trained, and nothing is new: it copies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from audiogen.models.base import FrameModel, Sampling, State
from audiogen.ranges import Count, Unit

APART = 3  # frames of time that a jump bridges at least
NEVER = 1e30  # a distance that only places which hold nothing exceed


@dataclass(frozen=True)
class WalkOptions:
    """Args:
    memory: most frames of the source that are kept, the last ones.
    jump: share of the frames that are followed by one like their successor instead of it.
    neighbours: among how many such frames a jump chooses.
    """

    memory: Count = 8192
    jump: Unit = 0.5
    neighbours: Count = 8


class Walk(FrameModel):
    """Places in the source, one after the other. Temperature multiplies the share of jumps.

    Args:
        features: size of a frame.
        options: see `WalkOptions`.
    """

    Options = WalkOptions
    memory: Tensor
    time: Tensor

    def __init__(self, features: int, options: WalkOptions) -> None:
        super().__init__()
        self.jump, self.neighbours = options.jump, options.neighbours
        self.register_buffer("memory", torch.full((options.memory, features), torch.inf))
        self.register_buffer(
            "time", torch.full((options.memory + 1,), -1)
        )  # of each in its sequence; -1: holds nothing

    @torch.no_grad()
    def prepare(self, sequences: list[Tensor]) -> None:
        size = len(self.memory)
        frames = torch.cat(sequences)[-size:]
        self.memory[: len(frames)] = frames
        self.time[: len(frames)] = torch.cat([torch.arange(len(piece)) for piece in sequences])[-size:]

    def nearest(self, frames: Tensor, count: int, elsewhere: Tensor | None = None) -> Tensor:
        """Places ``[n, count]`` of the frames most like ``[n, feature]``, nearest first.

        Not from the time of the places ``elsewhere`` ``[n]``, if there are others: a recording may have been given at
        several offsets, and what is nearest of all is the same moment, a little shifted.
        """
        distance = torch.cdist(frames, self.memory).nan_to_num(torch.inf)
        if elsewhere is not None:
            same = (self.time[:-1] - self.time[elsewhere][:, None]).abs() < APART
            distance = torch.where(same, distance.clamp(min=NEVER), distance)
        return distance.topk(count, largest=False).indices

    def loss(self, frames: Tensor) -> Mapping[str, Tensor]:
        """Mean square between each frame and the successor of the place that is most like the one before it."""
        places = self.nearest(frames[:, :-1].flatten(0, 1), 1)[:, 0]
        error = (self.memory[self._next(places)] - frames[:, 1:].flatten(0, 1)).square().mean()
        return {"loss": error, "mse": error}

    def _goes_on(self, places: Tensor) -> Tensor:
        return self.time[places + 1] == self.time[places] + 1

    def _next(self, places: Tensor) -> Tensor:
        return torch.where(self._goes_on(places), places + 1, places)

    def start(self, prompt: Tensor) -> State:
        return self.nearest(prompt[:, -1], 1)[:, 0]

    def draw(self, state: State, sampling: Sampling) -> Tensor:
        draws = sampling.uniform(2, len(state), device=state.device)
        after = self._next(state)
        held = int((self.time >= 0).sum())
        alike = self.nearest(self.memory[after], min(self.neighbours, held), elsewhere=after)
        chosen = alike.gather(1, (draws[:1].T * alike.shape[1]).long())[:, 0]
        jumps = (draws[1] < self.jump * sampling.temperature) | ~self._goes_on(state)
        return self.memory[torch.where(jumps, chosen, after)]

    def read(self, state: State, frame: Tensor) -> State:
        """The place most like ``frame`` ``[batch, feature]``."""
        return self.nearest(frame, 1)[:, 0]
