"""Durations as users write them: seconds, minutes and seconds, or hours."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Annotated, Any

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


def clock_time(seconds: float) -> str:
    """The opposite: 240.0 -> ``"4:00"``, 3723.5 -> ``"1:02:03.5"``."""
    tenths = round(10 * seconds)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    shown = f"{rest // 10:02d}" + (f".{rest % 10}" if rest % 10 else "")
    return f"{hours}:{minutes:02d}:{shown}" if hours else f"{minutes}:{shown}"


_BARS = re.compile(r"(\d+(?:\.\d+)?)\s*bars?", re.ASCII | re.IGNORECASE)


def bars_or_seconds(text: str) -> tuple[float, bool]:
    """Parse a length of music: ``"2 bars"`` -> (2.0, True), ``"3.5"`` -> (3.5, False).

    Returns:
        A number above 0, and whether it counts bars rather than seconds.

    Raises:
        ValueError: the text has another form.
    """
    bars = _BARS.fullmatch(text.strip())
    number = float(bars[1]) if bars else seconds_of(text)
    if number <= 0:
        raise ValueError("a length is above 0")
    return number, bars is not None


class _Duration:
    """Makes pydantic accept text such as ``4:00`` for a float; pydantic itself is imported only when it reads this."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], Any]) -> Any:
        from pydantic_core import PydanticCustomError, core_schema

        def parse(value: Any) -> Any:
            try:
                return seconds_of(value) if isinstance(value, str) else value
            except ValueError as error:
                raise PydanticCustomError("seconds", "{text}", {"text": str(error)}) from error

        return core_schema.no_info_before_validator_function(parse, handler(source))


Seconds = Annotated[float, _Duration()]
"""Option type of a duration: a number of seconds, or text such as ``4:00``."""
