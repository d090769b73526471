"""The Model interface: a distribution over the next frame given all earlier frames.

A Model works on tensors only: float frames ``[batch, time, feature]``, or tokens ``[batch, time]`` (int64), where one
frame is one token and a batch of single frames is ``[batch]``. It knows nothing of files, sample rates or channels.
Its recurrent state is explicit: functions take it and return the next one; nothing is kept in the module.

Every Model keeps this contract:

- Causality: what is predicted for frame t depends on frames 0..t-1 only.
- Stepping equals the full forward pass: reading frames one at a time gives the same predictions, up to rounding, as
  reading them at once.
- A State is never modified in place: the same State can be continued several times.
- Items of a batch do not influence one another.
- All randomness of a rollout comes from `Sampling.generator`: equal generator states give equal frames.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

CHUNK = 1024  # frames of a prompt that are read at once: bounds the memory that an hour-long prompt takes
State = Any
"""Nested lists and tuples of tensors, each with the batch as first axis; its size is bounded, however many frames
were read."""


@dataclass
class Sampling:
    """How to sample the next frame.

    Args:
        temperature: 0 gives the most likely (or mean) frame, 1 the model's own distribution; above 1 is more random.
        top_k: sample from this many likeliest tokens (Fan et al. 2018, arXiv 1805.04833); 0 for all.
        top_p: nucleus sampling, from the fewest likeliest tokens whose probabilities sum to this (Holtzman et al. 2020,
            arXiv 1904.09751).
        min_p: sample from tokens of at least this probability relative to the likeliest (Nguyen et al. 2024, arXiv
            2407.01082).
        allowed: ``[size]`` or ``[batch, size]`` bool, the tokens that may be sampled; None for all. Like the three
            above, for tokens only.
        generator: source of randomness, on the CPU; None for torch's global one.
    """

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0
    allowed: Tensor | None = field(default=None, repr=False)
    generator: torch.Generator | None = field(default=None, repr=False)

    def normal(self, *shape: int, device: torch.device | None = None) -> Tensor:
        """Standard normal noise of the given shape, from the generator."""
        noise = torch.randn(*shape, generator=self.generator)  # sampled on the CPU: the same values on every device
        return noise.to(device) if device is not None else noise

    def uniform(self, *shape: int, device: torch.device | None = None) -> Tensor:
        """Uniform random numbers in [0, 1) of the given shape, from the generator."""
        numbers = torch.rand(*shape, generator=self.generator)
        return numbers.to(device) if device is not None else numbers


class Model(nn.Module, ABC):
    """A distribution over the next frame given all earlier ones.

    A subclass is constructed as ``Model(features, options)``, ``options`` being an instance of its class attribute
    ``Options``, a frozen dataclass whose fields are the keys of ``model:`` in a config. All that was fitted is held in
    parameters and buffers, so that it is saved with the Run.

    Attributes:
        tokens: whether its frames are tokens.
    """

    tokens: ClassVar[bool] = False

    def fit_closed_form(self, sequences: list[Tensor]) -> None:
        """Fit everything that has a closed-form solution; called once, before gradient training.

        Args:
            sequences: frames of the training split, ``[time, feature]`` each. A Model without parameters to train is
                complete after this call. The default does nothing.
        """

    @abstractmethod
    def loss(self, frames: Tensor) -> Mapping[str, Tensor]:
        """Losses by teacher forcing: each frame is predicted from the real frames before it.

        Args:
            frames: ``[batch, time, feature]``, time >= 2.

        Returns:
            Scalars by name. ``"loss"`` is minimised in training and compared in validation (in evaluation mode); the
            others are logged.
        """

    @abstractmethod
    def start(self, prompt: Tensor) -> State:
        """The state after reading a prompt ``[batch, time, feature]``, time >= 1."""

    @abstractmethod
    def step(self, state: State, sampling: Sampling) -> tuple[Tensor, State]:
        """Sample the next frame ``[batch, feature]``; return it and the state after reading it."""


class FrameModel(Model):
    """A Model of float frames that samples and reads in separate calls.

    Between the two, a caller may replace the sampled frame: patch selection substitutes the nearest patch of the source
    recording, and the Model continues from that.

    Attributes:
        uses_selection: whether sampled frames are replaced by patch selection (`audiogen.sound.patch_selection`). False
            for baselines: its anti-repetition rules would keep a loop from looping.
    """

    uses_selection: ClassVar[bool] = True

    @abstractmethod
    def draw(self, state: State, sampling: Sampling) -> Tensor:
        """Sample the next frame ``[batch, feature]`` without reading it; the state is unchanged."""

    @abstractmethod
    def read(self, state: State, frame: Tensor) -> State:
        """The state after reading ``frame`` ``[batch, feature]``, whether or not `draw` returned it.

        Reading the frames of a prompt one by one leads to the same state as `start`, up to rounding.
        """

    def log_likelihood(self, frames: Tensor) -> Tensor | None:
        """Log density in nats of each frame but the first, given the real frames before it, in evaluation mode.

        Args:
            frames: ``[batch, time, feature]``.

        Returns:
            ``[batch, time - 1]``; None where the Model has no density.
        """
        return None

    def step(self, state: State, sampling: Sampling) -> tuple[Tensor, State]:
        frame = self.draw(state, sampling)
        return frame, self.read(state, frame)


class ContextModel(FrameModel):
    """A `FrameModel` whose prediction depends on the past through one context vector of a causal map.

    The state is ``(context, map_state)``: the context vector ``[batch, width]`` after the last frame and the state of
    the map. A subclass implements `context`, `draw` and `loss`.
    """

    @abstractmethod
    def context(self, frames: Tensor, state: State = None) -> tuple[Tensor, State]:
        """Context vectors after each frame.

        Args:
            frames: ``[batch, time, feature]``.
            state: state of the causal map before the first frame; None at the start of a sequence.

        Returns:
            ``[batch, time, width]`` contexts, and the state after the last frame.
        """

    def start(self, prompt: Tensor) -> State:
        state: State = None
        for chunk in prompt.split(CHUNK, dim=1):
            context, state = self.context(chunk, state)
        return context[:, -1], state

    def read(self, state: State, frame: Tensor) -> State:
        context, map_state = self.context(frame.unsqueeze(1), state[1])
        return context[:, -1], map_state
