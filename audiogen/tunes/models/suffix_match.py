"""Suffix matching: the token that followed the longest earlier occurrence of the latest tokens.

Attention can learn this ("induction heads", Olsson et al. 2022, arXiv 2209.11895) with enough training; a recurrent
network hardly can. Here it is computed, and the network learns how far to trust it, as in a pointer network (Merity et
al. 2017, "Pointer Sentinel Mixture Models", arXiv 1609.07843).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

MISMATCH_DECAY = 0.5
"""Factor on a match's strength at a token that differs: variations do not lose the alignment."""
BUCKETS = 12
NO_TOKEN = -1


class SuffixMatcher:
    """Finds the continuation of the longest suffix match, token by token, in a batch of sequences.

    Args:
        length: number of past tokens that are searched.

    Attributes:
        size: number of different match levels.
    """

    def __init__(self, length: int) -> None:
        self.length = length
        self.size = 2 * BUCKETS

    def start(self, batch: int) -> Tensor:
        """State before the first token, ``[batch, length, 2]`` float32.

        For each past position its token, and the strength of the match between what led to it and the latest tokens.
        """
        state = torch.zeros(batch, self.length, 2)
        state[..., 0] = NO_TOKEN
        return state

    def read(self, tokens: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Suggest a continuation after each of the tokens ``[batch, time]``.

        Returns:
            The token that followed the best match (the latest of equally good ones), ``[batch, time]`` int64; the level
            of the match, ``[batch, time]`` int64 in 0..size - 1; the state after the last token. Token and level are 0
            where there is no match.
        """
        batch, time = tokens.shape
        past = np.concatenate([state[..., 0].numpy(), tokens.numpy().astype(np.float32)], axis=1)
        strengths = np.zeros_like(past)
        strengths[:, : self.length] = state[..., 1].numpy()
        suggested = np.zeros((2, batch, time), np.int64)
        rows = np.arange(batch)
        known = int((past != NO_TOKEN).any(axis=0).argmax())  # no sequence has tokens before this position
        for step in range(time):
            now = self.length + step
            first = min(max(known, step), now - 1)
            equal = past[:, first:now] == past[:, now : now + 1]
            # Strengths of the previous step, one position earlier; for the oldest position it is no longer known.
            before = np.concatenate([np.zeros((batch, 1), np.float32), strengths[:, first : now - 1]], axis=1)
            strengths[:, first:now] = np.where(equal, before + 1, before * MISMATCH_DECAY)
            best = now - 1 - strengths[:, first:now][:, ::-1].argmax(axis=1)
            strength = strengths[rows, best]
            exact = past[rows, best] == past[:, now]
            levels = match_bucket(strength) + BUCKETS * exact
            suggested[:, :, step] = np.where(strength >= 1, [past[rows, best + 1], levels], 0)
        kept = torch.from_numpy(np.stack([past, strengths], axis=2)[:, time:])
        return torch.from_numpy(suggested[0]), torch.from_numpy(suggested[1]), kept


def match_bucket(strength: np.ndarray) -> np.ndarray:
    """Strength of matches on a logarithmic scale, 0 (less than one token) to `BUCKETS` - 1, two per octave."""
    return np.minimum(2 * np.log2(np.maximum(strength, 0.75)) + 1, BUCKETS - 1).astype(np.int64)
