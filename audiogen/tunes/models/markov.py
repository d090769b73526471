"""Markov chain of tokens with back-off: the baseline of all sequence models, fitted in closed form.

Interpolated modified Kneser-Ney smoothing (Chen & Goodman 1999, "An empirical study of smoothing techniques for
language modeling", section 3; Kneser & Ney 1995). The discounts can be scaled to fit a validation set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from audiogen.models.base import Model, Sampling, State
from audiogen.models.heads.categorical import sample_tokens

SCALES = (0.2, 0.35, 0.5, 0.7, 0.85, 1.0, 1.15, 1.3, 1.5, 1.8)
MAX_DISCOUNT = 0.99  # fraction of a count, for counts up to 3
MAX_KNOWN = 4096  # contexts whose log-probabilities are remembered: 40 MB with a vocabulary of 1225


@dataclass(frozen=True)
class MarkovOptions:
    """Options of `Markov`.

    Args:
        order: number of context tokens, 0 to 64.
    """

    order: int = 5

    def __post_init__(self) -> None:
        if not 0 <= self.order <= 64:
            raise ValueError("order must lie in 0..64")


@dataclass
class _Level:
    """n-gram counts for contexts of one length. A context's number is its index in ``contexts``.

    Args:
        contexts: sorted keys ``number of the context one token shorter * size + the token before it``.
        keys: sorted keys ``number of the context * size + next token``.
        counts: of each key: occurrences for the longest contexts, else the number of different tokens before it.
        discounts: ``[3]``, for counts of 1, 2 and more.
    """

    contexts: Tensor
    keys: Tensor
    counts: Tensor
    discounts: Tensor
    totals: Tensor = field(init=False)
    kept: Tensor = field(init=False)
    back_off: Tensor = field(init=False)

    def discount(self, scale: float, size: int) -> None:
        """Subtract the scaled discounts from the counts; their mass is the weight of the shorter context."""
        index = self.counts.clamp(max=3).long() - 1
        taken = torch.minimum(self.discounts[index] * scale, MAX_DISCOUNT * (index + 1))
        owner = self.keys // size
        number = max(len(self.contexts), 1)
        self.totals = torch.zeros(number, dtype=torch.float64).index_add_(0, owner, self.counts)
        discounted = torch.zeros(number, dtype=torch.float64).index_add_(0, owner, taken)
        self.kept = (self.counts - taken) / self.totals[owner]
        self.back_off = discounted / self.totals


class Markov(Model):
    """p(token | the last ``order`` tokens), backing off to shorter contexts.

    Args:
        size: size of the vocabulary.
        options: see `MarkovOptions`.
    """

    Options = MarkovOptions
    tokens: ClassVar[bool] = True

    def __init__(self, size: int, options: MarkovOptions) -> None:
        super().__init__()
        self.size, self.order = size, options.order
        self.levels: list[_Level] = []
        self.scales: list[float] = []
        self._known: dict[tuple[int, ...], Tensor] = {}  # log-probabilities after a context

    def fit(self, sequences: Sequence[Tensor], validation: Sequence[Tensor] = ()) -> None:
        """Count n-grams.

        Args:
            sequences: tokens of whole tunes, ``[time]`` int64 each; contexts do not cross tunes.
            validation: sequences that the discounts of each context length are scaled to fit; none for no scaling.
        """
        tokens, ages = _joined(sequences)
        self.levels = []
        number = torch.zeros_like(tokens)
        seen: list[tuple[Tensor, Tensor]] = []  # distinct n-grams and their counts, by context length
        tables: list[Tensor] = []
        for length in range(self.order + 1):
            if length == 0:
                contexts = torch.zeros(1, dtype=torch.int64)
            else:
                older = tokens.roll(length)
                number = torch.where((number >= 0) & (ages >= length), number * self.size + older, -1)
                contexts = number[number >= 0].unique()
                number = _find(contexts, number)
            tables.append(contexts)
            here = (number >= 0) & (ages >= 1)
            seen.append((number[here] * self.size + tokens[here]).unique(return_counts=True))
        for length, (keys, counts) in enumerate(seen):
            if length < self.order:
                counts = self._continuations(keys, seen[length + 1][0], tables[length + 1], counts)
            counts = counts.double()
            self.levels.append(_Level(tables[length], keys, counts, _discounts(counts)))
        self.scales = [1.0] * len(self.levels)
        self._discount()
        if validation:
            self._fit_scales(validation)

    def _continuations(self, keys: Tensor, longer: Tensor, contexts: Tensor, counts: Tensor) -> Tensor:
        """Number of different tokens before each n-gram; its count if it only occurs at the beginning of tunes."""
        shorter = contexts[longer // self.size] // self.size
        index = _find(keys, shorter * self.size + longer % self.size)
        found = torch.zeros(len(keys), dtype=torch.int64).index_add_(0, index, torch.ones_like(index))
        return torch.where(found > 0, found, counts)

    def _discount(self) -> None:
        self._known.clear()
        for level, scale in zip(self.levels, self.scales, strict=True):
            level.discount(scale, self.size)

    def _fit_scales(self, validation: Sequence[Tensor]) -> None:
        """Fit one scale per context length by coordinate descent, two rounds."""
        best = self._nats(validation)
        for _ in range(2):
            for index in range(len(self.scales)):
                for scale in SCALES:
                    before = self.scales[index]
                    self.scales[index] = scale
                    self.levels[index].discount(scale, self.size)
                    nats = self._nats(validation)
                    if nats < best:
                        best = nats
                    else:
                        self.scales[index] = before
                        self.levels[index].discount(before, self.size)

    def _nats(self, sequences: Sequence[Tensor]) -> float:
        tokens, ages = _joined(sequences)
        return -float(self._log_probabilities(tokens, ages).sum())

    def _log_probabilities(self, tokens: Tensor, ages: Tensor) -> Tensor:
        """Log-probability of each token that is not the first of its tune."""
        likely = torch.full((len(tokens),), 1 / self.size, dtype=torch.float64)
        number = torch.zeros_like(tokens)
        for length, level in enumerate(self.levels):
            if length:
                older = tokens.roll(length)
                number = _find(
                    level.contexts,
                    torch.where((number >= 0) & (ages >= length), number * self.size + older, -1),
                )
            known = (number >= 0) & (level.totals[number.clamp(min=0)] > 0)
            found = _find(level.keys, torch.where(known, number * self.size + tokens, -1))
            kept = torch.where(found >= 0, level.kept[found.clamp(min=0)], 0.0)
            likely = torch.where(known, kept + level.back_off[number.clamp(min=0)] * likely, likely)
        return likely[ages >= 1].log()

    def log_likelihood(self, frames: Tensor) -> Tensor:
        """Log-likelihood of each token but the first, nats, ``[batch, time - 1]``, of tokens ``[batch, time]``."""
        tokens, ages = _joined(list(frames))
        return self._log_probabilities(tokens, ages).view(len(frames), -1).to(torch.float32)

    def loss(self, frames: Tensor) -> Mapping[str, Tensor]:
        return {"loss": -self.log_likelihood(frames).mean()}

    def start(self, prompt: Tensor) -> State:
        return prompt[:, -self.order :] if self.order else prompt[:, :0]

    def probabilities(self, contexts: Tensor) -> Tensor:
        """p(next token), ``[n, size]`` float64, after contexts ``[n, tokens]``."""
        likely = torch.full((len(contexts), self.size), 1 / self.size, dtype=torch.float64)
        number = torch.zeros(len(contexts), dtype=torch.int64)
        for length, level in enumerate(self.levels[: contexts.shape[1] + 1]):
            if length:
                number = torch.where(number >= 0, number * self.size + contexts[:, -length], -1)
                number = _find(level.contexts, number)
            first, last = torch.searchsorted(level.keys, torch.stack([number, number + 1]) * self.size)
            number = torch.where(last > first, number, -1)
            rows = (number >= 0).nonzero()[:, 0]
            if not len(rows):
                break
            likely[rows] *= level.back_off[number[rows], None]
            counts = (last - first)[rows]
            offsets = torch.arange(int(counts.sum())) - (counts.cumsum(0) - counts).repeat_interleave(counts)
            index = first[rows].repeat_interleave(counts) + offsets
            likely[rows.repeat_interleave(counts), level.keys[index] % self.size] += level.kept[index]
        return likely

    def log_probabilities(self, state: State) -> Tensor:
        """Log-probabilities of the next token, ``[batch, size]``."""
        contexts = [tuple(context) for context in state.tolist()]
        known = self._known
        if len(known) > MAX_KNOWN:
            known.clear()
        new = list({context: row for row, context in enumerate(contexts) if context not in known}.values())
        if new:  # candidates often share their context, and those of a search return to it
            known.update(zip([contexts[row] for row in new], self.probabilities(state[new]).log(), strict=True))
        return torch.stack([known[context] for context in contexts])

    def step(self, state: State, sampling: Sampling) -> tuple[Tensor, State]:
        token = sample_tokens(self.log_probabilities(state), sampling)
        return token, torch.cat([state, token[:, None]], dim=1)[:, -self.order :] if self.order else state


def _joined(sequences: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """All tokens concatenated, and for each the number of tokens before it in its tune."""
    ages = [torch.arange(len(sequence)) for sequence in sequences]
    return torch.cat([sequence.cpu() for sequence in sequences]), torch.cat(ages)


def _find(table: Tensor, keys: Tensor) -> Tensor:
    """Index of each key in a sorted table, -1 if absent."""
    if not len(table):
        return torch.full_like(keys, -1)
    index = torch.searchsorted(table, keys).clamp(max=len(table) - 1)
    return torch.where(table[index] == keys, index, -1)


def _discounts(counts: Tensor) -> Tensor:
    """D1, D2, D3+ from the counts of counts (Chen & Goodman 1999, equation 26)."""
    ones, twos, threes, fours = (max(float((counts == n).sum()), 1.0) for n in (1, 2, 3, 4))
    base = ones / (ones + 2 * twos)
    values = (1 - 2 * base * twos / ones, 2 - 3 * base * threes / twos, 3 - 4 * base * fours / threes)
    bounds = ((0.1, 0.95), (0.1, 1.9), (0.1, 2.85))
    limited = [min(max(value, low), high) for value, (low, high) in zip(values, bounds, strict=True)]
    return torch.tensor(limited, dtype=torch.float64)
