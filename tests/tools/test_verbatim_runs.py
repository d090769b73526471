"""tools/verbatim_runs.py: the longest passage that a tail takes over sample by sample."""

from __future__ import annotations

import numpy as np
import pytest

from audiogen.audio import Recording
from tools.verbatim_runs import longest_verbatim_run

RATE = 16000


def noise(seconds: float, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(round(seconds * RATE)).astype(np.float32)


def recording(*parts: np.ndarray) -> Recording:
    return Recording(0.1 * np.concatenate(parts)[None], RATE)


PROMPT = noise(10.0, 0)


def test_the_longest_passage_counts_wherever_it_comes_from() -> None:
    tail = recording(noise(1.0, 1), PROMPT[RATE : 2 * RATE], PROMPT[5 * RATE : 7 * RATE], noise(1.0, 2))
    assert longest_verbatim_run(tail, recording(PROMPT)) == pytest.approx(2.0, abs=0.15)


def test_a_gain_does_not_hide_a_passage_and_a_jump_ends_it() -> None:
    passage = PROMPT[2 * RATE : 5 * RATE]
    assert longest_verbatim_run(recording(0.5 * passage), recording(PROMPT)) == pytest.approx(3.0, abs=0.15)
    cut = recording(PROMPT[RATE : 2 * RATE], PROMPT[2 * RATE + 80 : 3 * RATE])  # 5 ms are left out
    assert longest_verbatim_run(cut, recording(PROMPT)) == pytest.approx(1.0, abs=0.15)


def test_noise_of_its_own_repeats_nothing() -> None:
    assert longest_verbatim_run(recording(noise(3.0, 3)), recording(PROMPT)) == 0.0
    assert longest_verbatim_run(recording(PROMPT[:100]), recording(PROMPT)) == 0.0


def test_a_passage_of_a_loop_is_counted_at_one_shift() -> None:
    loop = np.tile(PROMPT[: 2 * RATE], 4)
    tail = recording(loop[RATE // 2 : RATE // 2 + 3 * RATE], noise(1.0, 4))
    assert longest_verbatim_run(tail, recording(loop)) == pytest.approx(3.0, abs=0.15)
