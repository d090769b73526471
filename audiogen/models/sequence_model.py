"""Backbone + Head: an autoregressive Model of Frames, around what is predicted linearly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from audiogen.config.choice import Choice, choice
from audiogen.config.option_types import NonNegativeInt, Share, Unit
from audiogen.models.backbones import BACKBONES
from audiogen.models.base import CHUNK, FrameModel, Sampling, State
from audiogen.models.heads import HEADS
from audiogen.models.linear_prediction import LinearPrediction


@dataclass(frozen=True)
class SequenceModelOptions:
    """Args:
    backbone: options of one of `BACKBONES`.
    head: options of one of `HEADS`.
    context_noise: the backbone hears frames corrupted at a level uniform in 0..context_noise in training, so
        that it does not lean on details which generated frames get wrong (CALM, arXiv 2509.06926).
    clean_context: the head also hears this many last frames uncorrupted; 0 for none.
    dropout: share of the context's units dropped, in training.
    linear: whether the head describes what `LinearPrediction` leaves, whitened, instead of the frames themselves.
    """

    backbone: Choice = choice(BACKBONES, "lstm")
    head: Choice = choice(HEADS, "flow")
    context_noise: Unit = 0.4
    clean_context: NonNegativeInt = 3
    dropout: Share = 0.1
    linear: bool = False


class SequenceModel(FrameModel):
    """p(frame | earlier frames): a noised long context through the backbone, a clean short one beside it.

    Args:
        features: size of a frame.
        options: which backbone and head, and how the context reaches the head.
    """

    Options = SequenceModelOptions

    def __init__(self, features: int, options: SequenceModelOptions) -> None:
        super().__init__()
        self.features, self.noise, self.recent = features, options.context_noise, options.clean_context
        self.backbone = BACKBONES[options.backbone.kind](features, options.backbone.options)
        width = self.backbone.width
        if self.recent:
            self.clean = nn.Sequential(nn.Linear(self.recent * features, width), nn.SiLU(), nn.Linear(width, width))
        self.dropout = nn.Dropout(options.dropout)
        self.linear = LinearPrediction(features) if options.linear else None
        self.head = HEADS[options.head.kind](width, features, options.head.options)

    def corrupt(self, frames: Tensor) -> Tensor:
        """Variance-preserving noise, its level drawn anew for each frame."""
        if not self.training or self.noise == 0:
            return frames
        level = self.noise * torch.rand(*frames.shape[:2], 1, device=frames.device)
        return (1 - level.square()).sqrt() * frames + level * torch.randn_like(frames)

    def context(self, frames: Tensor, state: State = None) -> tuple[Tensor, State]:
        """``[batch, time, features]`` -> what is known by each frame, ``[batch, time, width]``; the state."""
        memory, recent = state if state is not None else (None, None)
        hidden, memory = self.backbone(self.corrupt(frames), memory)
        if self.recent == 0:
            return self.dropout(hidden), (memory, None)
        if recent is None:
            recent = frames.new_zeros(len(frames), self.recent - 1, self.features)
        heard = torch.cat([recent, frames], dim=1)
        short = heard.unfold(1, self.recent, 1).transpose(2, 3).flatten(2)
        return self.dropout(hidden + self.clean(short)), (
            memory,
            heard[:, heard.shape[1] - self.recent + 1 :],
        )

    def expect(self, frames: Tensor, state: State = None) -> tuple[Tensor, State]:
        """What is predicted linearly after each frame ``[batch, time, features]``; the state."""
        return (torch.zeros_like(frames), None) if self.linear is None else self.linear(frames, state)

    def fit_closed_form(self, sequences: list[Tensor]) -> None:
        if self.linear is not None:
            self.linear.fit(sequences)

    def targets(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Contexts and what the head is to say in them, ``[batch * (time - 1), ...]``."""
        context, _ = self.context(frames[:, :-1])
        left = frames[:, 1:]
        if self.linear is not None:
            left = self.linear.left(left, self.linear(frames[:, :-1])[0])
        return context.flatten(0, 1), left.flatten(0, 1)

    def loss(self, frames: Tensor) -> Mapping[str, Tensor]:
        return self.head.loss(*self.targets(frames))

    def log_likelihood(self, frames: Tensor) -> Tensor | None:
        """Nats of each frame but the first, ``[batch, time - 1]``; None where the head has no density."""
        nats = self.head.log_likelihood(*self.targets(frames))
        if nats is None:
            return None
        return nats.view(len(frames), -1) - self.log_volume

    @property
    def log_volume(self) -> Tensor | float:
        """Nats by which the density of a frame is below that of the head's target."""
        return 0.0 if self.linear is None else self.linear.log_volume

    def start(self, prompt: Tensor) -> State:
        state: State = (None, None)
        for piece in prompt.split(CHUNK, dim=1):
            context, memory = self.context(piece, state[0])
            expected, past = self.expect(piece, state[1])
            state = (memory, past)
        return context[:, -1], expected[:, -1], state

    def draw(self, state: State, sampling: Sampling) -> Tensor:
        context, expected, _ = state
        frame = self.head.sample(context, sampling)
        return frame if self.linear is None else self.linear.frames(expected, frame)

    def read(self, state: State, frame: Tensor) -> State:
        _, _, (memory, past) = state
        context, memory = self.context(frame.unsqueeze(1), memory)
        expected, past = self.expect(frame.unsqueeze(1), past)
        return context[:, -1], expected[:, -1], (memory, past)
