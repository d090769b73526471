"""Heads: conditional distributions of a frame, named for ``head: {kind: KEY, ...}`` in a config.

`HEADS` are for float frames, `TOKEN_HEADS` for tokens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from audiogen.config.registry import Registry
from audiogen.models.heads.base import Head

if TYPE_CHECKING:
    from audiogen.models.heads.categorical import Categorical

HEADS: Registry[Head] = Registry(
    "audiogen.heads",
    {
        "point": "audiogen.models.heads.point:Point",
        "mixture": "audiogen.models.heads.mixture:Mixture",
        "lowrank": "audiogen.models.heads.lowrank:LowRankMixture",
        "flow": "audiogen.models.heads.flow:Flow",
    },
)
TOKEN_HEADS: Registry[Categorical] = Registry(
    "audiogen.token_heads",
    {
        "categorical": "audiogen.models.heads.categorical:Categorical",
    },
)
