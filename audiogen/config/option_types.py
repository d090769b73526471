"""Ranges of option values, as types: ``dropout: Share = 0.1``.

They are checked where a config is read, and an error names the key. What involves several keys at once is
checked in the options' own ``__post_init__``.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

PositiveInt = Annotated[int, Field(ge=1, le=2**20, strict=True)]
"""1, 2, 3, ... up to a million: no configuration asks for terabytes."""
NonNegativeInt = Annotated[int, Field(ge=0, le=2**20, strict=True)]
"""0, 1, 2, ... up to a million."""
Steps = Annotated[int, Field(ge=1, le=10**9, strict=True)]
"""1 .. 10^9: of optimisers, which take time but no memory."""
WholeSteps = Annotated[int, Field(ge=0, le=10**9, strict=True)]
"""0 .. 10^9."""
Width = Annotated[int, Field(ge=1, le=2**16, strict=True)]
"""1 .. 65,536: units of a layer, windows of a batch, samples of a frame."""
Layers = Annotated[int, Field(ge=1, le=1024, strict=True)]
"""1 .. 1,024: of what a module is made for each."""
Iterations = Annotated[int, Field(ge=0, le=10_000, strict=True)]
"""0 .. 10,000: of an iteration."""
Bands = Annotated[int, Field(ge=1, le=2048, strict=True)]
"""1 .. 2,048: of a mel frame."""
SampleRate = Annotated[int, Field(ge=1, le=768_000, strict=True)]
"""Hz."""
Seed = Annotated[int, Field(ge=0, lt=2**63, strict=True)]
"""0 .. 2^63 - 1: what every generator takes, with room above for what is drawn beside."""
PositiveFloat = Annotated[float, Field(gt=0, allow_inf_nan=False)]
"""Above 0."""
NonNegativeFloat = Annotated[float, Field(ge=0, allow_inf_nan=False)]
"""0 or above."""
Share = Annotated[float, Field(ge=0, lt=1)]
"""0..1, 1 excluded."""
Unit = Annotated[float, Field(ge=0, le=1)]
"""0..1."""
