"""Ranges of option values, as types: ``dropout: Share = 0.1``.

They are checked where a config is read, and an error names the key. What involves several keys at once is
checked in the options' own ``__post_init__``.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from audiogen.durations import seconds_of

Count = Annotated[int, Field(ge=1, strict=True)]
"""1, 2, 3, ..."""
Whole = Annotated[int, Field(ge=0, strict=True)]
"""0, 1, 2, ..."""
Seed = Annotated[int, Field(ge=0, lt=2**63, strict=True)]
"""0 .. 2^63 - 1: what every generator takes, with room above for what is drawn beside."""
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
"""Above 0."""
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
"""0 or above."""
Share = Annotated[float, Field(ge=0, lt=1)]
"""0..1, 1 excluded."""
Unit = Annotated[float, Field(ge=0, le=1)]
"""0..1."""


def _seconds(value: Any) -> Any:
    try:
        return seconds_of(value) if isinstance(value, str) else value
    except ValueError as error:
        raise PydanticCustomError("seconds", "{text}", {"text": str(error)}) from error


Seconds = Annotated[float, BeforeValidator(_seconds)]
"""A length of time: a number, or text such as ``4:00``; see `audiogen.durations`."""
