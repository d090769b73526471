"""Auxiliary input features and output logits of a token Model, computed from the tokens so far."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from audiogen.models.base import State
from audiogen.tunes.models.bar_lag_copy import BarLagCopy, BarLagFeatures
from audiogen.tunes.models.copy_head import CopyFeatures, CopyHead
from audiogen.tunes.models.pitch_class_profile import CLASSES, PitchClassProfile
from audiogen.tunes.models.score_tracker import WAITING, WIDEST, ScoreTracker

SCALE = 0.25  # of the untrained vectors: many of them are added up
ScoreFeatures = tuple[Tensor, Tensor, Tensor, Tensor]
"""After each token: the pitches that the next is measured from (-1: none), the profile, the token on the way to the
next end (-1: none), and whether a part waits for a note."""
CopyInput = tuple[ScoreFeatures | None, list[CopyFeatures], BarLagFeatures | None]


class AuxiliaryFeatures(nn.Module):
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
    reach: Tensor

    def __init__(self, vocabulary: Sequence[str], embedding: int, context: int, voices: int, recall: int) -> None:
        super().__init__()
        self.score = ScoreTracker(vocabulary, voices) if voices else None
        taken = [list(range(len(vocabulary)))] if recall else []
        if self.score:
            sizes = self.score.sizes
            self.facts = nn.EmbeddingBag(sum(sizes), embedding, mode="sum")
            nn.init.normal_(self.facts.weight, std=SCALE)
            self.register_buffer("first", torch.tensor([0, *sizes[:-1]]).cumsum(0), persistent=False)
            self.register_buffer("pitches", self.score.pitches, persistent=False)
            self.intervals = nn.Linear(context, self.score.anchors * (2 * WIDEST + 1))
            self.profile = PitchClassProfile(vocabulary, embedding, context)
            self.register_buffer("reach", self.score.reach, persistent=False)
            self.moves = nn.Linear(context, 3)
            pitches = {index for index, kind in enumerate(self.score.kinds) if kind == "pitch"}
            taken += [[min(pitches) if token in pitches else token for token in row] for row in taken]
        echoes = [CopyHead(each, recall, embedding, context) for each in taken]
        self.repeats = BarLagCopy(vocabulary, recall, embedding, context) if voices and recall else None
        self.echoes: Sequence[CopyHead] = nn.ModuleList(echoes)  # type: ignore[assignment]

    def read(self, tokens: Tensor, state: State = None) -> tuple[Tensor, CopyInput, State]:
        """Vectors ``[batch, time, embedding]`` after each token of ``[batch, time]``, what `logits` needs, the state.

        The tokens are followed on the CPU, one by one: the numbers are few, the cases many.
        """
        followed, recalled, repeated = (None, [None] * len(self.echoes), None) if state is None else state
        read = [each.read(tokens, memory) for each, memory in zip(self.echoes, recalled, strict=True)]
        vectors, sung, ago = [each for each, _, _ in read], None, None
        if self.score:
            heard, sung, places, followed = self._follow(tokens, followed)
            vectors.append(heard)
        if self.repeats:
            repeated = self.repeats.start(len(tokens)) if repeated is None else repeated
            ago, repeated = self.repeats.read(tokens.cpu(), places, repeated)
            ago = (ago[0].to(tokens.device), ago[1].to(tokens.device))
            vectors.append(self.repeats.heard(ago))
        return (
            torch.stack(vectors).sum(0),
            (sung, [told for _, told, _ in read], ago),
            (followed, [kept for *_, kept in read], repeated),
        )

    def _follow(self, tokens: Tensor, state: State) -> tuple[Tensor, ScoreFeatures, Tensor, State]:
        """What `read` returns, of the score and the profile."""
        batch, device = len(tokens), tokens.device
        assert self.score is not None
        score, counts = (self.score.start(batch), self.profile.start(batch)) if state is None else state
        facts, anchors, due, places, score = self.score.read(tokens.cpu(), score)
        waiting = facts[..., WAITING] > 0
        profile, counts = self.profile.read(tokens, counts)
        anchors, rows = anchors.to(device), facts.to(device) + self.first
        vectors = self.facts(rows.flatten(0, 1)).view(*tokens.shape, -1)
        vectors = vectors + self.profile.seen_from(profile, anchors[..., 0])
        return vectors, (anchors, profile, due.to(device), waiting.to(device)), places, (score, counts)

    def logits(self, context: Tensor, told: CopyInput, size: int) -> Tensor:
        """What is added to the Head's logits: ``[batch, time, size]`` from contexts ``[batch, time, context]``."""
        sung, recalled, ago = told
        added = context.new_zeros(*context.shape[:-1], size)
        if sung is not None:
            anchors, profile, due, waiting = sung
            added = added.index_add(-1, self.pitches, self._of_pitches(context, anchors, profile))
            added = added + self._of_moves(context, due, waiting)
        for each, (token, strength) in zip(self.echoes, recalled, strict=True):
            added = added.scatter_add(-1, token[..., None], each.logits(context, (token, strength)))
        if self.repeats and ago is not None:
            added = added.scatter_add(-1, ago[0], self.repeats.logits(context, ago))
        return added

    def _of_pitches(self, context: Tensor, anchors: Tensor, profile: Tensor) -> Tensor:
        """Logits ``[batch, time, 128]`` by a pitch's class, seen from the profile, and by its intervals to the anchors:
        what is learned in one key holds in all."""
        pitches = torch.arange(len(self.pitches), device=anchors.device)
        expected = self.profile.logits(profile, context)[..., pitches % CLASSES]
        steps = pitches - anchors[..., None]
        near = (steps.abs() <= WIDEST) & (anchors >= 0)[..., None]
        told = self.intervals(context).unflatten(-1, (anchors.shape[-1], -1))
        wide = told.gather(-1, (steps + WIDEST).clamp(0, 2 * WIDEST))
        return expected + (wide * near).sum(-2)

    def _of_moves(self, context: Tensor, due: Tensor, waiting: Tensor) -> Tensor:
        """Logits ``[batch, time, size]`` of the token that leads to the next end, of those that lead beyond it, and of
        all that move on while a part waits for a note: few voices are silent, so each case is learned by itself."""
        farthest = torch.where(due >= 0, self.reach[due.clamp(min=0)], len(self.reach))[..., None]
        just, beyond, leaving = self.moves(context).split(1, dim=-1)
        waits = (self.reach >= 0) & waiting[..., None]
        return just * (self.reach == farthest) + beyond * (self.reach > farthest) + leaving * waits
