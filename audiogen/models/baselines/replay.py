"""What Models have in common that play again what they have heard, and what two of them remember it by."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import NamedTuple, Self

import torch
from torch import Tensor

from audiogen.models.base import FrameModel, State

SAME = 1e-3  # by which frames may differ that are one: what was drawn comes back through mel frames


class ReplayBaseline(FrameModel):
    """A baseline that is made of what it has heard, and heard as it is drawn. Nothing is trained."""

    uses_selection = False

    @abstractmethod
    def expected(self, state: State) -> Tensor:
        """The next frame ``[batch, feature]``, but for what is left to chance."""

    def loss(self, frames: Tensor) -> Mapping[str, Tensor]:
        """Mean square between each frame but the first and what was expected after those before it."""
        state, errors = self.start(frames[:, :1]), []
        for frame in frames[:, 1:].unbind(1):
            errors.append((self.expected(state) - frame).square().mean())
            state = self.read(state, frame)
        error = torch.stack(errors).mean()
        return {"loss": error, "mse": error}


def same(one: Tensor, other: Tensor) -> Tensor:
    """``[...]`` bool: whether ``[..., feature]`` are one frame."""
    return (one - other).abs().amax(-1) < SAME


class FrameBuffer(NamedTuple):
    """The frames that were heard, each once: what is drawn from them and read again adds nothing.

    Args:
        frames: ``[batch, size, feature]``, the newest last.
        held: ``[batch]``, how many of them hold something.
        place: ``[batch]``, where the frame is that was read last.
    """

    frames: Tensor
    held: Tensor
    place: Tensor

    @classmethod
    def of(cls, prompt: Tensor, size: int) -> Self:
        """Of ``[batch, time, feature]`` the last ``size`` frames."""
        batch, _, features = prompt.shape
        none = torch.zeros(batch, dtype=torch.long, device=prompt.device)
        memory = cls(prompt.new_zeros(batch, size, features), none, none)
        for frame in prompt[:, -size:].unbind(1):
            memory = memory.read(frame)
        return memory

    @property
    def holding(self) -> Tensor:
        """``[batch, size]`` bool: which places hold something."""
        size = self.frames.shape[1]
        return torch.arange(size, device=self.held.device) >= size - self.held[:, None]

    def read(self, frame: Tensor) -> Self:
        """The memory that has read ``[batch, feature]``."""
        known = same(self.frames, frame.unsqueeze(1)) & self.holding
        size, met = known.shape[1], known.any(1)
        grown = torch.cat([self.frames[:, 1:], frame.unsqueeze(1)], dim=1)
        return type(self)(
            torch.where(met[:, None, None], self.frames, grown),
            torch.where(met, self.held, (self.held + 1).clamp(max=size)),
            torch.where(met, known.byte().argmax(1), size - 1),
        )

    def at(self, places: Tensor) -> Tensor:
        """The frames ``[batch, feature]`` at ``[batch]`` places."""
        return self.frames[torch.arange(len(places), device=places.device), places]
