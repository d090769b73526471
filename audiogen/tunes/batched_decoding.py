"""One token for each of several decoders, in one batch on the Model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from audiogen.models import Model, Sampling, State
from audiogen.tunes.tokens.tokenizer import Decoder


@torch.no_grad()
def step_decoders(
    model: Model, decoders: Sequence[Decoder], state: State, sampling: Sampling, end: int
) -> tuple[list[int], State]:
    """Sample a token for each decoder, among those that its grammar allows, and let it read it.

    Args:
        model: of tokens, in evaluation mode.
        decoders: one for each row of the state.
        state: of the model.
        sampling: how to sample; its ``allowed`` is replaced.
        end: the token that ends a tune, which is never sampled.

    Returns:
        The tokens, and the state after them.
    """
    allowed = np.stack([decoder.allowed() for decoder in decoders])
    allowed[:, end] = False
    sampled, state = model.step(state, replace(sampling, allowed=torch.from_numpy(allowed)))
    tokens = sampled.tolist()
    for decoder, token in zip(decoders, tokens, strict=True):
        decoder.push(token)
    return tokens, state
