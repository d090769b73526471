"""Critic: a network that reads notes and says how likely it is that a person wrote them rather than a Model.

A discriminator as in adversarial training (Goodfellow et al. 2014, arXiv 1406.2661), over a Backbone, with one logit
per note. The score of a tail is the mean of the logits of its notes, so it does not grow with the number of notes, and
a logit from how surprising the tail is to the Model that is to be told from people.
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
SURPRISE_UNITS = 16


class NoteBatch(NamedTuple):
    """Notes of several passages.

    Args:
        notes: ``[batch, time, features]`` int64, each in 0 to the feature's size less 1.
        judged: which notes belong to the tails, ``[batch, time]`` bool; False after the end of a passage.
        surprise: how surprising the tails are to a Model, ``[batch, statistics]`` float, in nats.
        written: whether a tail is from the corpus, ``[batch]`` float, 1 or 0.
    """

    notes: Tensor
    judged: Tensor
    surprise: Tensor
    written: Tensor


class CriticNetwork(nn.Module):
    """Logits of notes, and calibrated probabilities of passages. Attribute names are keys of saved weights.

    Args:
        sizes: number of values of each feature of a note.
        statistics: number of statistics of the surprise.
        options: backbone, size of the embeddings and dropout rate; its other keys are not used.
    """

    scale: Tensor
    offset: Tensor
    usual: Tensor
    spread: Tensor

    def __init__(self, sizes: tuple[int, ...], statistics: int, options: TokenModelOptions) -> None:
        super().__init__()
        width = max(options.embedding, MIN_EMBEDDING)
        self.embeddings = nn.ModuleList(nn.Embedding(size, width) for size in sizes)
        self.dropout = nn.Dropout(options.dropout)
        self.backbone = BACKBONES[options.backbone.kind](width, options.backbone.options)
        self.logit = nn.Linear(self.backbone.width, 1)
        self.surprise = nn.Sequential(nn.Linear(statistics, SURPRISE_UNITS), nn.SiLU(), nn.Linear(SURPRISE_UNITS, 1))
        self.register_buffer("usual", torch.zeros(statistics))
        self.register_buffer("spread", torch.ones(statistics))
        self.register_buffer("scale", torch.tensor(1.0))
        self.register_buffer("offset", torch.tensor(0.0))

    def logits(self, notes: Tensor) -> Tensor:
        """``[batch, time]`` logits of notes ``[batch, time, features]``, each given those before it."""
        vectors = torch.stack([table(notes[..., index]) for index, table in enumerate(self.embeddings)]).sum(0)
        context, _ = self.backbone(self.dropout(vectors))
        return self.logit(self.dropout(context)).squeeze(-1)

    def standardise(self, surprise: Tensor) -> None:
        """Take the mean and the standard deviation of the surprise of some tails as its usual ones."""
        self.usual.copy_(surprise.mean(0))
        self.spread.copy_(surprise.std(0).clamp(min=1e-3))

    def _by_surprise(self, batch: NoteBatch) -> Tensor:
        """A logit for each tail, ``[batch]``."""
        return self.surprise((batch.surprise - self.usual) / self.spread).squeeze(-1)

    def scores(self, batch: NoteBatch) -> Tensor:
        """Mean logit of each tail's notes and the logit of its surprise, ``[batch]``; 0 for one without notes."""
        logits, count = self.logits(batch.notes) * batch.judged, batch.judged.sum(1)
        return logits.sum(1) / count.clamp(min=1) + self._by_surprise(batch) * (count > 0)

    def probabilities(self, batch: NoteBatch) -> Tensor:
        """Calibrated probability that each tail is from the corpus, ``[batch]``, if half of them are."""
        return (self.scale * self.scores(batch) + self.offset).sigmoid()

    def loss(self, batch: NoteBatch) -> Mapping[str, Tensor]:
        """Binary cross-entropy of the judged notes, each passage with equal weight."""
        logits = self.logits(batch.notes) + self._by_surprise(batch)[:, None]
        targets = batch.written[:, None].expand_as(logits)
        by_note = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none") * batch.judged
        loss = (by_note.sum(1) / batch.judged.sum(1).clamp(min=1)).mean()
        correct = (self.scores(batch) > 0) == (batch.written > 0.5)
        return {"loss": loss, "accuracy": correct.float().mean().detach()}

    def calibrate(self, batch: NoteBatch, steps: int = 100) -> None:
        """Fit `scale` and `offset` to passages that were held out (Platt 1999), with his targets short of 0 and 1."""
        with torch.no_grad():
            scores = self.scores(batch).double()
        count = batch.written.sum(), (1 - batch.written).sum()
        high, low = (count[0] + 1) / (count[0] + 2), 1 / (count[1] + 2)
        targets = torch.where(batch.written > 0.5, high, low).double()
        mean, deviation = scores.mean(), scores.std().clamp(min=1e-6)
        inputs = (scores - mean) / deviation
        weights = torch.zeros(2, dtype=torch.float64, device=scores.device, requires_grad=True)
        search = torch.optim.LBFGS([weights], max_iter=steps, line_search_fn="strong_wolfe")

        def objective() -> Tensor:
            search.zero_grad()
            nats = functional.binary_cross_entropy_with_logits(inputs * weights[0] + weights[1], targets)
            nats.backward()
            return nats

        search.step(objective)
        slope, level = weights.detach()
        if slope < 0:  # it is wrong more often than right, and says nothing
            slope, level = torch.zeros_like(slope), targets.mean().logit()
        self.scale.copy_(slope / deviation)
        self.offset.copy_(level - slope * mean / deviation)
