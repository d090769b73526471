"""Copy head (pointer network): the suffix match's suggestion as an input embedding and as an output logit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from audiogen.tunes.models.suffix_match import SuffixMatcher

INIT_STD = 0.25  # of embeddings, which are added to others
CopyFeatures = tuple[Tensor, Tensor]
"""After each token: the suggested next token and the level of its match, ``[batch, time]`` int64 each."""


class CopyHead(nn.Module):
    """Suggests the continuation of the longest suffix match, of the tokens themselves or of classes of them.

    With all pitches in one class, rhythms are matched. Attribute names are keys of saved weights.

    Args:
        classes: for each token of the vocabulary, the token that represents it in matches.
        length: number of past tokens that are searched.
        embedding: size of token embeddings.
        context: size of the Head's input.
    """

    classes: Tensor
    unique: Tensor

    def __init__(self, classes: Sequence[int], length: int, embedding: int, context: int) -> None:
        super().__init__()
        self.matcher = SuffixMatcher(length)
        self.register_buffer("classes", torch.tensor(classes), persistent=False)
        # The representative of several tokens does not say which of them follows: it has no logit.
        unique = np.bincount(classes, minlength=len(classes)) == 1
        self.register_buffer("unique", torch.tensor(unique), persistent=False)
        self.tokens = nn.Embedding(len(classes), embedding)
        self.strengths = nn.Embedding(self.matcher.size, embedding)
        for vectors in (self.tokens, self.strengths):
            nn.init.normal_(vectors.weight, std=INIT_STD)
        self.trust = nn.Linear(context, 1)
        self.match = nn.Embedding(self.matcher.size, 1)
        nn.init.zeros_(self.match.weight)

    def read(self, tokens: Tensor, state: Tensor | None) -> tuple[Tensor, CopyFeatures, Tensor]:
        """Embeddings ``[batch, time, embedding]`` after each of ``[batch, time]`` tokens, features, and the state."""
        state = self.matcher.start(len(tokens)) if state is None else state
        suggested, level, state = self.matcher.read(self.classes[tokens].cpu(), state)
        suggested, level = suggested.to(tokens.device), level.to(tokens.device)
        vectors = self.tokens(suggested) * (level > 0)[..., None] + self.strengths(level)
        return vectors, (suggested, level), state

    def logits(self, context: Tensor, features: CopyFeatures) -> Tensor:
        """Logits ``[batch, time, 1]`` to add to those of the suggested tokens."""
        suggested, level = features
        return (self.trust(context) + self.match(level)) * ((level > 0) & self.unique[suggested])[..., None]
