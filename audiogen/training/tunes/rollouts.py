"""Rollouts of a token Model: groups of tails after prompts, with what their log-probabilities need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from audiogen.data.tune_windows import padded
from audiogen.models import Sampling, State
from audiogen.tunes.model_state import map_state
from audiogen.tunes.models.token_model import TokenModel
from audiogen.tunes.particle_filter import by_state_shape
from audiogen.tunes.tokens.tokenizer import Decoder, Tokenizer
from audiogen.tunes.tune import Tune
from audiogen.tunes.tune_continuation import TailLength, TuneContinuer

NGRAM = 4  # successive steps from note to note


@dataclass(frozen=True)
class Rollouts:
    """Tails that a Model sampled, in groups of one prompt each.

    Args:
        tokens: ``[rollouts, time]`` prompts and tails, followed by `PADDING`.
        sampled: which of ``tokens[:, 1:]`` were sampled, ``[rollouts, time - 1]`` bool.
        allowed: tokens that each of these was sampled from, ``[actions, size]`` bool, in the order of ``sampled``.
        tails: as `Tokenizer.tail` returns them.
        prompts: of the tails.
        group: rollouts per prompt.
    """

    tokens: Tensor
    sampled: Tensor
    allowed: Tensor
    tails: list[Tune]
    prompts: list[Tune]
    group: int

    @property
    def rows(self) -> Tensor:
        """The rollout of each action, ``[actions]``."""
        return self.sampled.nonzero()[:, 0]

    def totals(self, values: Tensor) -> Tensor:
        """Sums of the values ``[actions]`` of each rollout, ``[rollouts]``."""
        return torch.zeros(len(self.tokens), device=values.device).index_add(0, self.rows, values)

    def log_distribution(self, model: TokenModel) -> Tensor:
        """Log-probabilities from which each action was sampled, ``[actions, size]``; -inf where not allowed."""
        logits, _ = model.read(self.tokens[:, :-1], at=self.sampled)
        return logits.masked_fill(~self.allowed, -torch.inf).log_softmax(-1)

    def taken(self, log_distribution: Tensor) -> Tensor:
        """Log-probability of each action, ``[actions]``."""
        return log_distribution.gather(1, self.tokens[:, 1:][self.sampled][:, None]).squeeze(1)


def without_dropout(model: TokenModel) -> TokenModel:
    """The Model in evaluation mode, with recurrent layers in training mode but without their dropout.

    cuDNN computes gradients of recurrent layers in training mode only.
    """
    model = model.eval()
    for module in model.modules():
        if isinstance(module, nn.RNNBase):
            module.dropout = 0.0
            module.train()
    return model


def entropy(log_distribution: Tensor) -> Tensor:
    """Entropy of each action's distribution, nats, ``[actions]``."""
    return -(log_distribution.exp() * log_distribution.masked_fill(log_distribution == -torch.inf, 0)).sum(-1)


def opening(tune: Tune, bars: int) -> Tune | None:
    """The first bars of a tune, counted from that of its first note; None if no bar follows them."""
    lines = tune.bar_lines()
    first = int(np.searchsorted(lines, int(tune.notes["start"].min()), side="right")) - 1
    if first + bars >= len(lines):
        return None
    return tune.between(0, int(lines[first + bars]))


def distinct_ngrams(tunes: Sequence[Tune], size: int = NGRAM) -> float:
    """Diversity of tunes: the fraction of different ones among all n-grams of successive notes, 0..1.

    Distinct-n (Li et al. 2016, arXiv 1510.03055) of the steps (interval, ticks between onsets) within a part. It falls
    with the number of tunes: compare sets of one size. Tunes without n-grams count as equal to one another, so
    silence is not diverse.
    """
    grams: list[tuple[tuple[int, int], ...]] = []
    for tune in tunes:
        steps: list[tuple[tuple[int, int], ...]] = []
        for part in np.unique(tune.notes["part"]):
            notes = tune.notes[tune.notes["part"] == part]
            line = list(zip(np.diff(notes["pitch"]).tolist(), np.diff(notes["start"]).tolist(), strict=True))
            steps += [tuple(line[index : index + size]) for index in range(len(line) - size + 1)]
        grams += steps or [()]
    return len(set(grams)) / len(grams) if grams else 0.0


