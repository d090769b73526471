"""Bar-lag copying: what stood at the same position some bars earlier, as a suggestion for the next token.

Tunes repeat their phrases, and whole sections, a number of bars later. A suffix match (`SuffixMatcher`) needs a few
repeated tokens before it can continue them, and has none where a section ends and an earlier one returns. Here, bars at
the distances of Museformer (Yu et al. 2022, arXiv 2210.10349) are looked up by the position in the bar, and the network
learns when to trust which of them.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from audiogen.tunes.models.suffix_match import BUCKETS, MISMATCH_DECAY, match_bucket
from audiogen.tunes.tokens.grammar import Vocabulary

LAGS = (1, 2, 4, 8, 12, 16, 24, 32)  # bars
IGNORED, MOVE, PITCH, TIE, DURATION, PART = range(6)
KINDS = {"bar": MOVE, "later": MOVE, "position": MOVE, "pitch": PITCH, "tie": TIE, "duration": DURATION, "part": PART}
MAX_PARTS, MAX_POSITIONS, MAX_INDEX, MAX_BARS = 64, 256, 1 << 13, 1 << 20
"""Limits of what is packed into one lookup key: row of the batch, bar, position, kind, part, index."""
BAR_STRIDE = MAX_POSITIONS * 8 * MAX_PARTS
ROW_STRIDE = MAX_BARS * BAR_STRIDE * MAX_INDEX
LEVELS = 2 * BUCKETS + 1
INIT_STD = 0.1  # of embeddings, of which one per lag is added to others
QUERY, AFTER = range(2)
State = tuple[Tensor, Tensor, Tensor]
BarLagFeatures = tuple[Tensor, Tensor]
"""For each lag, ``[batch, time, lags]`` int64: the suggested token, and its level by how well previous ones agreed (0
for no suggestion)."""


class BarLagCopy(nn.Module):
    """Suggests a token for each of the `LAGS`, as input embeddings and output logits.

    Attribute names are keys of saved weights.

    Args:
        vocabulary: of the scheme ``events``.
        length: number of past tokens that are searched.
        embedding: size of token embeddings.
        context: size of the Head's input.
    """

    def __init__(self, vocabulary: Vocabulary, length: int, embedding: int, context: int) -> None:
        super().__init__()
        self.length = length
        self.kinds = np.array([KINDS.get(event.kind, IGNORED) for event in vocabulary.events])
        self.parts = vocabulary.tokens("part")
        self.vectors = nn.EmbeddingBag(len(LAGS) * LEVELS, embedding, mode="sum")
        nn.init.normal_(self.vectors.weight, std=INIT_STD)
        self.trust = nn.Linear(context, len(LAGS))
        self.match = nn.Parameter(torch.zeros(len(LAGS), LEVELS))

    def start(self, batch: int) -> State:
        """State before the first token.

        Returns:
            Past tokens, ``[batch, length, 4]`` int64: two keys under which each is found, the token, its part; the
            current keys, ``[batch, 2]``; for each lag the strength of its agreement, whether it was right the last
            time, and its suggestion, ``[batch, lags, 3]``.
        """
        past = torch.full((batch, self.length, 4), -1)
        return past, torch.full((batch, 2), -1), torch.tensor([0.0, 0.0, -1.0]).repeat(batch, len(LAGS), 1)

    def read(self, tokens: Tensor, positions: Tensor, state: State) -> tuple[BarLagFeatures, State]:
        """Suggest tokens after each of the tokens.

        Args:
            tokens: ``[batch, time]``.
            positions: bar, position in it and current part after each token, ``[batch, time, 3]``.
            state: before the first of them.
        """
        read, kinds = tokens.numpy(), self.kinds[tokens.numpy()]
        past, current, agreement = (each.numpy() for each in state)
        bars, steps, parts = np.moveaxis(positions.numpy(), -1, 0).clip(0)
        bars, steps = bars.clip(max=MAX_BARS - 1), steps.clip(max=MAX_POSITIONS - 1)
        parts = parts.clip(max=MAX_PARTS - 1)
        keys = bars * BAR_STRIDE + (steps * 8 + kinds) * MAX_PARTS + (kinds >= PITCH) * parts
        content = (kinds >= MOVE) & (kinds <= DURATION)
        after = _latest(keys, content, current[:, AFTER])
        queries = _latest(keys, kinds > IGNORED, current[:, QUERY])
        before = np.concatenate([current[:, AFTER, None], after[:, :-1]], axis=1)
        by_part = keys + (PART - PITCH) * MAX_PARTS
        entries = [np.where(content, before, -1), np.where(kinds == PITCH, by_part, -1), read, parts]
        past = np.concatenate([past, np.stack(entries, axis=2)], axis=1)
        suggested = self._look_up(past, queries, parts)
        levels, agreement = _agreement_levels(read, kinds, suggested, agreement)
        current = np.stack([queries[:, -1], after[:, -1]], axis=1)
        kept = (past[:, -self.length :], current, agreement)
        features = (torch.from_numpy(suggested.clip(0)), torch.from_numpy(levels))
        return features, tuple(torch.from_numpy(np.ascontiguousarray(each)) for each in kept)  # type: ignore[return-value]

    def _look_up(self, past: np.ndarray, queries: np.ndarray, parts: np.ndarray) -> np.ndarray:
        """Suggested tokens ``[batch, time, lags]``, -1 for none.

        If a key occurs for the n-th time in its bar, its n-th occurrence in the earlier bar is taken.
        """
        batch, time = queries.shape
        rows = np.arange(batch)[:, None] * ROW_STRIDE
        row, index, column = np.nonzero(past[..., :2] >= 0)
        table = np.sort(row * ROW_STRIDE + past[row, index, column] * MAX_INDEX + index)
        now = past.shape[1] - time + np.arange(time)
        oldest = now - self.length  # the first remembered token at each step
        key = rows + queries * MAX_INDEX
        count = np.searchsorted(table, key + now + 1) - np.searchsorted(table, key + oldest)
        wanted = queries[..., None] - np.array(LAGS) * BAR_STRIDE
        first = rows[..., None] + wanted.clip(0) * MAX_INDEX
        entry = np.append(table, -1)[
            np.minimum(np.searchsorted(table, first + oldest[:, None]) + count[..., None], len(table))
        ]
        found = (entry // MAX_INDEX == first // MAX_INDEX) & (wanted >= 0)
        _, _, token, part = np.moveaxis(
            past[np.arange(batch)[:, None, None], np.where(found, entry % MAX_INDEX, 0)], -1, 0
        )
        other_part = (self.kinds[token.clip(0)] == PITCH) & (part != parts[..., None])
        token = np.where(other_part, self.parts[part.clip(0, len(self.parts) - 1)], token)
        return np.where(found, token, -1)

    def embed(self, features: BarLagFeatures) -> Tensor:
        """Embeddings ``[batch, time, embedding]`` of how well each lag has agreed."""
        _, levels = features
        rows = levels + LEVELS * torch.arange(len(LAGS), device=levels.device)
        return self.vectors(rows.flatten(0, 1)).view(*levels.shape[:2], -1)

    def logits(self, context: Tensor, features: BarLagFeatures) -> Tensor:
        """Logits ``[batch, time, lags]`` to add to those of the suggested tokens."""
        _, levels = features
        match = self.match.expand(*levels.shape[:2], -1, -1).gather(-1, levels[..., None])[..., 0]
        return (self.trust(context) + match) * (levels > 0)


def _latest(keys: np.ndarray, selected: np.ndarray, before: np.ndarray) -> np.ndarray:
    """The latest selected key at each step, ``[batch, time]``; ``before`` the first one."""
    latest = np.maximum.accumulate(np.where(selected, np.arange(keys.shape[1]), -1), axis=1)
    values = np.take_along_axis(keys, latest.clip(0), axis=1)
    return np.where(latest < 0, before[:, None], values)


def _agreement_levels(
    tokens: np.ndarray, kinds: np.ndarray, suggested: np.ndarray, agreement: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Levels ``[batch, time, lags]`` of suggestions by how well previous ones agreed with the tokens, and the state."""
    strength, right, expected = np.moveaxis(agreement, -1, 0)
    levels = np.zeros(suggested.shape, np.int64)
    for step in range(tokens.shape[1]):
        scored = (expected >= 0) & (kinds[:, step, None] > IGNORED)
        hit = expected == tokens[:, step, None]
        increased = strength + (kinds[:, step, None] == PITCH)  # rhythms agree too often to be informative
        strength = np.where(scored, np.where(hit, increased, strength * MISMATCH_DECAY), strength)
        right = np.where(scored, hit, right)
        expected = suggested[:, step]
        level = 1 + match_bucket(strength) + BUCKETS * (right > 0)
        levels[:, step] = np.where(expected >= 0, level, 0)
    return levels, np.stack([strength, right, expected], axis=-1).astype(np.float32)
