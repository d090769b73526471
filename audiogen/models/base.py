"""What every Model is: what follows these Frames?

A Model sees tensors only: Frames ``[batch, time, feature]`` (float), or tokens ``[batch, time]`` (int64), where
a frame is one token and a batch of single frames is ``[batch]``. It knows nothing of files, sample rates or
channels. Its recurrent memory is an explicit state that the caller carries.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

CHUNK = 1024  # frames of a prompt that are read at once: an hour-long prompt passes in bounded memory
State = Any
"""A nest of lists and tuples of tensors, each batch first; bounded in size, however many steps are taken."""


@dataclass
class Sampling:
    """How to draw the next frame.

    Args:
        temperature: 0 gives each Head's most likely (or mean) frame, 1 its own distribution; above 1 is
            wilder.
        top_k: draw from this many likeliest tokens (Fan et al. 2018, arXiv 1805.04833); 0 for all.
        top_p: draw from the fewest likeliest tokens that hold this share (Holtzman et al. 2020, arXiv 1904.09751).
        min_p: draw from tokens at least this share as likely as the likeliest (Nguyen et al. 2024, arXiv 2407.01082).
        allowed: ``[size]`` or ``[batch, size]`` bool, the tokens that may be drawn; None for all. This and the three
            above concern tokens only.
        generator: source of randomness; the same generator state gives the same draws.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    allowed: Tensor | None = field(default=None, repr=False)
    generator: torch.Generator | None = field(default=None, repr=False)

    def normal(self, *shape: int, device: torch.device | None = None) -> Tensor:
        """Standard normal draws of the given shape, from the generator."""
        draws = torch.randn(*shape, generator=self.generator)  # drawn on the CPU: the same on each device
        return draws.to(device) if device is not None else draws

    def uniform(self, *shape: int, device: torch.device | None = None) -> Tensor:
        """Uniform draws in [0, 1) of the given shape, from the generator."""
        draws = torch.rand(*shape, generator=self.generator)
        return draws.to(device) if device is not None else draws


class Model(nn.Module, ABC):
    """A distribution over the next frame given all earlier ones.

    Attributes:
        tokens: whether its frames are tokens.
    """

    tokens: ClassVar[bool] = False

    def fit_closed_form(self, sequences: list[Tensor]) -> None:
        """Fit what has a closed form to ``[time, feature]`` frames of the training part, before training."""

    @abstractmethod
    def loss(self, frames: Tensor) -> Mapping[str, Tensor]:
        """Named losses (scalars) of ``[batch, time, feature]``; ``"loss"`` is the one to minimise."""

    @abstractmethod
    def start(self, prompt: Tensor) -> State:
        """The state after reading ``prompt`` ``[batch, time, feature]``, time >= 1."""

    @abstractmethod
    def step(self, state: State, sampling: Sampling) -> tuple[Tensor, State]:
        """Draw the next frame ``[batch, feature]`` and return it with the state that has read it."""


class FrameModel(Model):
    """A Model of float Frames, whose draws may be replaced: what came next is what it is told.

    Attributes:
        selected: whether a tail is made of patches of the source that are chosen, under rules, by what it draws. Not so
            a baseline: by those rules a loop would not loop.
    """

    uses_selection: ClassVar[bool] = True

    @abstractmethod
    def draw(self, state: State, sampling: Sampling) -> Tensor:
        """The next frame ``[batch, feature]``, not read yet."""

    @abstractmethod
    def read(self, state: State, frame: Tensor) -> State:
        """The state that has read ``frame`` ``[batch, feature]`` next, wherever it was drawn."""

    def step(self, state: State, sampling: Sampling) -> tuple[Tensor, State]:
        frame = self.draw(state, sampling)
        return frame, self.read(state, frame)


class ContextModel(FrameModel):
    """A `FrameModel` that draws by what a causal map knows after the last frame: its state is that, and the map's."""

    @abstractmethod
    def context(self, frames: Tensor, state: State = None) -> tuple[Tensor, State]:
        """``[batch, time, feature]``, the state before -> what is known by each frame, the state after."""

    def start(self, prompt: Tensor) -> State:
        state: State = None
        for piece in prompt.split(CHUNK, dim=1):
            known, state = self.context(piece, state)
        return known[:, -1], state

    def read(self, state: State, frame: Tensor) -> State:
        known, memory = self.context(frame.unsqueeze(1), state[1])
        return known[:, -1], memory
