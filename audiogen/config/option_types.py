"""Types of option values with their ranges: ``dropout: Fraction = 0.1``.

Values are validated where a configuration is read, and an error names the key. Conditions on several keys are checked
in ``__post_init__`` of the options.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

PositiveInt = Annotated[int, Field(ge=1, le=2**20, strict=True)]
"""1 to 1,048,576: the upper limit keeps a configuration from asking for terabytes of memory."""
NonNegativeInt = Annotated[int, Field(ge=0, le=2**20, strict=True)]
"""0 to 1,048,576."""
Steps = Annotated[int, Field(ge=1, le=10**9, strict=True)]
"""Optimiser steps, 1 to 10^9: they take time but no memory."""
NonNegativeSteps = Annotated[int, Field(ge=0, le=10**9, strict=True)]
"""Optimiser steps, 0 to 10^9."""
Width = Annotated[int, Field(ge=1, le=2**16, strict=True)]
"""Units of a layer, windows of a batch or samples of a frame, 1 to 65,536."""
Layers = Annotated[int, Field(ge=1, le=1024, strict=True)]
"""Number of modules to make, 1 to 1,024."""
Iterations = Annotated[int, Field(ge=0, le=10_000, strict=True)]
"""Iterations of an algorithm, 0 to 10,000."""
Bands = Annotated[int, Field(ge=1, le=2048, strict=True)]
"""Mel bands, 1 to 2,048."""
SampleRate = Annotated[int, Field(ge=1, le=768_000, strict=True)]
"""Sample rate in Hz."""
Seed = Annotated[int, Field(ge=0, lt=2**63, strict=True)]
"""Random seed, 0 to 2^63 - 1."""
PositiveFloat = Annotated[float, Field(gt=0, allow_inf_nan=False)]
"""Above 0."""
NonNegativeFloat = Annotated[float, Field(ge=0, allow_inf_nan=False)]
"""At least 0."""
Fraction = Annotated[float, Field(ge=0, le=1)]
"""0 to 1."""
FractionBelowOne = Annotated[float, Field(ge=0, lt=1)]
"""0 to 1, without 1."""