@dataclass
class _Row:
    """A tail that is being sampled."""

    continuer: TuneContinuer
    length: TailLength
    decoder: Decoder
    tokens: list[int] = field(default_factory=list)
    masks: list[np.ndarray] = field(default_factory=list)


@torch.no_grad()
def sample_rollouts(
    model: TokenModel,
    tokenizer: Tokenizer,
    prompts: Sequence[Tune],
    bars: int,
    group: int = 1,
    sampling: Sampling | None = None,
    max_tokens: int = 1024,
) -> Rollouts:
    """Sample tails after prompts at temperature 1, all in one batch, by the rules of `continue`.

    Args:
        model: in evaluation mode.
        tokenizer: of its tokens.
        prompts: each with at least one note.
        bars: length of the tails.
        group: tails per prompt.
        sampling: its generator is used; None for torch's global one.
        max_tokens: limit of a tail.
    """
    sampling, end = sampling or Sampling(), tokenizer.vocabulary.index("end")
    rows: list[_Row] = []
    for prompt in prompts:
        continuer = TuneContinuer(model, tokenizer, prompt)
        length, decoder = continuer.length(bars=bars), continuer.primed_decoder()
        rows += [_Row(continuer, length, decoder.branch()) for _ in range(group)]
    for batch in by_state_shape(rows, lambda row: row.continuer.start):
        state = map_state(lambda *values: torch.cat(values), *(row.continuer.start for row in batch))
        _sample(model, batch, state, sampling, end, max_tokens)
    return _collected(rows, group, next(model.parameters()).device)


def _sample(model: TokenModel, rows: list[_Row], state: State, sampling: Sampling, end: int, limit: int) -> None:
    """Sample the tokens of some rows until each has all its bars."""
    for _ in range(limit):
        remaining = [index for index, row in enumerate(rows) if not row.length.is_reached(row.decoder)]
        if not remaining:
            return
        if len(remaining) < len(rows):
            rows = [rows[index] for index in remaining]
            state = map_state(lambda value, kept=remaining: value[kept], state)
        allowed = np.stack([row.decoder.allowed() for row in rows])
        allowed[:, end] = False
        chosen = _draw(model.log_probabilities(state), torch.from_numpy(allowed), sampling)
        state = model.advance(state, chosen)
        for row, token, mask in zip(rows, chosen.tolist(), allowed, strict=True):
            row.decoder.push(token)
            row.tokens.append(token)
            row.masks.append(mask)


def _draw(log_probs: Tensor, allowed: Tensor, sampling: Sampling) -> Tensor:
    """Sample tokens ``[n]`` among the allowed ones, by inversion; without the sort that top-k and top-p need."""
    masked = log_probs.masked_fill(~allowed.to(log_probs.device), -torch.inf)
    cumulative = masked.double().softmax(-1).cumsum(-1)
    level = sampling.uniform(len(masked), 1, device=masked.device).double() * cumulative[:, -1:]
    return torch.searchsorted(cumulative, level, right=True).clamp(max=masked.shape[-1] - 1).squeeze(-1)


def _collected(rows: list[_Row], group: int, device: torch.device) -> Rollouts:
    tokens = padded([np.concatenate([row.continuer.tokens, np.array(row.tokens, np.int64)]) for row in rows])
    sampled = torch.zeros(len(rows), tokens.shape[1] - 1, dtype=torch.bool)
    for index, row in enumerate(rows):
        begun = len(row.continuer.tokens) - 1
        sampled[index, begun : begun + len(row.tokens)] = True
    return Rollouts(
        tokens.to(device),
        sampled.to(device),
        torch.from_numpy(np.stack([mask for row in rows for mask in row.masks])).to(device),
        [row.length.cut(row.decoder) for row in rows],
        [row.continuer.context for row in rows],
        group,
    )
