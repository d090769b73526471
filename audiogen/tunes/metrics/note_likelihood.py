"""How surprised a Model of tokens is by whole tunes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from audiogen.tunes.metrics.symbolic_metrics import Likelihood, likelihood
from audiogen.tunes.tokens.tokenizer import Tokenizer
from audiogen.tunes.tune import Tune


class Likely(Protocol):
    """A Model that says how likely tokens are: `TokenModel`, `Markov`."""

    def log_likelihood(self, frames: Tensor) -> Tensor:
        """Nats of each token but the first."""


@torch.no_grad()
def likelihood_of(model: Likely, tokenizer: Tokenizer, tunes: Sequence[Tune]) -> Likelihood:
    """The negative log-likelihood of whole tunes, from their first token (given) to the end token (scored).

    Args:
        model: in evaluation mode.
        tunes: at least one note among them.
    """
    nats = [-float(model.log_likelihood(torch.from_numpy(tokenizer.encode(tune))[None]).sum()) for tune in tunes]
    return likelihood(nats, [tokenizer.quantised(tune) for tune in tunes])
