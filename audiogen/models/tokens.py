"""Embedding + Backbone + Head: an autoregressive Model of tokens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from audiogen.choice import Choice, choice
from audiogen.models.backbones import BACKBONES
from audiogen.models.base import Model, Sampling, State
from audiogen.models.heads import TOKEN_HEADS
from audiogen.ranges import Share, Whole

PIECE = 1024  # tokens that are read at once: a prompt of any length passes in bounded memory


@dataclass(frozen=True)
class TokensOptions:
    """Args:
    backbone: options of one of `BACKBONES`.
    head: options of one of `TOKEN_HEADS`.
    embedding: size of a token's vector; 0 feeds the token one-hot.
    dropout: share of the embedding's and of the context's units dropped, in training.
    """

    backbone: Choice = choice(BACKBONES, "lstm")
    head: Choice = choice(TOKEN_HEADS, "categorical")
    embedding: Whole = 128
    dropout: Share = 0.1


class Tokens(Model):
    """p(token | earlier tokens). Frames are tokens ``[batch, time]`` int64; `PADDING` may follow a piece's end.

    Args:
        features: size of the vocabulary.
        options: which backbone and head, and what the backbone is fed.
    """

    Options = TokensOptions
    tokens: ClassVar[bool] = True

    def __init__(self, features: int, options: TokensOptions) -> None:
        super().__init__()
        self.size = features
        self.embedding = nn.Embedding(features, options.embedding) if options.embedding else None
        self.dropout = nn.Dropout(options.dropout)
        self.backbone = BACKBONES[options.backbone.kind](options.embedding or features, options.backbone.options)
        self.head = TOKEN_HEADS[options.head.kind](self.backbone.width, features, options.head.options)

    def context(self, tokens: Tensor, state: State = None) -> tuple[Tensor, State]:
        """``[batch, time]`` -> what is known after each token, ``[batch, time, width]``; the state."""
        tokens = tokens.clamp(min=0)  # padding comes after everything that is scored: nothing hears it
        if self.embedding is not None:
            vectors = self.dropout(self.embedding(tokens))
        else:
            vectors = functional.one_hot(tokens, self.size).to(torch.get_default_dtype())
        hidden, state = self.backbone(vectors, state)
        return self.dropout(hidden), state

    def loss(self, frames: Tensor) -> Mapping[str, Tensor]:
        context, _ = self.context(frames[:, :-1])
        return self.head.loss(context.flatten(0, 1), frames[:, 1:].flatten())

    def log_likelihood(self, frames: Tensor) -> Tensor:
        """Nats of each token but the first, ``[batch, time - 1]``; 0 for `PADDING`."""
        pieces = zip(self._read(frames[:, :-1]), frames[:, 1:].split(PIECE, dim=1), strict=True)
        nats = [self._score(context, target) for (context, _), target in pieces]
        return torch.cat(nats, dim=1)

    def _score(self, context: Tensor, target: Tensor) -> Tensor:
        nats = self.head.log_likelihood(context.flatten(0, 1), target.flatten())
        assert nats is not None  # every token head has a likelihood
        return nats.view(target.shape)

    def start(self, prompt: Tensor) -> State:
        *_, (context, state) = self._read(prompt)
        return context[:, -1], state

    def step(self, state: State, sampling: Sampling) -> tuple[Tensor, State]:
        context, memory = state
        token = self.head.sample(context, sampling)
        context, memory = self.context(token.unsqueeze(1), memory)
        return token, (context[:, -1], memory)

    def _read(self, tokens: Tensor) -> Iterator[tuple[Tensor, State]]:
        state: State = None
        for piece in tokens.split(PIECE, dim=1):
            context, state = self.context(piece, state)
            yield context, state
