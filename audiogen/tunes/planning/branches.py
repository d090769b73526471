"""Branches: beginnings of a tail, with the state of the Model after them, continued in batches."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import torch

from audiogen.errors import InputError
from audiogen.models import Sampling, State
from audiogen.tunes.batched_decoding import step_decoders
from audiogen.tunes.model_state import map_state
from audiogen.tunes.particle_filter import by_state_shape
from audiogen.tunes.tokens.tokenizer import Decoder
from audiogen.tunes.tune import Tune
from audiogen.tunes.tune_continuation import TailLength, TuneContinuer

MAX_TOKENS = 20_000  # of one tail


@dataclass
class Branch:
    """The beginning of a tail, up to a bar line or its end.

    Args:
        decoder: that has read prompt and beginning.
        state: of the Model, a batch of one; None for a complete tail.
        fraction: of the tail that it is, 0..1.
        last_bar: the tokens since the bar line before, by which equal bars are recognised.
        log_weight: of a particle.
    """

    decoder: Decoder
    state: State
    fraction: float = 0.0
    last_bar: tuple[int, ...] = ()
    log_weight: float = 0.0

    @property
    def is_complete(self) -> bool:
        """Whether it is a whole tail."""
        return self.state is None

    def branch(self) -> Self:
        """A copy that can be continued independently; it shares the state, which is never changed."""
        other = copy.copy(self)
        other.decoder = self.decoder.branch()
        return other


@dataclass
class TailSampler:
    """Samples tails of a prompt from any of their beginnings.

    Args:
        continuer: prompt and Model.
        length: where tails end.
        sampling: how tokens are sampled; its generator makes a search reproducible.

    Attributes:
        tokens: number of tokens sampled so far.
    """

    continuer: TuneContinuer
    length: TailLength
    sampling: Sampling
    tokens: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._end = self.continuer.tokenizer.vocabulary.index("end")

    @property
    def prompt(self) -> Tune:
        """The prompt that tails are relative to."""
        return self.continuer.context

    def root(self) -> Branch:
        """The empty beginning."""
        return Branch(self.continuer.primed_decoder(), self.continuer.start)

    def tail(self, branch: Branch) -> Tune:
        """The tail of a branch, as `Tokenizer.tail` returns it; of an incomplete one, its beginning."""
        return self.length.cut(branch.decoder)

    @torch.no_grad()
    def extend(self, branches: Sequence[Branch], bars: int | None = None, keep: bool = True) -> list[list[Branch]]:
        """Sample on from some branches, which stay as they are.

        Args:
            branches: to sample on from; a complete one stays what it is, and is its own only branch.
            bars: number of bar lines to reach; None to go on to the end.
            keep: whether to return a branch for each bar line; if not, only for the last one.

        Returns:
            For each of them, the branches at the bar lines that were reached, the last one being the end if it was.
        """
        paths = [[branch] if branch.is_complete else [] for branch in branches]
        unfinished = [index for index, path in enumerate(paths) if not path]
        for group in by_state_shape(unfinished, lambda index: branches[index].state):
            self._extend(group, [branches[index].branch() for index in group], paths, bars, keep)
        return paths

    def _extend(
        self, rows: list[int], active: list[Branch], paths: list[list[Branch]], bars: int | None, keep: bool
    ) -> None:
        """Extend branches whose states have equal shapes, appending to the paths of their rows."""
        state = map_state(lambda *values: torch.cat(values), *(branch.state for branch in active))
        left = [bars] * len(active)
        written: list[list[int]] = [[] for _ in active]
        for _ in range(MAX_TOKENS):
            before = [branch.decoder.bar for branch in active]
            decoders = [branch.decoder for branch in active]
            tokens, state = step_decoders(self.continuer.model, decoders, state, self.sampling, self._end)
            self.tokens += len(tokens)
            going = []
            for row, (branch, token) in enumerate(zip(active, tokens, strict=True)):
                written[row].append(token)
                complete = self.length.is_reached(branch.decoder)
                if complete or branch.decoder.bar > before[row]:
                    count = left[row]
                    left[row] = count = None if count is None else count - 1
                    stops = complete or count == 0
                    if keep or stops:
                        own = (
                            None if complete else map_state(lambda value, row=row: value[row : row + 1].clone(), state)
                        )
                        decoder = branch.decoder if stops else branch.decoder.branch()
                        fraction = 1.0 if complete else self.length.fraction(decoder)
                        paths[rows[row]].append(
                            replace(branch, decoder=decoder, state=own, fraction=fraction, last_bar=tuple(written[row]))
                        )
                    written[row] = []
                    if stops:
                        continue
                going.append(row)
            if not going:
                return
            if len(going) < len(active):
                rows, active, left, written = (
                    [rows[row] for row in going],
                    [active[row] for row in going],
                    [left[row] for row in going],
                    [written[row] for row in going],
                )
                state = map_state(lambda value, going=going: value[going], state)
        raise InputError("the tune", f"a tail is not complete after {MAX_TOKENS} tokens", "ask for a shorter one")
