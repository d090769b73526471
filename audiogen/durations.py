"""Durations as users write them: seconds, minutes and seconds, or hours."""

from __future__ import annotations

import math
import re

_CLOCK = re.compile(r"(?:(\d+):)?(\d+):(\d\d(?:\.\d*)?)", re.ASCII)


def seconds_of(text: str) -> float:
    """Parse a duration: ``"30.5"`` -> 30.5, ``"4:00"`` -> 240.0, ``"1:02:03.5"`` -> 3723.5.

    Two digits follow each colon, below 60, since ``4:5`` could mean both 4:05 and 4:50.

    Raises:
        ValueError: the text has another form.
    """
    text = text.strip()
    if clock := _CLOCK.fullmatch(text):
        hours, minutes, seconds = clock.groups()
        if float(seconds) < 60 and (hours is None or (len(minutes) == 2 and int(minutes) < 60)):
            return 3600 * int(hours or 0) + 60 * int(minutes) + float(seconds)
    else:
        try:
            if math.isfinite(number := float(text)):
                return number
        except ValueError:
            pass
    raise ValueError("a duration is written as 30, 30.5, 4:00 or 1:02:03.5")
