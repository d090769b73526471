"""Categorical head: a softmax over the vocabulary, trained with cross-entropy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from audiogen.models.base import Sampling
from audiogen.models.heads.base import Head

PADDING = -1
"""Fills a batch after the end of a shorter sequence; excluded from losses and likelihoods."""


@dataclass(frozen=True)
class CategoricalOptions:
    """A categorical head has no options."""


class Categorical(Head):
    """p(token | context) for tokens ``[n]`` int64; ``features`` is the size of the vocabulary."""

    Options = CategoricalOptions

    def __init__(self, context: int, features: int, options: CategoricalOptions) -> None:
        super().__init__(context, features, options)
        self.logits = nn.Linear(context, features)

    def loss(self, context: Tensor, frame: Tensor) -> Mapping[str, Tensor]:
        loss = functional.cross_entropy(self.logits(context), frame, ignore_index=PADDING)
        return {"loss": loss, "nll": loss.detach()}

    def log_likelihood(self, context: Tensor, frame: Tensor) -> Tensor:
        """Log probability of each token in nats, ``[n]``; 0 for `PADDING`."""
        return -token_nll(self.logits(context), frame)

    def sample(self, context: Tensor, sampling: Sampling) -> Tensor:
        return sample_tokens(self.logits(context), sampling)


def token_nll(logits: Tensor, tokens: Tensor) -> Tensor:
    """Negative log probability in nats of tokens ``[n]`` given ``[n, size]`` logits; 0 for `PADDING`."""
    return functional.cross_entropy(logits, tokens, ignore_index=PADDING, reduction="none")


def sample_tokens(logits: Tensor, sampling: Sampling) -> Tensor:
    """Sample tokens ``[n]`` from ``[n, size]`` logits.

    The mask of allowed tokens and the temperature are applied first, then top-k, top-p and min-p.
    """
    if sampling.allowed is not None:
        logits = logits.masked_fill(~sampling.allowed.to(logits.device), -torch.inf)
    if sampling.temperature == 0:
        return logits.argmax(-1)
    probability = (logits.double() / sampling.temperature).softmax(-1)
    cumulative = (probability * _kept(probability, sampling)).cumsum(-1)
    level = sampling.uniform(len(logits), 1, device=logits.device).double() * cumulative[:, -1:]
    # Inverse transform sampling: the first token whose cumulative probability exceeds the level. right=True passes over
    # tokens of probability zero.
    return torch.searchsorted(cumulative, level, right=True).clamp(max=logits.shape[-1] - 1).squeeze(-1)


def _kept(probability: Tensor, sampling: Sampling) -> Tensor:
    """Which tokens may be sampled by top-k, top-p and min-p, ``[n, size]`` bool. The likeliest one always may."""
    kept = probability >= sampling.min_p * probability.max(-1, keepdim=True).values
    if sampling.top_k > 0 or sampling.top_p < 1:  # sorting takes longer than all else
        ranked, tokens = probability.sort(dim=-1, descending=True, stable=True)
        leading = ranked.cumsum(-1) - ranked < sampling.top_p
        if sampling.top_k > 0:
            leading[:, sampling.top_k :] = False
        leading[:, 0] = True  # also under rounding, or with top_p = 0
        kept &= torch.zeros_like(kept).scatter(-1, tokens, leading)
    return kept
