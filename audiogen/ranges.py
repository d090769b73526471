"""Ranges of option values, as types: ``dropout: Share = 0.1``.

They are checked where a config is read, and an error names the key. What involves several keys at once is
checked in the options' own ``__post_init__``.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

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
