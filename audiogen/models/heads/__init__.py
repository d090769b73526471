"""The tables of Heads: ``head: {kind: KEY, ...}`` in a config, for frames and for tokens."""

from audiogen.models.heads.base import Head
from audiogen.models.heads.categorical import Categorical
from audiogen.models.heads.flow import Flow
from audiogen.models.heads.lowrank import LowRankMixture
from audiogen.models.heads.mixture import Mixture
from audiogen.models.heads.point import Point

HEADS: dict[str, type[Head]] = {
    "point": Point,
    "mixture": Mixture,
    "lowrank": LowRankMixture,
    "flow": Flow,
}
TOKEN_HEADS: dict[str, type[Categorical]] = {
    "categorical": Categorical,
}
