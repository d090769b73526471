"""The checks of the request for sixteen bars in G, which are written without the rewards."""

from __future__ import annotations

from dataclasses import replace

import pytest

from audiogen.tunes.tune import Tune
from tests.tunes.rewards.tunes import BAR, DEVELOPMENT, PROMPT, QUESTION, REPLY, melody
from tools.check_planning import met


def tail(last: list[list[int]] = REPLY) -> Tune:
    return melody([*DEVELOPMENT * 3, *last], start=4 * BAR)


def with_pitch(index: int, pitch: int) -> Tune:
    changed = replace(tail(), notes=tail().notes.copy())
    changed.notes["pitch"][index] = pitch
    return changed


@pytest.mark.parametrize(
    ("made", "failed"),
    [
        (tail(), set()),
        (tail().transposed(1), {"in G", "ends on G", "answers"}),
        (tail(QUESTION), {"ends on G", "answers"}),
        (tail([*DEVELOPMENT[:2], *REPLY[2:]]), {"answers"}),
        (melody(DEVELOPMENT * 3, start=4 * BAR), {"ends on G", "answers"}),
        (with_pitch(-1, 71), {"ends on G"}),
        (with_pitch(9, 84), {"none above B5"}),
    ],
)
def test_what_is_requested_is_checked_by_the_notes(made: Tune, failed: set[str]) -> None:
    assert {name for name, good in met(PROMPT, made).items() if not good} == failed
