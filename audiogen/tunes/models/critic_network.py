"""Critic: a network that reads notes and says how likely it is that a person wrote them rather than a Model.

A discriminator as in adversarial training (Goodfellow et al. 2014, arXiv 1406.2661), over a Backbone, with one logit
per note. The score of a tail is the mean of the logits of its notes, so it does not grow with the number of notes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from audiogen.models.backbones import BACKBONES
from audiogen.tunes.models.token_model import TokenModelOptions

MIN_EMBEDDING = 1


class NoteBatch(NamedTuple):
    """Notes of several passages.

    Args:
        notes: ``[batch, time, features]`` int64, each in 0 to the feature's size less 1.
        judged: which notes belong to the tails, ``[batch, time]`` bool; False after the end of a passage.
        written: whether a tail is from the corpus, ``[batch]`` float, 1 or 0.
    """

    notes: Tensor
    judged: Tensor
    written: Tensor


class CriticNetwork(nn.Module):
    """Logits of notes, and calibrated probabilities of passages. Attribute names are keys of saved weights.

    Args:
        sizes: number of values of each feature of a note.
        options: backbone, size of the embeddings and dropout rate; its other keys are not used.
    """

    scale: Tensor
    offset: Tensor

    def __init__(self, sizes: tuple[int, ...], options: TokenModelOptions) -> None:
        super().__init__()
        width = max(options.embedding, MIN_EMBEDDING)
        self.embeddings = nn.ModuleList(nn.Embedding(size, width) for size in sizes)
        self.dropout = nn.Dropout(options.dropout)
        self.backbone = BACKBONES[options.backbone.kind](width, options.backbone.options)
        self.logit = nn.Linear(self.backbone.width, 1)
        self.register_buffer("scale", torch.tensor(1.0))
        self.register_buffer("offset", torch.tensor(0.0))

    def logits(self, notes: Tensor) -> Tensor:
        """``[batch, time]`` logits of notes ``[batch, time, features]``, each given those before it."""
        vectors = torch.stack([table(notes[..., index]) for index, table in enumerate(self.embeddings)]).sum(0)
        context, _ = self.backbone(self.dropout(vectors))
        return self.logit(self.dropout(context)).squeeze(-1)

    def scores(self, batch: NoteBatch) -> Tensor:
        """Mean logit of each tail, ``[batch]``; 0 for one without notes."""
        logits = self.logits(batch.notes) * batch.judged
        return logits.sum(1) / batch.judged.sum(1).clamp(min=1)

    def probabilities(self, batch: NoteBatch) -> Tensor:
        """Calibrated probability that each tail is from the corpus, ``[batch]``, if half of them are."""
        return (self.scale * self.scores(batch) + self.offset).sigmoid()

    def loss(self, batch: NoteBatch) -> Mapping[str, Tensor]:
        """Binary cross-entropy of the judged notes, each passage with equal weight."""
        logits = self.logits(batch.notes)
        targets = batch.written[:, None].expand_as(logits)
        by_note = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none") * batch.judged
        loss = (by_note.sum(1) / batch.judged.sum(1).clamp(min=1)).mean()
        correct = (self.scores(batch) > 0) == (batch.written > 0.5)
        return {"loss": loss, "accuracy": correct.float().mean().detach()}

    @torch.no_grad()
    def calibrate(self, batch: NoteBatch, steps: int = 100) -> None:
        """Fit `scale` and `offset` to passages that were held out (Platt 1999), with his targets short of 0 and 1."""
        scores = self.scores(batch).double()
        count = batch.written.sum(), (1 - batch.written).sum()
        high, low = (count[0] + 1) / (count[0] + 2), 1 / (count[1] + 2)
        targets = torch.where(batch.written > 0.5, high, low).double()
        inputs = torch.stack([scores, torch.ones_like(scores)], 1)
        weights = torch.tensor([1.0, 0.0], dtype=torch.float64, device=scores.device)
        for _ in range(steps):  # Newton's method for a logistic regression
            chance = (inputs @ weights).sigmoid()
            curvature = inputs.T @ (inputs * (chance * (1 - chance))[:, None])
            slope = inputs.T @ (chance - targets)
            weights = weights - torch.linalg.solve(curvature + 1e-4 * torch.eye(2, dtype=torch.float64), slope)
        self.scale.fill_(float(weights[0].clamp(min=0)))
        self.offset.fill_(float(weights[1]))
