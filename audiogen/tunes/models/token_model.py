"""Embedding + Backbone + Head: an autoregressive Model of tokens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from audiogen.config.choice import Choice, choice
from audiogen.config.option_types import FractionBelowOne, NonNegativeInt
from audiogen.models.backbones import BACKBONES
from audiogen.models.base import Model, Sampling, State
from audiogen.models.heads import TOKEN_HEADS
from audiogen.models.heads.categorical import PADDING, sample_tokens, token_nll
from audiogen.tunes.models.auxiliary_features import AuxiliaryFeatures

PIECE = 1024  # tokens that are read at once: a prompt of any length passes in bounded memory


@dataclass(frozen=True)
class TokenModelOptions:
    """Args:
    backbone: options of one of `BACKBONES`.
    head: options of one of `TOKEN_HEADS`.
    embedding: size of a token's vector; 0 feeds the token one-hot.
    dropout: share of the embedding's and of the context's units dropped, in training.
    voices: parts that are followed through the bar (`audiogen.tunes.models.score_tracker`), and the key with them
        (`audiogen.tunes.models.pitch_class_profile`), for tokens of the scheme events; 0 for none.
    recall: tokens over which what followed the last time is looked up (`audiogen.tunes.models.copy_head`); 0 for none.
    """

    backbone: Choice = choice(BACKBONES, "lstm")
    head: Choice = choice(TOKEN_HEADS, "categorical")
    embedding: NonNegativeInt = 128
    dropout: FractionBelowOne = 0.1
    voices: NonNegativeInt = 0
    recall: NonNegativeInt = 0

    def __post_init__(self) -> None:
        if not self.embedding and (self.voices or self.recall):
            raise ValueError("voices and recall need an embedding")


class TokenModel(Model):
    """p(token | earlier tokens). Frames are tokens ``[batch, time]`` int64; `PADDING` may follow a piece's end.

    Args:
        features: size of the vocabulary.
        options: which backbone and head, and what the backbone is fed.
        vocabulary: names of the tokens, where voices are followed.

    Raises:
        InputError: voices cannot be followed in these tokens.
    """

    Options = TokenModelOptions
    tokens: ClassVar[bool] = True

    def __init__(self, features: int, options: TokenModelOptions, vocabulary: Sequence[str] = ()) -> None:
        super().__init__()
        self.size = features
        self.embedding = nn.Embedding(features, options.embedding) if options.embedding else None
        self.dropout = nn.Dropout(options.dropout)
        self.backbone = BACKBONES[options.backbone.kind](options.embedding or features, options.backbone.options)
        self.head = TOKEN_HEADS[options.head.kind](self.backbone.width, features, options.head.options)
        self.hints: AuxiliaryFeatures | None = None
        if options.voices or options.recall:
            names = vocabulary or [""] * features
            self.hints = AuxiliaryFeatures(
                names, options.embedding, self.backbone.width, options.voices, options.recall
            )
            # What the hints tell is of use at once: it need not pass through the backbone first.
            inner = 2 * options.embedding
            self.shortcut = nn.Sequential(
                nn.Linear(options.embedding, inner), nn.SiLU(), nn.Linear(inner, self.backbone.width)
            )

    def read(self, tokens: Tensor, state: State = None) -> tuple[Tensor, State]:
        """``[batch, time]`` -> logits of the token after each, ``[batch, time, size]``; the state after the last."""
        tokens = tokens.clamp(min=0)  # padding comes after everything that is scored: nothing hears it
        memory, noted = (None, None) if state is None else state
        if self.hints is None:
            vectors = self._vectors(tokens)
            context, memory = self.backbone(vectors if self.embedding is None else self.dropout(vectors), memory)
            return self.head.logits(self.dropout(context)), (memory, noted)
        hinted, told, noted = self.hints.read(tokens, noted)
        vectors = self.dropout(self._vectors(tokens) + hinted)
        context, memory = self.backbone(vectors, memory)
        context = self.dropout(context + self.shortcut(vectors))
        return self.head.logits(context) + self.hints.logits(context, told, self.size), (memory, noted)

    def _vectors(self, tokens: Tensor) -> Tensor:
        if self.embedding is None:
            return functional.one_hot(tokens, self.size).to(torch.get_default_dtype())
        return self.embedding(tokens)

    def loss(self, frames: Tensor) -> Mapping[str, Tensor]:
        logits, _ = self.read(frames[:, :-1])
        told = token_nll(logits.flatten(0, 1), frames[:, 1:].flatten())
        loss = told.sum() / (frames[:, 1:] != PADDING).sum()
        return {"loss": loss, "nll": loss.detach()}

    def log_likelihood(self, frames: Tensor) -> Tensor:
        """Nats of each token but the first, ``[batch, time - 1]``; 0 for `PADDING`."""
        pieces = zip(self._pieces(frames[:, :-1]), frames[:, 1:].split(PIECE, dim=1), strict=True)
        told = [token_nll(logits.flatten(0, 1), target.flatten()).view(target.shape) for (logits, _), target in pieces]
        return -torch.cat(told, dim=1)

    def start(self, prompt: Tensor) -> State:
        *_, (logits, state) = self._pieces(prompt)
        return logits[:, -1], state

    def log_probabilities(self, state: State) -> Tensor:
        """Of the next token, ``[batch, size]``."""
        return state[0].log_softmax(-1)

    def step(self, state: State, sampling: Sampling) -> tuple[Tensor, State]:
        logits, memory = state
        token = sample_tokens(logits, sampling)
        logits, memory = self.read(token.unsqueeze(1), memory)
        return token, (logits[:, -1], memory)

    def _pieces(self, tokens: Tensor) -> Iterator[tuple[Tensor, State]]:
        state: State = None
        for piece in tokens.split(PIECE, dim=1):
            logits, state = self.read(piece, state)
            yield logits, state
