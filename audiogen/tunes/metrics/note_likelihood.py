"""Negative log-likelihood of whole tunes under a token Model, per note and per second."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from audiogen.tunes.tokens.tokenizer import Tokenizer
from audiogen.tunes.tune import Tune


class LikelihoodModel(Protocol):
    """A token Model with a likelihood: `TokenModel`, `Markov`."""

    def log_likelihood(self, frames: Tensor) -> Tensor:
        """Log-likelihood of each token but the first, nats."""


@dataclass(frozen=True)
class Likelihood:
    """Negative log-likelihood of a set of tunes.

    Args:
        nats: of all tokens.
        notes: number of notes in those tokens.
        seconds: their duration.
    """

    nats: float
    notes: int
    seconds: float

    @property
    def per_note(self) -> float:
        """Nats per note: comparable between token schemes that keep the same details of the same notes."""
        return self.nats / self.notes

    @property
    def per_second(self) -> float:
        """Nats per second of music."""
        return self.nats / self.seconds


@torch.no_grad()
def likelihood_of(model: LikelihoodModel, tokenizer: Tokenizer, tunes: Sequence[Tune]) -> Likelihood:
    """Teacher-forced negative log-likelihood of whole tunes: all tokens after the first, end token included.

    Args:
        model: in evaluation mode.
        tokenizer: the scheme that the model was trained on.
        tunes: with at least one note among them.
    """
    nats = [-float(model.log_likelihood(torch.from_numpy(tokenizer.encode(tune))[None]).sum()) for tune in tunes]
    return pooled(nats, [tokenizer.quantised(tune) for tune in tunes])


def pooled(nats: Iterable[float], tunes: Sequence[Tune]) -> Likelihood:
    """The likelihood of several tunes together.

    Args:
        nats: of each tune, summed over all its tokens but the first.
        tunes: as the tokens hold them (`Tokenizer.quantised`).
    """
    notes = sum(len(tune.notes) for tune in tunes)
    return Likelihood(float(sum(nats)), notes, float(sum(tune.seconds for tune in tunes)))
