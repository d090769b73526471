"""Runs of a mask, as a loop over its values finds them."""

from __future__ import annotations

from itertools import groupby

import numpy as np
import pytest

from audiogen.dsp.mask_spans import mask_spans


@pytest.mark.parametrize("length", [0, 1, 2, 50])
@pytest.mark.parametrize("density", [0.0, 0.5, 1.0])
def test_spans_are_the_runs_of_true_values(length: int, density: float) -> None:
    mask = np.random.default_rng(3).random(length) < density
    expected, position = [], 0
    for value, group in groupby(mask.tolist()):
        count = len(list(group))
        expected += [[position, position + count]] if value else []
        position += count
    assert mask_spans(mask).shape == (len(expected), 2)
    assert mask_spans(mask).tolist() == expected
