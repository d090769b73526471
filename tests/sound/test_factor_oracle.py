"""Factor oracle: suffix links and lengths of a known sequence, and what quantisation it prefers."""

from __future__ import annotations

import random

import torch

from audiogen.sound.control_predictors import oracle_of
from audiogen.sound.factor_oracle import FactorOracle


def test_links_of_a_known_sequence() -> None:
    """The oracle of "abbbaab" (Allauzen et al. 1999, figure 4)."""
    oracle = FactorOracle.of([*map(ord, "abbbaab")])
    assert oracle.suffix == [-1, 0, 0, 2, 3, 1, 1, 2]
    assert oracle.length == [0, 0, 0, 1, 2, 1, 1, 2]


def test_lengths_are_those_of_repeated_suffixes() -> None:
    generator = random.Random(0)
    symbols = [generator.randrange(3) for _ in range(200)]
    oracle = FactorOracle.of(symbols)
    for state in range(1, len(symbols) + 1):
        length, other = oracle.length[state], oracle.suffix[state]
        assert symbols[state - length : state] == symbols[other - length : other]
    for state in (40, 111, 200):
        for other, common in oracle.similar(state).items():
            assert symbols[state - common : state] == symbols[other - common : other]
            assert common > 0


def test_the_information_rate_finds_the_alphabet_of_a_process() -> None:
    """Eight states in a fixed order, noisy: fewer clusters merge them, more split them."""
    generator = torch.Generator().manual_seed(0)
    centres = 6 * torch.randn(8, 5, generator=generator)
    latents = centres.repeat(40, 1) + 0.3 * torch.randn(320, 5, generator=generator)
    oracle = oracle_of(latents)
    assert max(oracle.length) > 250
    mixed = oracle_of(latents[torch.randperm(320, generator=generator)])
    assert max(mixed.length) < 12
