"""What a token Model is told beside the tokens: the `Score`, and what the `Recall` of earlier tokens suggests."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from audiogen.models.base import State
from audiogen.models.recall import Recall
from audiogen.models.score import WIDEST, Score

SCALE = 0.25  # of the untrained vectors: many of them are added up
Told = tuple[Tensor | None, Tensor | None, Tensor | None]
"""Of each token: the last pitch of the part that speaks (-1: none), the recalled token, and how good the match is."""


class Hints(nn.Module):
    """Vectors that are added to those of the tokens, and logits that are added to those of the Head.

    Args:
        vocabulary: names of the tokens, or as many empty ones.
        embedding: size of the tokens' vectors.
        context: size of the context that the Head is given.
        voices: parts that the score follows; 0 for no score.
        recall: tokens that are recalled; 0 for none.

    Raises:
        InputError: voices cannot be followed in these tokens.
    """

    first: Tensor
    pitches: Tensor

    def __init__(self, vocabulary: Sequence[str], embedding: int, context: int, voices: int, recall: int) -> None:
        super().__init__()
        self.score = Score(vocabulary, voices) if voices else None
        self.recall = Recall(recall) if recall else None
        sizes = (self.score.sizes if self.score else []) + ([self.recall.size] if self.recall else [])
        self.facts = nn.EmbeddingBag(sum(sizes), embedding, mode="sum")
        nn.init.normal_(self.facts.weight, std=SCALE)
        self.register_buffer("first", torch.tensor([0, *sizes[:-1]]).cumsum(0), persistent=False)
        if self.score:
            self.register_buffer("pitches", self.score.pitches, persistent=False)
            self.intervals = nn.Linear(context, 2 * WIDEST + 1)
        if self.recall:
            self.recalled = nn.Embedding(len(vocabulary), embedding)
            nn.init.normal_(self.recalled.weight, std=SCALE)
            self.trust = nn.Linear(context, 1)
            self.match = nn.Embedding(self.recall.size, 1)
            nn.init.zeros_(self.match.weight)

    def read(self, tokens: Tensor, state: State = None) -> tuple[Tensor, Told, State]:
        """Vectors ``[batch, time, embedding]`` after each token of ``[batch, time]``, what `logits` needs, the state.

        The tokens are followed on the CPU, one by one: the numbers are few, the cases many.
        """
        heard = tokens.cpu()
        score, recall = (None, None) if state is None else state
        columns: list[Tensor] = []
        own = recalled = strength = None
        if self.score:
            facts, own, score = self.score.read(heard, self.score.start(len(heard)) if score is None else score)
            columns.append(facts)
        if self.recall:
            recall = self.recall.start(len(heard)) if recall is None else recall
            recalled, strength, recall = self.recall.read(heard, recall)
            columns.append(strength[..., None])
        facts = torch.cat(columns, dim=-1).to(tokens.device) + self.first
        vectors = self.facts(facts.flatten(0, 1)).view(*tokens.shape, -1)
        own, recalled, strength = (
            value if value is None else value.to(tokens.device) for value in (own, recalled, strength)
        )
        if recalled is not None and strength is not None:
            vectors = vectors + self.recalled(recalled) * (strength > 0)[..., None]
        return vectors, (own, recalled, strength), (score, recall)

    def logits(self, context: Tensor, told: Told, size: int) -> Tensor:
        """What is added to the Head's logits: ``[batch, time, size]`` from contexts ``[batch, time, context]``."""
        own, recalled, strength = told
        added = context.new_zeros(*context.shape[:-1], size)
        if own is not None:
            # A pitch by its interval to the part's last one: what is learned in one key holds in all.
            steps = torch.arange(len(self.pitches), device=own.device) - own[..., None]
            near = (steps.abs() <= WIDEST) & (own >= 0)[..., None]
            wide = self.intervals(context).gather(-1, (steps + WIDEST).clamp(0, 2 * WIDEST))
            added = added.index_add(-1, self.pitches, wide * near)
        if recalled is not None and strength is not None:
            trusted = (self.trust(context) + self.match(strength)) * (strength > 0)[..., None]
            added = added.scatter_add(-1, recalled[..., None], trusted)
        return added
