"""How surprising a tail is to a Run: what a critic has beside the notes.

What a Model samples surprises it, on average, by the entropy of its predictions; what a person wrote surprises it by
more, the further the Model is from the truth. The difference is the typicality of a text (Meister et al. 2023, "Locally
typical sampling", arXiv 2202.00666).
"""

from __future__ import annotations

import numpy as np
import torch

from audiogen.run import Run
from audiogen.tunes.midi_representation import Midi
from audiogen.tunes.models.token_model import TokenModel
from audiogen.tunes.tune import Tune, joined

SURPRISE_SIZE = 6
MAX_NATS = 20.0
"""Surprise of a token at most, in nats: some degenerate tail may have tokens of probability zero."""


@torch.no_grad()
def surprise(run: Run, tail: Tune, prompt: Tune) -> np.ndarray:
    """Statistics of the surprise of a tail's tokens, given all before them.

    Args:
        run: of a token Model.
        tail: with times that count from the beginning of the prompt.
        prompt: before it; without notes for a whole tune.

    Returns:
        ``[SURPRISE_SIZE]`` float32 in nats: mean surprise per token, its excess over the entropy of the predictions,
        that entropy, the median surprise, its 0.9 quantile, and the mean surprise per note. Zeros without notes.
    """
    assert isinstance(run.representation, Midi)
    assert isinstance(run.model, TokenModel)
    tokenizer = run.representation.tokenizer
    prompt, whole = tokenizer.quantised(prompt), tokenizer.quantised(joined(prompt, tail))
    first = len(tokenizer.encode(prompt, ended=False)) if len(prompt.notes) else 1
    tokens = torch.from_numpy(tokenizer.encode(whole, ended=False)).long()[None]
    if not len(tail.notes) or tokens.shape[1] <= first:
        return np.zeros(SURPRISE_SIZE, np.float32)
    logits, _ = run.model.read(tokens[:, :-1])
    predicted = logits[0, first - 1 :].log_softmax(-1).clamp(min=-MAX_NATS)
    nats = -predicted.gather(1, tokens[0, first:, None])[:, 0]
    entropy = -(predicted.exp() * predicted).sum(-1)
    median, high = torch.quantile(nats, torch.tensor([0.5, 0.9])).tolist()
    mean = float(nats.mean())
    return np.array(
        [mean, mean - float(entropy.mean()), float(entropy.mean()), median, high, float(nats.sum()) / len(tail.notes)],
        np.float32,
    )
