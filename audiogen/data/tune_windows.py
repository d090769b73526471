"""Tunes as tokens, and training windows of them: each batch a function of (seed, step) alone."""

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
"""Follows a tune that is shorter than its row; a token Model never scores it."""
SHORTEST = 2  # notes of a tune that can be learned from


@dataclass(frozen=True)
class Piece:
    """A tune's tokens, ready to be transposed.

    Args:
        tokens: ``[time]`` uint16.
        pitched: ``[time]`` bool, which of them are pitches.
        lowest: fewest semitones by which the tune can move within the range of MIDI.
        highest: most of them.
    """

    tokens: np.ndarray
    pitched: np.ndarray
    lowest: int
    highest: int


def piece_of(tune: Tune, tokenizer: Tokenizer, ended: bool = True) -> Piece:
    """The tokens of a tune; without the end token where only a part of it is learned from."""
    tokens = tokenizer.encode(tune, ended)
    lowest, highest = tune.transposition_range()
    return Piece(tokens.astype(np.uint16), tokenizer.pitched(tokens), lowest, highest)


class TuneWindows:
    """Random stretches of tunes, each in a random key and tempo.

    A window begins at a tune's first token more often than anywhere else: that is where all tunes begin that a
    Model is asked to continue.

    Args:
        pieces: at least one.
        length: tokens of a window; tunes that are shorter are padded.
        tokenizer: of the pieces.
        seed: of the draws.
        transposition: farthest, semitones each way.
        tempo: largest relative change each way (log-uniform).
    """

    def __init__(
        self,
        pieces: Sequence[Piece],
        length: int,
        tokenizer: Tokenizer,
        seed: int,
        transposition: int = 0,
        tempo: float = 0.0,
    ) -> None:
        self.pieces, self.length, self.tokenizer, self.seed = list(pieces), length, tokenizer, seed
        self.transposition, self.tempo = transposition, tempo
        self.ends = np.cumsum([len(piece.tokens) for piece in pieces])

    def batch(self, step: int, size: int) -> Tensor:
        """``[size, time]`` int64, time at most ``length``: each token of the set is equally likely to be drawn."""
        random = np.random.Generator(np.random.PCG64([self.seed, step]))
        rows = []
        for draw in random.integers(self.ends[-1], size=size):
            index = int(np.searchsorted(self.ends, draw, side="right"))
            length = len(self.pieces[index].tokens)
            first = int(np.clip(self.ends[index] - draw - 1 - self.length // 2, 0, max(length - self.length, 0)))
            rows.append(self._varied(self.pieces[index], random)[first : first + self.length])
        return padded(rows)

    def _varied(self, piece: Piece, random: np.random.Generator) -> np.ndarray:
        low, high = max(-self.transposition, piece.lowest), min(self.transposition, piece.highest)
        tokens = piece.tokens.astype(np.int64) + int(random.integers(low, high + 1)) * piece.pitched
        factor = float(np.exp(random.uniform(-1, 1) * np.log1p(self.tempo)))
        return self.tokenizer.at_tempo(tokens, factor) if self.tempo else tokens

    def fingerprint(self) -> str:
        """SHA-256 of all tokens in their order."""
        digest = hashlib.sha256()
        for piece in self.pieces:
            digest.update(len(piece.tokens).to_bytes(8, "little") + piece.tokens.tobytes())
        return digest.hexdigest()


def padded(rows: Sequence[np.ndarray]) -> Tensor:
    """Rows of tokens -> ``[rows, time]`` int64, with `PADDING` behind the shorter ones."""
    table = np.full((len(rows), max(len(row) for row in rows)), PADDING, np.int64)
    for row, tokens in zip(table, rows, strict=True):
        row[: len(tokens)] = tokens
    return torch.from_numpy(table)
