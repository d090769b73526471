"""Similarity of the end of a tail to its source and to itself."""

from __future__ import annotations

import pytest
import torch

from audiogen.sound.copy_detection import CopyDetector

PATCH, RATE = 8, 86.0


def test_contiguous_patches_are_a_copy_of_their_position_only() -> None:
    source = torch.randn(2000, 128, generator=torch.Generator().manual_seed(0))
    detector = CopyDetector(source, PATCH, RATE)
    assert detector.copy_scores([0])[0] == 0.0  # the tail is empty
    for start in range(400, 448, PATCH):
        detector.push(start)
    assert detector.copy_scores([448])[0] == pytest.approx(1, abs=1e-5)
    # A patch elsewhere is itself the end of the half second that it is compared with: 8 frames of 43, and no more.
    assert detector.copy_scores([1200], {956, 1500})[0] == pytest.approx(8 / 43, abs=0.05)
    # Before the first half second there is nothing that it ends: what is left are places without a common frame.
    assert detector.copy_scores([20], {956, 1500})[0] < 0.1
    assert detector.copy_scores([1200], {456})[0] == pytest.approx(
        35 / 43, abs=0.1
    )  # all but the last patch are the same
    assert detector.copy_scores([20], {20, 5000}) == [0.0]  # out of range


def test_one_loud_event_is_enough() -> None:
    generator = torch.Generator().manual_seed(0)
    source = 0.2 * torch.randn(2000, 128, generator=generator)
    event = 3 * torch.randn(PATCH, 128, generator=generator)
    source[600 : 600 + PATCH] += event
    detector = CopyDetector(source, PATCH, RATE)
    for start in (100, 1500, 900, 1200, 300):
        detector.push(start)
    assert detector.copy_scores([600])[0] > 0.8
    assert detector.copy_scores([700])[0] < 0.5


def test_level_and_timbre_do_not_hide_a_copy() -> None:
    source = torch.randn(2000, 128, generator=torch.Generator().manual_seed(0))
    source[1000:1035] = source[400:435] + torch.linspace(-3, 3, 128)
    source[1500:1508] = source[435:443] + torch.linspace(-3, 3, 128)
    detector = CopyDetector(source, PATCH, RATE)
    for start in range(995, 1035, PATCH):
        detector.push(start)
    assert detector.copy_scores([1500])[0] < 0.9
    assert detector.copy_scores([1500], {443})[0] > 0.9


def test_a_repetition_of_the_tail_is_found_wherever_it_came_from() -> None:
    source = torch.randn(2000, 128, generator=torch.Generator().manual_seed(0))
    source[1000:1043] = source[400:443] + 0.1 * torch.randn(43, 128, generator=torch.Generator().manual_seed(1))
    detector = CopyDetector(source, PATCH, RATE)
    assert detector.repetition_scores([0, 8]) == [0.0, 0.0]  # the tail is empty
    for start in [*range(400, 448, PATCH), *range(1500, 1700, PATCH), *range(995, 1035, PATCH)]:
        detector.push(start)
    again, another = detector.repetition_scores([1035, 100])
    assert again > 0.9
    assert another == pytest.approx(35 / 43 * again, abs=0.1)  # all but the last patch are the same


def test_nothing_within_a_second_is_a_repetition() -> None:
    source = torch.randn(2000, 128, generator=torch.Generator().manual_seed(0))
    detector = CopyDetector(source, PATCH, RATE)
    for start in [*range(1500, 1700, PATCH), *range(400, 448, PATCH), *range(400, 440, PATCH)]:
        detector.push(start)
    assert detector.repetition_scores([440])[0] < 0.5


def test_the_first_half_second_counts_with_what_it_follows() -> None:
    source = torch.randn(2000, 128, generator=torch.Generator().manual_seed(0))
    source[500:516] = source[-16:]  # the end of the prompt is like an earlier place
    detector = CopyDetector(source, PATCH, RATE)
    assert detector.copy_scores([516])[0] == 0.0
    detector.start_after(source)
    for start in (516, 516 + PATCH, 516 + 2 * PATCH):
        detector.push(start)
    end = 516 + 4 * PATCH
    assert detector.copy_scores([end - PATCH])[0] == pytest.approx(1.0 if 16 + 4 * PATCH >= 43 else 0.8, abs=0.1)


def test_what_another_tail_sounded_like_is_a_repetition_too() -> None:
    source = torch.randn(4000, 128, generator=torch.Generator().manual_seed(0))
    first, second, third = (CopyDetector(source, PATCH, RATE) for _ in range(3))
    for start in range(400, 600, PATCH):
        first.push(start)
    second.search_also(first)
    for detector in (second, third):
        for start in range(400, 440, PATCH):
            detector.push(start)
    assert second.repetition_scores([440])[0] > 0.99
    assert third.repetition_scores([440]) == [0.0]
    fourth = CopyDetector(source, PATCH, RATE)
    fourth.search_also(second)
    assert len(fourth.history) == len(second.history)
    assert len(fourth.history_norms) == len(fourth.history) - fourth.length + 1
