"""Base of the baselines that replay frames of the prompt, and the buffer in which they keep them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import NamedTuple, Self

import torch
from torch import Tensor

from audiogen.models.base import FrameModel, State

TOLERANCE = 1e-3  # largest difference of equal frames: a replayed frame comes back through mel frames


class ReplayBaseline(FrameModel):
    """A baseline whose frames are frames that it has read; nothing is trained, and patch selection is off."""

    uses_selection = False

    @abstractmethod
    def expected(self, state: State) -> Tensor:
        """Point prediction of the next frame, ``[batch, feature]``."""

    def loss(self, frames: Tensor) -> Mapping[str, Tensor]:
        """Mean squared error of the point prediction of each frame but the first."""
        state, errors = self.start(frames[:, :1]), []
        for frame in frames[:, 1:].unbind(1):
            errors.append((self.expected(state) - frame).square().mean())
            state = self.read(state, frame)
        error = torch.stack(errors).mean()
        return {"loss": error, "mse": error}


def same(one: Tensor, other: Tensor) -> Tensor:
    """Whether frames ``[..., feature]`` are equal within the tolerance, ``[...]`` bool."""
    return (one - other).abs().amax(-1) < TOLERANCE


class FrameBuffer(NamedTuple):
    """The distinct frames read so far, of which the newest are kept; a replayed frame is not stored again.

    Args:
        frames: ``[batch, size, feature]``, the newest last.
        length: ``[batch]``, how many slots are filled, from the end.
        position: ``[batch]``, slot of the frame that was read last.
    """

    frames: Tensor
    length: Tensor
    position: Tensor

    @classmethod
    def of(cls, prompt: Tensor, size: int) -> Self:
        """A buffer of ``size`` slots that has read ``[batch, time, feature]`` frames."""
        batch, _, features = prompt.shape
        none = torch.zeros(batch, dtype=torch.long, device=prompt.device)
        buffer = cls(prompt.new_zeros(batch, size, features), none, none)
        for frame in prompt[:, -size:].unbind(1):
            buffer = buffer.read(frame)
        return buffer

    @property
    def filled(self) -> Tensor:
        """``[batch, size]`` bool: which slots are filled."""
        size = self.frames.shape[1]
        return torch.arange(size, device=self.length.device) >= size - self.length[:, None]

    def read(self, frame: Tensor) -> Self:
        """The buffer after reading ``[batch, feature]``."""
        matches = same(self.frames, frame.unsqueeze(1)) & self.filled
        size, known = matches.shape[1], matches.any(1)
        grown = torch.cat([self.frames[:, 1:], frame.unsqueeze(1)], dim=1)
        return type(self)(
            torch.where(known[:, None, None], self.frames, grown),
            torch.where(known, self.length, (self.length + 1).clamp(max=size)),
            torch.where(known, matches.byte().argmax(1), size - 1),
        )

    def at(self, positions: Tensor) -> Tensor:
        """The frames ``[batch, feature]`` in the slots ``[batch]``."""
        return self.frames[torch.arange(len(positions), device=positions.device), positions]
