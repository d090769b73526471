"""Training windows: transposed like the tune itself, sampled uniformly, a function of seed and step."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from audiogen.data.tune_windows import PADDING, EncodedTune, TuneWindows, encode_tune, padded
from audiogen.tunes.tokens import TOKENIZERS
from audiogen.tunes.tokens.tokenizer import Tokenizer
from tests.tune_fixtures import melody, rich, wandering


@pytest.fixture(params=sorted(TOKENIZERS))
def scheme(request: pytest.FixtureRequest) -> Tokenizer:
    return TOKENIZERS[request.param](TOKENIZERS[request.param].Options())


@pytest.mark.parametrize("semitones", [-7, 1, 12])
def test_tokens_are_transposed_like_the_tune(scheme: Tokenizer, semitones: int):
    for one in (rich(), wandering(1, parts=3), melody([60, 62, 60])):
        piece = encode_tune(one, scheme)
        assert piece.lowest <= -7
        assert piece.highest >= 12
        moved = piece.tokens.astype(np.int64) + semitones * piece.pitched
        assert np.array_equal(moved, scheme.encode(one.transposed(semitones)))


def test_drums_are_not_transposed():
    scheme = TOKENIZERS["events"](TOKENIZERS["events"].Options())
    piece = encode_tune(rich(), scheme)
    names = [scheme.vocabulary[token] for token in piece.tokens]
    still = [name for name, pitched in zip(names, piece.pitched, strict=True) if "pitch" in name and not pitched]
    assert still == ["pitch 36", "pitch 36"]


@pytest.mark.parametrize("factor", [0.7, 1.0, 1.3])
def test_tempo_tokens_are_scaled(factor: float):
    scheme = TOKENIZERS["events"](TOKENIZERS["events"].Options())
    one = rich()
    found = scheme.decode(scheme.at_tempo(scheme.encode(one), factor)).tempos
    expected = scheme.quantised(one.at_tempo(factor)).tempos
    assert found[:, 0].tolist() == expected[:, 0].tolist()
    assert np.abs(6e7 / found[:, 1] - 6e7 / expected[:, 1]).max() < 1.01  # BPM, rounded twice
    fastest = scheme.decode(scheme.at_tempo(scheme.encode(one), 1e6))
    assert 6e7 / fastest.tempos[0, 1] == pytest.approx(300)


def plain(lengths: list[int]) -> list[EncodedTune]:
    """Tunes whose tokens are 100 times the tune's index plus the position."""
    return [
        EncodedTune(np.arange(length, dtype=np.uint16) + 100 * index, np.zeros(length, bool), 0, 0)
        for index, length in enumerate(lengths)
    ]


@pytest.fixture
def notes() -> Tokenizer:
    return TOKENIZERS["notes"](TOKENIZERS["notes"].Options())


def test_windows_are_contiguous_and_cover_every_token(notes: Tokenizer):
    windows = TuneWindows(plain([50, 8, 30]), 12, notes, seed=0)
    seen: set[int] = set()
    firsts: list[int] = []
    for step in range(200):
        batch = windows.batch(step, 4)
        assert batch.shape[0] == 4
        assert batch.shape[1] <= 12
        for row in batch:
            tokens = row[row != PADDING]
            assert (tokens.diff() == 1).all()
            assert len(tokens) == (8 if tokens[0] // 100 == 1 else 12)
            assert (row[len(tokens) :] == PADDING).all()
            seen |= set(tokens.tolist())
            firsts.append(int(tokens[0]))
    assert len(seen) == 50 + 8 + 30
    pieces = np.bincount(np.array(firsts) // 100) / len(firsts)
    assert np.allclose(pieces, np.array([50, 8, 30]) / 88, atol=0.06)
    assert 2 < firsts.count(0) / firsts.count(20) < 20  # beginnings more often than any other position


def test_a_batch_is_a_function_of_seed_and_step(notes: Tokenizer):
    pieces = [encode_tune(wandering(index), notes) for index in range(3)]
    first, again = (TuneWindows(pieces, 40, notes, 1, 6, 0.1) for _ in range(2))
    assert torch.equal(first.batch(7, 4), again.batch(7, 4))
    assert not torch.equal(first.batch(7, 4), first.batch(8, 4))
    assert not torch.equal(first.batch(7, 4), TuneWindows(pieces, 40, notes, 2, 6, 0.1).batch(7, 4))


def test_windows_are_in_all_keys_within_range(notes: Tokenizer):
    high = replace(encode_tune(melody([120, 122, 124]), notes))
    windows = TuneWindows([high], 50, notes, 0, transposition=6)
    tops = {int(batch[batch >= 4].max()) - 4 for batch in (windows.batch(step, 1) for step in range(100))}
    assert tops == set(range(118, 128))


def test_the_fingerprint_depends_on_the_tunes_and_their_order(notes: Tokenizer):
    pieces = plain([5, 6])

    def of(pieces: list[EncodedTune]) -> str:
        return TuneWindows(pieces, 4, notes, 0).fingerprint()

    assert of(pieces) == of(plain([5, 6]))
    assert len({of(pieces), of(pieces[::-1]), of(pieces[:1])}) == 3


def test_padding_follows():
    table = padded([np.array([1, 2, 3]), np.array([4])])
    assert table.tolist() == [[1, 2, 3], [4, PADDING, PADDING]]


def test_tempo_varies_within_its_range():
    scheme = TOKENIZERS["events"](TOKENIZERS["events"].Options())
    one = wandering(1, parts=1)
    windows = TuneWindows([encode_tune(one, scheme)], 4096, scheme, seed=0, tempo=0.2)
    beats = [6e7 / scheme.decode(row[row != PADDING].numpy()).tempos[0, 1] for row in windows.batch(0, 60)]
    factors = np.array(beats) * scheme.quantised(one).tempos[0, 1] / 6e7
    assert 1 / 1.21 < factors.min() < 0.9
    assert 1.1 < factors.max() < 1.21
