"""One token of a vocabulary: a softmax, trained by cross-entropy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from audiogen.models.base import Sampling
from audiogen.models.heads.base import Head

PADDING = -1
"""Stands in a batch where a piece has ended already: it is never scored."""


@dataclass(frozen=True)
class CategoricalOptions:
    """A categorical head has no options."""


class Categorical(Head):
    """p(token | context), ``features`` being the size of the vocabulary; a batch of tokens is ``[n]`` int64."""

    Options = CategoricalOptions

    def __init__(self, context: int, features: int, options: CategoricalOptions) -> None:
        super().__init__(context, features, options)
        self.logits = nn.Linear(context, features)

    def loss(self, context: Tensor, frame: Tensor) -> Mapping[str, Tensor]:
        loss = functional.cross_entropy(self.logits(context), frame, ignore_index=PADDING)
        return {"loss": loss, "nll": loss.detach()}

    def log_likelihood(self, context: Tensor, frame: Tensor) -> Tensor:
        """``[n]`` nats of each token; 0 for `PADDING`."""
        return -nats(self.logits(context), frame)

    def sample(self, context: Tensor, sampling: Sampling) -> Tensor:
        return draw(self.logits(context), sampling)


def nats(logits: Tensor, frame: Tensor) -> Tensor:
    """``[n]`` of each token, by ``[n, size]`` logits; 0 for `PADDING`."""
    return functional.cross_entropy(logits, frame, ignore_index=PADDING, reduction="none")


def draw(logits: Tensor, sampling: Sampling) -> Tensor:
    """Tokens ``[n]`` from ``[n, size]`` logits: the allowed ones, by temperature, then top-k, top-p and min-p."""
    if sampling.allowed is not None:
        logits = logits.masked_fill(~sampling.allowed.to(logits.device), -torch.inf)
    if sampling.temperature == 0:
        return logits.argmax(-1)
    share, tokens = (logits.double() / sampling.temperature).softmax(-1).sort(dim=-1, descending=True, stable=True)
    before = share.cumsum(-1) - share
    kept = (before < sampling.top_p) & (share >= sampling.min_p * share[:, :1])
    if sampling.top_k > 0:
        kept[:, sampling.top_k :] = False
    kept[:, 0] = True  # rounding and top_p = 0 leave the likeliest
    cumulated = (share * kept).cumsum(-1)
    place = sampling.uniform(len(logits), 1, device=logits.device).double() * cumulated[:, -1:]
    # The first token whose share reaches beyond the place: one of no share reaches no further than the one before it.
    chosen = torch.searchsorted(cumulated, place, right=True).clamp(max=logits.shape[-1] - 1)
    return tokens.gather(-1, chosen).squeeze(-1)
