"""Tunes as tokens, and random training windows of them; each batch is a function of (seed, step) alone."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from audiogen.tunes.tokens.tokenizer import Tokenizer
from audiogen.tunes.tune import Tune

PADDING = -1
"""Token after the end of a tune that is shorter than its window; token Models do not score it."""
MIN_NOTES = 2  # of a tune for training


@dataclass(frozen=True)
class EncodedTune:
    """Tokens of a tune, ready to be transposed.

    Args:
        tokens: ``[time]`` uint16.
        pitched: which of them a transposition moves, ``[time]`` bool.
        lowest: lowest transposition within the range of MIDI, semitones.
        highest: highest transposition.
    """

    tokens: np.ndarray
    pitched: np.ndarray
    lowest: int
    highest: int


def encode_tune(tune: Tune, tokenizer: Tokenizer, ended: bool = True) -> EncodedTune:
    """Encode a tune; without the end token if it is only the beginning of one."""
    tokens = tokenizer.encode(tune, ended)
    lowest, highest = tune.transposition_range()
    return EncodedTune(tokens.astype(np.uint16), tokenizer.pitched(tokens), lowest, highest)


class TuneWindows:
    """Random windows of tunes, each in a random key and tempo (data augmentation).

    Windows begin at a tune's first token more often than anywhere else, as all prompts do.

    Args:
        tunes: at least one.
        length: tokens per window; shorter tunes are padded.
        tokenizer: with which the tunes were encoded.
        seed: random seed.
        transposition: largest transposition each way, semitones.
        tempo: largest relative change of tempo each way (log-uniform).
    """

    def __init__(
        self,
        tunes: Sequence[EncodedTune],
        length: int,
        tokenizer: Tokenizer,
        seed: int,
        transposition: int = 0,
        tempo: float = 0.0,
    ) -> None:
        self.tunes, self.length, self.tokenizer, self.seed = list(tunes), length, tokenizer, seed
        self.transposition, self.tempo = transposition, tempo
        self.ends = np.cumsum([len(tune.tokens) for tune in tunes])

    def batch(self, step: int, size: int) -> Tensor:
        """Sample a batch of windows, ``[size, time]`` int64, time at most ``length``; all tokens are equally likely."""
        random = np.random.Generator(np.random.PCG64([self.seed, step]))
        rows = []
        for draw in random.integers(self.ends[-1], size=size):
            index = int(np.searchsorted(self.ends, draw, side="right"))
            length = len(self.tunes[index].tokens)
            first = int(np.clip(self.ends[index] - draw - 1 - self.length // 2, 0, max(length - self.length, 0)))
            rows.append(self._augment(self.tunes[index], random)[first : first + self.length])
        return padded(rows)

    def _augment(self, tune: EncodedTune, random: np.random.Generator) -> np.ndarray:
        low, high = max(-self.transposition, tune.lowest), min(self.transposition, tune.highest)
        tokens = tune.tokens.astype(np.int64) + int(random.integers(low, high + 1)) * tune.pitched
        factor = float(np.exp(random.uniform(-1, 1) * np.log1p(self.tempo)))
        return self.tokenizer.at_tempo(tokens, factor) if self.tempo else tokens

    def fingerprint(self) -> str:
        """SHA-256 of all tokens, in order."""
        digest = hashlib.sha256()
        for tune in self.tunes:
            digest.update(len(tune.tokens).to_bytes(8, "little") + tune.tokens.tobytes())
        return digest.hexdigest()


def padded(rows: Sequence[np.ndarray]) -> Tensor:
    """Rows of tokens -> ``[rows, time]`` int64, the shorter ones followed by `PADDING`."""
    table = np.full((len(rows), max(len(row) for row in rows)), PADDING, np.int64)
    for row, tokens in zip(table, rows, strict=True):
        row[: len(tokens)] = tokens
    return torch.from_numpy(table)
