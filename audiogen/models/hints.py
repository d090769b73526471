"""What a token Model is told beside the tokens: the `Score`, the `Profile` of what was heard, and what the `Recall` of
earlier tokens suggests."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from audiogen.models.base import State
from audiogen.models.profile import CLASSES, Profile
from audiogen.models.recall import Recall
from audiogen.models.score import ANCHORS, WIDEST, Score

SCALE = 0.25  # of the untrained vectors: many of them are added up
Told = tuple[tuple[Tensor, Tensor, Tensor] | None, tuple[Tensor, Tensor] | None]
"""Of each token: the pitches that the next is measured from (-1: none), the profile, and the token on the way to the
next end (-1: none); the recalled token, and how good the match is."""


class Hints(nn.Module):
    """Vectors that are added to those of the tokens, and logits that are added to those of the Head.

    Args:
        vocabulary: names of the tokens, or as many empty ones.
        embedding: size of the tokens' vectors.
        context: size of the context that the Head is given.
        voices: parts that the score follows; 0 for neither score nor profile.
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
            self.intervals = nn.Linear(context, ANCHORS * (2 * WIDEST + 1))
            self.profile = Profile(vocabulary, embedding, context)
            self.due = nn.Linear(context, 1)
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
        score, counts, recall = (None, None, None) if state is None else state
        columns: list[Tensor] = []
        sung = recalled = None
        if self.score:
            score = self.score.start(len(heard)) if score is None else score
            counts = self.profile.start(len(heard)) if counts is None else counts
            facts, anchors, due, score = self.score.read(heard, score)
            columns.append(facts)
            profile, counts = self.profile.read(tokens, counts)
            sung = anchors.to(tokens.device), profile, due.to(tokens.device)
        if self.recall:
            found, strength, recall = self.recall.read(
                heard, self.recall.start(len(heard)) if recall is None else recall
            )
            columns.append(strength[..., None])
            recalled = found.to(tokens.device), strength.to(tokens.device)
        facts = torch.cat(columns, dim=-1).to(tokens.device) + self.first
        vectors = self.facts(facts.flatten(0, 1)).view(*tokens.shape, -1)
        if sung is not None:
            vectors = vectors + self.profile.seen_from(sung[1], sung[0][..., 0])
        if recalled is not None:
            vectors = vectors + self.recalled(recalled[0]) * (recalled[1] > 0)[..., None]
        return vectors, (sung, recalled), (score, counts, recall)

    def logits(self, context: Tensor, told: Told, size: int) -> Tensor:
        """What is added to the Head's logits: ``[batch, time, size]`` from contexts ``[batch, time, context]``."""
        sung, recalled = told
        added = context.new_zeros(*context.shape[:-1], size)
        if sung is not None:
            anchors, profile, due = sung
            added = added.index_add(-1, self.pitches, self._of_pitches(context, anchors, profile))
            added = added.scatter_add(-1, due.clamp(min=0)[..., None], self.due(context) * (due >= 0)[..., None])
        if recalled is not None:
            token, strength = recalled
            trusted = (self.trust(context) + self.match(strength)) * (strength > 0)[..., None]
            added = added.scatter_add(-1, token[..., None], trusted)
        return added

    def _of_pitches(self, context: Tensor, anchors: Tensor, profile: Tensor) -> Tensor:
        """Logits ``[batch, time, 128]`` by a pitch's class, seen from the profile, and by its intervals to the anchors:
        what is learned in one key holds in all."""
        pitches = torch.arange(len(self.pitches), device=anchors.device)
        expected = self.profile.logits(profile, context)[..., pitches % CLASSES]
        steps = pitches - anchors[..., None]
        near = (steps.abs() <= WIDEST) & (anchors >= 0)[..., None]
        wide = self.intervals(context).unflatten(-1, (ANCHORS, -1)).gather(-1, (steps + WIDEST).clamp(0, 2 * WIDEST))
        return expected + (wide * near).sum(-2)
