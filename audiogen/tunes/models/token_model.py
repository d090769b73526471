"""Token Model: embedding, Backbone and Head, with auxiliary features and copy heads; autoregressive."""

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
from audiogen.tunes.model_state import map_state
from audiogen.tunes.models.auxiliary_features import AuxiliaryFeatures

CHUNK = 1024  # tokens read at a time: prompts of any length in bounded memory


@dataclass(frozen=True)
class TokenModelOptions:
    """Options of the Model ``tokens``.

    Args:
        backbone: one of `BACKBONES`.
        head: one of `TOKEN_HEADS`.
        embedding: size of token embeddings; 0 for one-hot input.
        dropout: dropout rate of embeddings and of the Head's input.
        voices: number of parts whose position and notes are tracked (`audiogen.tunes.models.score_tracker`), with a
            pitch-class profile (`audiogen.tunes.models.pitch_class_profile`), in tokens of the scheme events; 0 for
            none.
        match_length: number of past tokens that suffix matches are searched in (`audiogen.tunes.models.copy_head`); 0
            for none.
    """

    backbone: Choice = choice(BACKBONES, "lstm")
    head: Choice = choice(TOKEN_HEADS, "categorical")
    embedding: NonNegativeInt = 128
    dropout: FractionBelowOne = 0.1
    voices: NonNegativeInt = 0
    match_length: NonNegativeInt = 0

    def __post_init__(self) -> None:
        if not self.embedding and (self.voices or self.match_length):
            raise ValueError("voices and match_length need an embedding")


class TokenModel(Model):
    """p(token | earlier tokens). Frames are tokens ``[batch, time]`` int64; `PADDING` may follow the end of a tune.

    Attribute names are keys of saved weights.

    Args:
        features: size of the vocabulary.
        options: see `TokenModelOptions`.
        vocabulary: names of the tokens, required with ``options.voices``.

    Raises:
        InputError: voices cannot be tracked in these tokens.
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
        if options.voices or options.match_length:
            names = vocabulary or [""] * features
            self.hints = AuxiliaryFeatures(
                names, options.embedding, self.backbone.width, options.voices, options.match_length
            )
            # Auxiliary features are useful without the backbone, and bypass it as well.
            inner = 2 * options.embedding
            self.shortcut = nn.Sequential(
                nn.Linear(options.embedding, inner), nn.SiLU(), nn.Linear(inner, self.backbone.width)
            )

    def read(self, tokens: Tensor, state: State = None, at: Tensor | None = None) -> tuple[Tensor, State]:
        """Logits of the token after each of ``[batch, time]``, ``[batch, time, size]``, and the state.

        Args:
            tokens: to read.
            state: before them; None for the beginning.
            at: where to compute logits, ``[batch, time]`` bool; they are then ``[positions, size]``.
        """
        tokens = tokens.clamp(min=0)  # padding comes after everything that is scored
        memory, auxiliary_state = (None, None) if state is None else state
        if self.hints is None:
            vectors = self._vectors(tokens)
            context, memory = self.backbone(vectors if self.embedding is None else self.dropout(vectors), memory)
            context = self.dropout(context)
            return self.head.logits(context if at is None else context[at]), (memory, auxiliary_state)
        auxiliary, features, auxiliary_state = self.hints.read(tokens, auxiliary_state)
        vectors = self.dropout(self._vectors(tokens) + auxiliary)
        context, memory = self.backbone(vectors, memory)
        context = self.dropout(context + self.shortcut(vectors))
        if at is not None:
            context, features = map_state(lambda values: values[at][None], (context, features))
        logits = self.head.logits(context) + self.hints.logits(context, features, self.size)
        return logits if at is None else logits[0], (memory, auxiliary_state)

    def _vectors(self, tokens: Tensor) -> Tensor:
        if self.embedding is None:
            return functional.one_hot(tokens, self.size).to(torch.get_default_dtype())
        return self.embedding(tokens)

    def loss(self, frames: Tensor) -> Mapping[str, Tensor]:
        logits, _ = self.read(frames[:, :-1])
        per_token = token_nll(logits.flatten(0, 1), frames[:, 1:].flatten())
        loss = per_token.sum() / (frames[:, 1:] != PADDING).sum()
        return {"loss": loss, "nll": loss.detach()}

    def log_likelihood(self, frames: Tensor) -> Tensor:
        """Log-likelihood of each token but the first, nats, ``[batch, time - 1]``; 0 for `PADDING`."""
        chunks = zip(self._chunks(frames[:, :-1]), frames[:, 1:].split(CHUNK, dim=1), strict=True)
        per_token = [
            token_nll(logits.flatten(0, 1), target.flatten()).view(target.shape) for (logits, _), target in chunks
        ]
        return -torch.cat(per_token, dim=1)

    def start(self, prompt: Tensor) -> State:
        *_, (logits, state) = self._chunks(prompt)
        return logits[:, -1], state

    def log_probabilities(self, state: State) -> Tensor:
        """Log-probabilities of the next token, ``[batch, size]``."""
        return state[0].log_softmax(-1)

    def step(self, state: State, sampling: Sampling) -> tuple[Tensor, State]:
        token = sample_tokens(state[0], sampling)
        return token, self.advance(state, token)

    def advance(self, state: State, tokens: Tensor) -> State:
        """The state after reading one given token for each row, ``[batch]``."""
        logits, memory = self.read(tokens.unsqueeze(1), state[1])
        return logits[:, -1], memory

    def _chunks(self, tokens: Tensor) -> Iterator[tuple[Tensor, State]]:
        state: State = None
        for chunk in tokens.split(CHUNK, dim=1):
            logits, state = self.read(chunk, state)
            yield logits, state
