"""The table of Heads: ``head: {kind: KEY, ...}`` in a config."""

from audiogen.models.heads.base import Head
from audiogen.models.heads.flow import Flow
from audiogen.models.heads.mixture import Mixture
from audiogen.models.heads.point import Point

HEADS: dict[str, type[Head]] = {
    "point": Point,
    "mixture": Mixture,
    "flow": Flow,
}
