"""Critic: a network that reads notes and says how likely it is that a person wrote them rather than a Model.

A discriminator as in adversarial training (Goodfellow et al. 2014, arXiv 1406.2661), over a Backbone, with one logit
per note. The mean over the notes of a tail does not grow with their number. How much it counts beside
the surprise of the tail to the Model that it is to distinguish from people, a logistic regression decides on tunes that
were held out: those that a Model was trained on surprise it less than others.
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
MAX_DEVIATION = 6.0
"""Surprise is limited to so many standard deviations from what is usual."""
RIDGE = 0.003
"""Weight of the squared coefficients of the regression, of all but the notes; its inputs have standard deviation 1."""


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

    weights: Tensor
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
        self.register_buffer("usual", torch.zeros(statistics))
        self.register_buffer("spread", torch.ones(statistics))
        self.register_buffer("weights", torch.eye(1 + 2 * statistics)[0])  # the notes alone, until it is calibrated
        self.register_buffer("offset", torch.tensor(0.0))

    def logits(self, notes: Tensor) -> Tensor:
        """``[batch, time]`` logits of notes ``[batch, time, features]``, each given those before it."""
        vectors = torch.stack([table(notes[..., index]) for index, table in enumerate(self.embeddings)]).sum(0)
        context, _ = self.backbone(self.dropout(vectors))
        return self.logit(self.dropout(context)).squeeze(-1)

    def note_scores(self, batch: NoteBatch) -> Tensor:
        """Mean logit of each tail's notes, ``[batch]``; 0 for one without notes."""
        return (self.logits(batch.notes) * batch.judged).sum(1) / batch.judged.sum(1).clamp(min=1)

    def inputs(self, batch: NoteBatch) -> Tensor:
        """What the regression has of each tail, ``[batch, 1 + 2 statistics]``: its `note_scores`, how far each
        statistic of the surprise is from what is usual, in standard deviations, and the squares of these."""
        deviations = ((batch.surprise - self.usual) / self.spread).clamp(-MAX_DEVIATION, MAX_DEVIATION)
        return torch.cat([self.note_scores(batch)[:, None], deviations, deviations.square()], 1)

    def scores(self, batch: NoteBatch) -> Tensor:
        """Log-odds that each tail is from the corpus, if half of them are, ``[batch]``."""
        return self.inputs(batch) @ self.weights + self.offset

    def probabilities(self, batch: NoteBatch) -> Tensor:
        """Probability that each tail is from the corpus, if half of them are, ``[batch]``."""
        return self.scores(batch).sigmoid()

    def loss(self, batch: NoteBatch) -> Mapping[str, Tensor]:
        """Binary cross-entropy of the judged notes, each passage with equal weight."""
        logits = self.logits(batch.notes)
        targets = batch.written[:, None].expand_as(logits)
        by_note = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none") * batch.judged
        loss = (by_note.sum(1) / batch.judged.sum(1).clamp(min=1)).mean()
        correct = (self.note_scores(batch) > 0) == (batch.written > 0.5)
        return {"loss": loss, "accuracy": correct.float().mean().detach()}

    def calibrate(self, batch: NoteBatch, importance: Tensor) -> None:
        """Fit the regression to passages that were held out (Platt 1999, with his targets short of 0 and 1).

        Args:
            batch: written, played and degenerate passages.
            importance: of each, ``[batch]``; their sum is 1.
        """
        usual = batch.surprise.T @ importance
        self.usual.copy_(usual)
        self.spread.copy_(((batch.surprise - usual).square().T @ importance).sqrt().clamp(min=1e-3))
        with torch.no_grad():
            inputs = self.inputs(batch).double()
        count = batch.written.sum(), (1 - batch.written).sum()
        targets = torch.where(batch.written > 0.5, (count[0] + 1) / (count[0] + 2), 1 / (count[1] + 2)).double()
        weights, offset = _regression(inputs, targets, importance)
        if weights[0] < 0:  # notes that mislead more often than not are left out
            inputs[:, 0] = 0
            weights, offset = _regression(inputs, targets, importance)
        self.weights.copy_(weights)
        self.offset.copy_(offset)


def _regression(inputs: Tensor, targets: Tensor, importance: Tensor, steps: int = 200) -> tuple[Tensor, Tensor]:
    """Weights and offset of a logistic regression, with a ridge on those of all standardised inputs but the first."""
    mean, deviation = inputs.mean(0), inputs.std(0)
    scaled = (inputs - mean) / deviation.clamp(min=1e-6)
    weights = torch.zeros(inputs.shape[1], dtype=torch.float64, requires_grad=True)
    offset = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    search = torch.optim.LBFGS([weights, offset], max_iter=steps, line_search_fn="strong_wolfe")

    def objective() -> Tensor:
        search.zero_grad()
        loss = functional.binary_cross_entropy_with_logits(scaled @ weights + offset, targets, reduction="none")
        total = (loss * importance).sum() + RIDGE * weights[1:].square().sum()
        total.backward()
        return total

    search.step(objective)
    found = weights.detach() / deviation.clamp(min=1e-6)
    return found, offset.detach()[0] - mean @ found
