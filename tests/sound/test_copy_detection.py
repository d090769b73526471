"""How like the source's half seconds a tail becomes."""

from __future__ import annotations

import pytest
import torch

from audiogen.sound.copy_detection import CopyDetector

PATCH, RATE = 8, 86.0


def test_the_source_read_on_is_a_copy_of_itself_and_of_nothing_else() -> None:
    source = torch.randn(2000, 128, generator=torch.Generator().manual_seed(0))
    course = CopyDetector(source, PATCH, RATE)
    assert course.copy_score(0, {PATCH}) == 0.0  # nothing sounded yet
    for start in range(400, 448, PATCH):
        course.push(start)
    assert course.copy_score(448, {456}) == pytest.approx(1, abs=1e-5)
    assert course.copy_score(448, {956, 1500}) < 0.1
    assert course.copy_score(1200, {456}) == pytest.approx(35 / 43, abs=0.1)  # all but the last patch is the same
    assert course.copy_score(448, {20, 5000}) == 0.0  # no half second of the source ends there


def test_one_loud_event_in_its_place_is_enough() -> None:
    generator = torch.Generator().manual_seed(0)
    source = 0.2 * torch.randn(2000, 128, generator=generator)
    event = 3 * torch.randn(PATCH, 128, generator=generator)
    source[600 : 600 + PATCH] += event
    course = CopyDetector(source, PATCH, RATE)
    for start in (100, 1500, 900, 1200, 300):
        course.push(start)
    assert course.copy_score(600, {608}) > 0.8
    assert course.copy_score(700, {708}) < 0.5


def test_level_and_colour_do_not_hide_a_copy() -> None:
    source = torch.randn(2000, 128, generator=torch.Generator().manual_seed(0))
    source[1000:1043] = source[400:443] + torch.linspace(-3, 3, 128)
    course = CopyDetector(source, PATCH, RATE)
    for start in range(995, 1035, PATCH):
        course.push(start)
    assert course.copy_score(1035, {443}) > 0.9


def test_a_repetition_of_the_tail_is_heard_wherever_it_came_from() -> None:
    source = torch.randn(2000, 128, generator=torch.Generator().manual_seed(0))
    source[1000:1043] = source[400:443] + 0.1 * torch.randn(43, 128, generator=torch.Generator().manual_seed(1))
    course = CopyDetector(source, PATCH, RATE)
    assert course.repetition_score([0, 8]) == [0.0, 0.0]  # nothing sounded yet
    for start in [*range(400, 448, PATCH), *range(1500, 1700, PATCH), *range(995, 1035, PATCH)]:
        course.push(start)
    again, another = course.repetition_score([1035, 100])
    assert again > 0.9
    assert another == pytest.approx(35 / 43 * again, abs=0.1)  # all but the last patch is the same


def test_within_a_second_nothing_is_a_repetition() -> None:
    source = torch.randn(2000, 128, generator=torch.Generator().manual_seed(0))
    course = CopyDetector(source, PATCH, RATE)
    for start in [*range(1500, 1700, PATCH), *range(400, 448, PATCH), *range(400, 440, PATCH)]:
        course.push(start)
    assert course.repetition_score([440])[0] < 0.5
