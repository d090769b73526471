"""Durations as users write them."""

from __future__ import annotations

import pytest

from audiogen.durations import clock_time, seconds_of


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30", 30),
        (" 30.5 ", 30.5),
        ("1e3", 1000),
        ("-3", -3),  # ranges are checked elsewhere
        ("4:00", 240),
        ("0:07.25", 7.25),
        ("90:00", 5400),
        ("1:02:03.5", 3723.5),
        ("100:00:00", 360_000),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (7.25, "0:07.2"), (59.96, "1:00"), (300, "5:00"), (3723.5, "1:02:03.5")]
)
def test_clock_times(seconds: float, text: str) -> None:
    assert clock_time(seconds) == text


@pytest.mark.parametrize(
    "text",
    ["", "long", "4:5", "4:60", ":30", "4:", "-4:00", "1:60:00", "1:2:03", "1:00:00:00", "4:00:5", "4m", "nan", "inf"],
)
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"written as 30, 30\.5, 4:00 or 1:02:03\.5"):
        seconds_of(text)
