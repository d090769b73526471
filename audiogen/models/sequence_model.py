"""The default Model: a Backbone summarises the past, a Head predicts the next frame from that summary."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from audiogen.config.choice import Choice, choice
from audiogen.config.option_types import Fraction, FractionBelowOne, NonNegativeInt
from audiogen.models.backbones import BACKBONES
from audiogen.models.base import CHUNK, FrameModel, Sampling, State
from audiogen.models.heads import HEADS
from audiogen.models.linear_prediction import LinearPrediction


@dataclass(frozen=True)
class SequenceModelOptions:
    """Options of the sequence model.

    Args:
        backbone: kind and options of one of `BACKBONES`.
        head: kind and options of one of `HEADS`.
        context_noise: highest level, 0..1, of the noise added to the backbone's input in training; the level of each
            frame is uniform in 0..context_noise. It reduces exposure bias: the backbone does not rely on details that
            generated frames get wrong (CALM, arXiv 2509.06926).
        clean_context: number of last frames that reach the head without that noise; 0 for none.
        dropout: fraction of the context's units dropped, in training.
        linear: whether the head models the whitened residual of `LinearPrediction` instead of the frame itself.
    """

    backbone: Choice = choice(BACKBONES, "lstm")
    head: Choice = choice(HEADS, "flow")
    context_noise: Fraction = 0.4
    clean_context: NonNegativeInt = 3
    dropout: FractionBelowOne = 0.1
    linear: bool = False


class SequenceModel(FrameModel):
    """p(frame | earlier frames) from a noised long context, through the backbone, and a clean short one beside it.

    Args:
        features: size of a frame.
        options: see `SequenceModelOptions`.
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
        """Add variance-preserving noise, at a random level for each frame; in training only."""
        if not self.training or self.noise == 0:
            return frames
        level = self.noise * torch.rand(*frames.shape[:2], 1, device=frames.device)
        return (1 - level.square()).sqrt() * frames + level * torch.randn_like(frames)

    def context(self, frames: Tensor, state: State = None) -> tuple[Tensor, State]:
        """Context vectors ``[batch, time, width]`` after each frame ``[batch, time, features]``, and the next state."""
        memory, recent = state if state is not None else (None, None)
        hidden, memory = self.backbone(self.corrupt(frames), memory)
        if self.recent == 0:
            return self.dropout(hidden), (memory, None)
        if recent is None:
            recent = frames.new_zeros(len(frames), self.recent - 1, self.features)
        padded = torch.cat([recent, frames], dim=1)
        short = padded.unfold(1, self.recent, 1).transpose(2, 3).flatten(2)
        return self.dropout(hidden + self.clean(short)), (memory, padded[:, padded.shape[1] - self.recent + 1 :])

    def linear_prediction(self, frames: Tensor, state: State = None) -> tuple[Tensor, State]:
        """Linear prediction of the frame after each of ``[batch, time, features]``, and the next state."""
        return (torch.zeros_like(frames), None) if self.linear is None else self.linear(frames, state)

    def fit_closed_form(self, sequences: list[Tensor]) -> None:
        if self.linear is not None:
            self.linear.fit(sequences)

    def targets(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Contexts and the head's targets in them, ``[batch * (time - 1), ...]``: frames, or whitened residuals."""
        context, _ = self.context(frames[:, :-1])
        target = frames[:, 1:]
        if self.linear is not None:
            target = self.linear.residual(target, self.linear(frames[:, :-1])[0])
        return context.flatten(0, 1), target.flatten(0, 1)

    def loss(self, frames: Tensor) -> Mapping[str, Tensor]:
        return self.head.loss(*self.targets(frames))

    def log_likelihood(self, frames: Tensor) -> Tensor | None:
        """Log density in nats of each frame but the first, ``[batch, time - 1]``; None where the head has none."""
        nats = self.head.log_likelihood(*self.targets(frames))
        if nats is None:
            return None
        return nats.view(len(frames), -1) - self.log_det

    @property
    def log_det(self) -> Tensor | float:
        """Change of variables: log p(frame) = log p(target of the head) - log_det, in nats."""
        return 0.0 if self.linear is None else self.linear.log_det

    def start(self, prompt: Tensor) -> State:
        state: State = (None, None)
        for chunk in prompt.split(CHUNK, dim=1):
            context, memory = self.context(chunk, state[0])
            expected, past = self.linear_prediction(chunk, state[1])
            state = (memory, past)
        return context[:, -1], expected[:, -1], state

    def draw(self, state: State, sampling: Sampling) -> Tensor:
        context, expected, _ = state
        target = self.head.sample(context, sampling)
        return target if self.linear is None else self.linear.unwhiten(expected, target)

    def read(self, state: State, frame: Tensor) -> State:
        _, _, (memory, past) = state
        context, memory = self.context(frame.unsqueeze(1), memory)
        expected, past = self.linear_prediction(frame.unsqueeze(1), past)
        return context[:, -1], expected[:, -1], (memory, past)
