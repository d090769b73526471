"""Auxiliary input embeddings and output logits of a token Model: score features, pitch-class profile, copy heads."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from audiogen.models.base import State
from audiogen.tunes.models.bar_lag_copy import BarLagCopy, BarLagFeatures
from audiogen.tunes.models.copy_head import CopyFeatures, CopyHead
from audiogen.tunes.models.pitch_class_profile import PITCH_CLASSES, PitchClassProfile
from audiogen.tunes.models.score_tracker import MAX_INTERVAL, WAITING, ScoreTracker
from audiogen.tunes.tokens.grammar import Vocabulary

INIT_STD = 0.25  # of embeddings: many of them are added
ScoreFeatures = tuple[Tensor, Tensor, Tensor, Tensor]
"""After each token: anchors of the next pitch (-1: none), pitch-class profile, first token on the way to the next note
end (-1: none), and whether a part's note has ended."""
Features = tuple[ScoreFeatures | None, list[CopyFeatures], BarLagFeatures | None]


class AuxiliaryFeatures(nn.Module):
    """Embeddings to add to those of the tokens, and logits to add to those of the Head.

    Attribute names are keys of saved weights.

    Args:
        names: of the tokens; empty ones if only suffix matches are used.
        embedding: size of token embeddings.
        context: size of the Head's input.
        voices: number of parts that the score features track; 0 for neither score features nor profile.
        match_length: number of past tokens that copies are searched in; 0 for no copy heads.

    Raises:
        InputError: voices cannot be tracked in these tokens.
    """

    first: Tensor
    pitches: Tensor
    reach: Tensor

    def __init__(self, names: Sequence[str], embedding: int, context: int, voices: int, match_length: int) -> None:
        super().__init__()
        vocabulary = Vocabulary(names)
        self.tracker = ScoreTracker(vocabulary, voices) if voices else None
        classes = [list(range(len(vocabulary)))] if match_length else []
        if self.tracker:
            sizes = self.tracker.sizes
            self.facts = nn.EmbeddingBag(sum(sizes), embedding, mode="sum")
            nn.init.normal_(self.facts.weight, std=INIT_STD)
            self.register_buffer("first", torch.tensor([0, *sizes[:-1]]).cumsum(0), persistent=False)
            self.register_buffer("pitches", self.tracker.pitches, persistent=False)
            self.intervals = nn.Linear(context, self.tracker.anchors * (2 * MAX_INTERVAL + 1))
            self.profile = PitchClassProfile(vocabulary, embedding, context)
            self.register_buffer("reach", self.tracker.reach, persistent=False)
            self.moves = nn.Linear(context, 3)
            # A second copy head matches rhythms: all pitches are in one class.
            pitches = vocabulary.tokens("pitch").tolist()
            classes += [[pitches[0] if token in pitches else token for token in row] for row in classes]
        echoes = [CopyHead(row, match_length, embedding, context) for row in classes]
        self.repeats = BarLagCopy(vocabulary, match_length, embedding, context) if voices and match_length else None
        self.echoes: Sequence[CopyHead] = nn.ModuleList(echoes)  # type: ignore[assignment]

    def read(self, tokens: Tensor, state: State = None) -> tuple[Tensor, Features, State]:
        """Compute the embeddings ``[batch, time, embedding]`` after each of the tokens ``[batch, time]``.

        The tokens are tracked on the CPU, one by one: there are few numbers and many cases.

        Returns:
            The embeddings, the features for `logits`, and the state after the last token.
        """
        score_state, copy_states, lag_state = (None, [None] * len(self.echoes), None) if state is None else state
        read = [head.read(tokens, before) for head, before in zip(self.echoes, copy_states, strict=True)]
        vectors: list[Tensor] = [embedded for embedded, _, _ in read]
        score: ScoreFeatures | None = None
        lagged: BarLagFeatures | None = None
        if self.tracker:
            embedded, score, positions, score_state = self._read_score(tokens, score_state)
            vectors.append(embedded)
        if self.repeats:
            lag_state = self.repeats.start(len(tokens)) if lag_state is None else lag_state
            lagged, lag_state = self.repeats.read(tokens.cpu(), positions, lag_state)
            lagged = (lagged[0].to(tokens.device), lagged[1].to(tokens.device))
            vectors.append(self.repeats.embed(lagged))
        return (
            torch.stack(vectors).sum(0),
            (score, [features for _, features, _ in read], lagged),
            (score_state, [after for *_, after in read], lag_state),
        )

    def _read_score(self, tokens: Tensor, state: State) -> tuple[Tensor, ScoreFeatures, Tensor, State]:
        """Embeddings, features, positions and state of the score tracker and the pitch-class profile."""
        batch, device = len(tokens), tokens.device
        assert self.tracker is not None
        before, counts = (self.tracker.start(batch), self.profile.start(batch)) if state is None else state
        features, anchors, due, positions, after = self.tracker.read(tokens.cpu(), before)
        waiting = features[..., WAITING] > 0
        profile, counts = self.profile.read(tokens, counts)
        anchors, rows = anchors.to(device), features.to(device) + self.first
        vectors = self.facts(rows.flatten(0, 1)).view(*tokens.shape, -1)
        vectors = vectors + self.profile.seen_from(profile, anchors[..., 0])
        return vectors, (anchors, profile, due.to(device), waiting.to(device)), positions, (after, counts)

    def logits(self, context: Tensor, features: Features, size: int) -> Tensor:
        """Logits to add to those of the Head, ``[batch, time, size]``.

        Args:
            context: input of the Head, ``[batch, time, context]``.
            features: from `read`.
            size: of the vocabulary.
        """
        score, copied, lagged = features
        added = context.new_zeros(*context.shape[:-1], size)
        if score is not None:
            anchors, profile, due, waiting = score
            added = added.index_add(-1, self.pitches, self._pitch_logits(context, anchors, profile))
            added = added + self._move_logits(context, due, waiting)
        for head, (token, level) in zip(self.echoes, copied, strict=True):
            added = added.scatter_add(-1, token[..., None], head.logits(context, (token, level)))
        if self.repeats and lagged is not None:
            added = added.scatter_add(-1, lagged[0], self.repeats.logits(context, lagged))
        return added

    def _pitch_logits(self, context: Tensor, anchors: Tensor, profile: Tensor) -> Tensor:
        """Logits ``[batch, time, 128]`` of pitches by their class in the profile and their intervals to the anchors.

        Both are transposition-equivariant: what is learned in one key holds in all.
        """
        pitches = torch.arange(len(self.pitches), device=anchors.device)
        expected = self.profile.logits(profile, context)[..., pitches % PITCH_CLASSES]
        steps = pitches - anchors[..., None]
        near = (steps.abs() <= MAX_INTERVAL) & (anchors >= 0)[..., None]
        by_interval = self.intervals(context).unflatten(-1, (anchors.shape[-1], -1))
        wide = by_interval.gather(-1, (steps + MAX_INTERVAL).clamp(0, 2 * MAX_INTERVAL))
        return expected + (wide * near).sum(-2)

    def _move_logits(self, context: Tensor, due: Tensor, waiting: Tensor) -> Tensor:
        """Logits ``[batch, time, size]`` of tokens that advance time, relative to the next note end.

        One logit for the token that leads to it, one for those that lead beyond it, and one for all while a part
        is silent: voices are rarely silent, so that each case is learned by itself.
        """
        farthest = torch.where(due >= 0, self.reach[due.clamp(min=0)], len(self.reach))[..., None]
        exact, beyond, leaving = self.moves(context).split(1, dim=-1)
        waits = (self.reach >= 0) & waiting[..., None]
        return exact * (self.reach == farthest) + beyond * (self.reach > farthest) + leaving * waits
