"""What stood at this place some bars ago: tunes repeat their phrases, and whole parts, a number of bars later.

`Recall` says what followed when the tokens last went like this, which needs tokens that have come before: where a part
of a tune is over and begins again, nothing has. Bars at the distances of Museformer (Yu et al. 2022, arXiv 2210.10349)
are looked up instead, by the place in the bar, and the network learns when to trust which of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from audiogen.tunes.models.suffix_match import BUCKETS, FORGETTING, buckets

LAGS = (1, 2, 4, 8, 12, 16, 24, 32)
"""Bars that are looked back."""
IGNORED, MOVE, PITCH, TIE, DURATION, PART = range(6)
KINDS = {"bar": MOVE, "later": MOVE, "position": MOVE, "pitch": PITCH, "tie": TIE, "duration": DURATION, "part": PART}
SPEAKERS, PLACES, INDICES = 64, 256, 1 << 13
"""Bounds of what is packed into one number to be looked up: a bar, a place, a kind, a speaker, an index."""
A_BAR = PLACES * 8 * SPEAKERS
LEVELS = 2 * BUCKETS + 1
SCALE = 0.1  # of the untrained vectors, of which one a lag is added to others
ASKED, AFTER = range(2)
State = tuple[Tensor, Tensor, Tensor]
BarLagFeatures = tuple[Tensor, Tensor]
"""Of each lag: the token that is suggested, and how well those before it were, 0 for no suggestion."""


class BarLagCopy(nn.Module):
    """Suggests a token by each of the `LAGS`.

    Args:
        vocabulary: names of the tokens, of the scheme ``events``.
        length: tokens that are remembered.
        embedding: size of the tokens' vectors.
        context: size of the context that the Head is given.
    """

    def __init__(self, vocabulary: Sequence[str], length: int, embedding: int, context: int) -> None:
        super().__init__()
        self.length = length
        names = [name.partition(" ")[0] for name in vocabulary]
        self.kinds = np.array([KINDS.get(name, IGNORED) for name in names])
        self.parts = np.flatnonzero(self.kinds == PART)
        self.vectors = nn.EmbeddingBag(len(LAGS) * LEVELS, embedding, mode="sum")
        nn.init.normal_(self.vectors.weight, std=SCALE)
        self.trust = nn.Linear(context, len(LAGS))
        self.match = nn.Parameter(torch.zeros(len(LAGS), LEVELS))

    def start(self, batch: int) -> State:
        """The state before the first token: what was said, ``[batch, length, 4]`` int64 (two codes under which it is
        looked up, the token, who spoke); the codes at present; and of each lag its agreement, whether it was right the
        last time, and its suggestion."""
        past = torch.full((batch, self.length, 4), -1)
        return past, torch.full((batch, 2), -1), torch.tensor([0.0, 0.0, -1.0]).repeat(batch, len(LAGS), 1)

    def read(self, tokens: Tensor, places: Tensor, state: State) -> tuple[BarLagFeatures, State]:
        """What is suggested after each of the tokens ``[batch, time]``, by the bar, the place in it and the part that
        speaks after it, ``places`` ``[batch, time, 3]``: ``[batch, time, lags]`` twice; and the state."""
        said, kinds = tokens.numpy(), self.kinds[tokens.numpy()]
        past, now, trusted = (each.numpy() for each in state)
        bars, spots, speakers = np.moveaxis(places.numpy(), -1, 0).clip(0)
        spots, speakers = spots.clip(max=PLACES - 1), speakers.clip(max=SPEAKERS - 1)
        speakes = (kinds >= PITCH) * speakers
        codes = bars * A_BAR + (spots * 8 + kinds) * SPEAKERS + speakes
        content = (kinds >= MOVE) & (kinds <= DURATION)
        after = _held(codes, content, now[:, AFTER])
        asked = _held(codes, kinds > IGNORED, now[:, ASKED])
        before = np.concatenate([now[:, AFTER, None], after[:, :-1]], axis=1)
        by_part = codes + (PART - PITCH) * SPEAKERS
        entries = [np.where(content, before, -1), np.where(kinds == PITCH, by_part, -1), said, speakers]
        past = np.concatenate([past, np.stack(entries, axis=2)], axis=1)
        found = self._found(past, asked, speakers)
        levels, trusted = _agreement(said, kinds, found, trusted)
        now = np.stack([asked[:, -1], after[:, -1]], axis=1)
        kept = (past[:, -self.length :], now, trusted)
        told = (torch.from_numpy(found.clip(0)), torch.from_numpy(levels))
        return told, tuple(torch.from_numpy(np.ascontiguousarray(each)) for each in kept)  # type: ignore[return-value]

    def _found(self, past: np.ndarray, asked: np.ndarray, speakers: np.ndarray) -> np.ndarray:
        """Suggested tokens ``[batch, time, lags]``, -1 for none: what came there for as many times as it has now."""
        batch, time = asked.shape
        first = past.shape[1] - time
        found = np.full((batch, time, len(LAGS)), -1)
        lags = np.array(LAGS) * A_BAR
        for row in range(batch):
            index, column = np.nonzero(past[row, :, :2] >= 0)
            table = np.sort(past[row, index, column] * INDICES + index)
            code, now = asked[row] * INDICES, first + np.arange(time)
            oldest = now - self.length  # the first that is remembered at each moment
            times = np.searchsorted(table, code + now + 1) - np.searchsorted(table, code + oldest)
            wanted = asked[row][:, None] - lags
            place = np.searchsorted(table, wanted * INDICES + oldest[:, None]) + times[:, None]
            there = np.append(table, -1)[np.minimum(place, len(table))]
            known = (there // INDICES == wanted) & (wanted >= 0)
            _, _, token, speaker = np.moveaxis(past[row, np.where(known, there % INDICES, 0)], -1, 0)
            other = (self.kinds[token.clip(0)] == PITCH) & (speaker != speakers[row][:, None])
            token = np.where(other, self.parts[speaker.clip(0, len(self.parts) - 1)], token)
            found[row] = np.where(known, token, -1)
        return found

    def heard(self, told: BarLagFeatures) -> Tensor:
        """Vectors ``[batch, time, embedding]`` of how well each lag has agreed."""
        _, levels = told
        rows = levels + LEVELS * torch.arange(len(LAGS), device=levels.device)
        return self.vectors(rows.flatten(0, 1)).view(*levels.shape[:2], -1)

    def logits(self, context: Tensor, told: BarLagFeatures) -> Tensor:
        """``[batch, time, lags]``, to be added to those of the suggested tokens."""
        _, levels = told
        match = self.match.expand(*levels.shape[:2], -1, -1).gather(-1, levels[..., None])[..., 0]
        return (self.trust(context) + match) * (levels > 0)


def _held(codes: np.ndarray, chosen: np.ndarray, before: np.ndarray) -> np.ndarray:
    """The latest of the chosen codes at each moment, ``[batch, time]``."""
    latest = np.maximum.accumulate(np.where(chosen, np.arange(codes.shape[1]), -1), axis=1)
    held = np.take_along_axis(codes, latest.clip(0), axis=1)
    return np.where(latest < 0, before[:, None], held)


def _agreement(
    said: np.ndarray, kinds: np.ndarray, found: np.ndarray, trusted: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Levels ``[batch, time, lags]`` of the suggestions, by how well those before them agreed with what was said."""
    strength, right, suggested = np.moveaxis(trusted, -1, 0)
    levels = np.zeros(found.shape, np.int64)
    for step in range(said.shape[1]):
        judged = (suggested >= 0) & (kinds[:, step, None] > IGNORED)
        hit = suggested == said[:, step, None]
        better = strength + (kinds[:, step, None] == PITCH)  # rhythms agree too often to tell much
        strength = np.where(judged, np.where(hit, better, strength * FORGETTING), strength)
        right = np.where(judged, hit, right)
        suggested = found[:, step]
        level = 1 + buckets(strength) + BUCKETS * (right > 0)
        levels[:, step] = np.where(suggested >= 0, level, 0)
    return levels, np.stack([strength, right, suggested], axis=-1).astype(np.float32)
