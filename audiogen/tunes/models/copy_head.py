"""What a `SuffixMatcher` suggests, told to a network: as a vector beside the tokens', and as a logit of its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from audiogen.tunes.models.suffix_match import SuffixMatcher

SCALE = 0.25  # of the untrained vectors, which are added to others
CopyFeatures = tuple[Tensor, Tensor]
"""After each token: the recalled one, and how good the match is."""


class CopyHead(nn.Module):
    """Recalls the tokens as they are, or with some of them taken for one: without their pitches, rhythms come back.

    Args:
        taken: for each token of the vocabulary the one that it is taken for.
        length: tokens that are looked back over.
        embedding: size of the tokens' vectors.
        context: size of the context that the Head is given.
    """

    taken: Tensor
    certain: Tensor

    def __init__(self, taken: Sequence[int], length: int, embedding: int, context: int) -> None:
        super().__init__()
        self.recall = SuffixMatcher(length)
        self.register_buffer("taken", torch.tensor(taken), persistent=False)
        # A token that stands for others does not say which of them it is: it has no logit.
        self.register_buffer("certain", torch.tensor(np.bincount(taken, minlength=len(taken)) == 1), persistent=False)
        self.tokens = nn.Embedding(len(taken), embedding)
        self.strengths = nn.Embedding(self.recall.size, embedding)
        for vectors in (self.tokens, self.strengths):
            nn.init.normal_(vectors.weight, std=SCALE)
        self.trust = nn.Linear(context, 1)
        self.match = nn.Embedding(self.recall.size, 1)
        nn.init.zeros_(self.match.weight)

    def read(self, tokens: Tensor, state: Tensor | None) -> tuple[Tensor, CopyFeatures, Tensor]:
        """Vectors ``[batch, time, embedding]`` after each of the tokens ``[batch, time]``, what `logits` needs, the
        state."""
        state = self.recall.start(len(tokens)) if state is None else state
        found, strength, state = self.recall.read(self.taken[tokens].cpu(), state)
        found, strength = found.to(tokens.device), strength.to(tokens.device)
        vectors = self.tokens(found) * (strength > 0)[..., None] + self.strengths(strength)
        return vectors, (found, strength), state

    def logits(self, context: Tensor, told: CopyFeatures) -> Tensor:
        """``[batch, time, 1]``, to be added to that of the recalled token."""
        found, strength = told
        return (self.trust(context) + self.match(strength)) * ((strength > 0) & self.certain[found])[..., None]
