"""What followed when the tokens last went like this: the continuation of the longest earlier match in a sequence.

An attention head can learn to look it up ("induction heads", Olsson et al. 2022, arXiv 2209.11895), with enough
training; a recurrent network hardly can. Here it is looked up, and the network learns how far to trust it (a pointer
as in Merity et al. 2017, "Pointer Sentinel Mixture Models", arXiv 1609.07843).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

FORGETTING = 0.5
"""What is left of a match after a token that differs: variations do not lose the place."""
BUCKETS = 12
NOTHING = -1


class SuffixMatcher:
    """Follows the tokens of a batch of sequences.

    Args:
        length: tokens that are looked back over.
    """

    def __init__(self, length: int) -> None:
        self.length = length
        self.size = 2 * BUCKETS

    def start(self, batch: int) -> Tensor:
        """The state before the first token, ``[batch, length, 2]`` float32: earlier tokens, and how well what came
        before the present agrees with what led to each of them."""
        state = torch.zeros(batch, self.length, 2)
        state[..., 0] = NOTHING
        return state

    def read(self, tokens: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What is recalled after each of the tokens ``[batch, time]``.

        Returns:
            The token that followed the best match (the latest of equal ones), ``[batch, time]`` int64, 0 where there is
            none; how good the match is, ``[batch, time]`` int64 in 0..size - 1, 0 where there is none; the state after
            the last token.
        """
        batch, time = tokens.shape
        past = np.concatenate([state[..., 0].numpy(), tokens.numpy().astype(np.float32)], axis=1)
        agreed = np.zeros_like(past)
        agreed[:, : self.length] = state[..., 1].numpy()
        found = np.zeros((2, batch, time), np.int64)
        rows = np.arange(batch)
        for step in range(time):
            now = self.length + step
            heard = past[:, step:now]
            same = heard == past[:, now : now + 1]
            # Where each place's match stood one token ago; the oldest place has no such neighbour any more.
            before = np.concatenate([np.zeros((batch, 1), np.float32), agreed[:, step : now - 1]], axis=1)
            agreed[:, step:now] = np.where(same, before + 1, before * FORGETTING)
            best = now - 1 - agreed[:, step:now][:, ::-1].argmax(axis=1)
            strength = agreed[rows, best]
            fresh = past[rows, best] == past[:, now]
            found[:, :, step] = np.where(strength >= 1, [past[rows, best + 1], buckets(strength) + BUCKETS * fresh], 0)
        kept = torch.from_numpy(np.stack([past, agreed], axis=2)[:, time:])
        return torch.from_numpy(found[0]), torch.from_numpy(found[1]), kept


def buckets(strength: np.ndarray) -> np.ndarray:
    """How good matches are, 0 (less than one token) to `BUCKETS` - 1, two for each doubling."""
    return np.minimum(2 * np.log2(np.maximum(strength, 0.75)) + 1, BUCKETS - 1).astype(np.int64)
